"""Which texts are units of UCUM.

A reader of the grammar: terms of annotatable components, joined by ``.`` and ``/``. The
symbols are a selection for clinical data; an unknown one makes the text no unit, which
is the safe side, because the value then travels with its unit as original text.
"""

import re
from functools import lru_cache
from typing import Final

_PREFIX_WORDS: Final = "Y Z E P T G M k h da d c m u n p f a z y"
_METRIC_WORDS: Final = """
m s g L l rad K Cel C cd lm lx mol eq osm kat U [iU] [IU] g% cal Hz N Pa J W A V F Ohm
S Wb T H Bq Gy Sv Ci R RAD REM eV u bar m[Hg] m[H2O] P St B Bd t
"""
_PLAIN_WORDS: Final = """
10* 10^ % [ppth] [ppm] [ppb] [pptr] [pi] min h d wk mo a deg ' '' atm [psi] [degF]
[Cal] [in_i] [ft_i] [yd_i] [mi_i] [sin_i] [sft_i] [cin_i] [gr] [lb_av] [oz_av]
[stone_av] [gal_us] [qt_us] [pt_us] [foz_us] [cup_us] [tbs_us] [tsp_us] [cup_m]
[tbs_m] [tsp_m] [drp] [Ch] [HPF] [LPF] [MET] [PRU] [wood'U] [diop] [pH] [S] [NTU]
[arb'U] [USP'U] [GPL'U] [MPL'U] [APL'U] [beth'U] [anti'Xa'U] [todd'U] [CCID_50]
[TCID_50] [EID_50] [PFU] [FFU] [CFU] [IR] [BAU] [AU] [Amb'a'1'U] [PNU] [Lf] [FEU]
[ELU] [EU] [hnsf'U] [mclg'U] [ka'U] [knk'U]
"""
_METRIC: Final = frozenset(_METRIC_WORDS.split())
_PLAIN: Final = frozenset(_PLAIN_WORDS.split())
_SYMBOLS: Final = _PLAIN.union(
    _METRIC, (prefix + symbol for prefix in _PREFIX_WORDS.split() for symbol in _METRIC)
)
_PART: Final = re.compile(
    r"(?P<open>\()|(?P<close>\))|(?P<slash>/)|(?P<dot>\.)|(?P<note>\{[!-z|~]*\})"
    r"|(?P<unit>(?:[^\[\](){}./\s]|\[[^\[\]\s]+\])+)"
)
_EXPONENT: Final = re.compile(r"(.+?)[+-]?[1-9]\d*")
_FACTOR: Final = re.compile(r"[1-9]\d*")


@lru_cache(maxsize=4096)
def is_ucum(unit: str) -> bool:
    """Whether a text is a unit expression of UCUM, case-sensitive.

    Examples:
        >>> [is_ucum(unit) for unit in ("mg/dL", "10*3/uL", "mm[Hg]", "mmHg", "mcg")]
        [True, True, True, False, False]
    """
    kinds: list[str] = []
    at = 0
    while at < len(unit):
        match = _PART.match(unit, at)
        if match is None or not _is_known(match):
            return False
        kinds.append(match.lastgroup or "")
        at = match.end()
    end = _term(kinds, 0)
    return bool(kinds) and end == len(kinds)


def _is_known(match: re.Match[str]) -> bool:
    symbol = match["unit"]
    if symbol is None or symbol in _SYMBOLS or _FACTOR.fullmatch(symbol):
        return True
    power = _EXPONENT.fullmatch(symbol)
    return power is not None and power[1] in _SYMBOLS


def _term(kinds: list[str], at: int) -> int:
    """Return where a term beginning here ends, or -1 when there is none."""
    if kinds[at : at + 1] == ["slash"]:
        at += 1
    at = _component(kinds, at)
    while at > 0 and kinds[at : at + 1] in (["slash"], ["dot"]):
        at = _component(kinds, at + 1)
    return at


def _component(kinds: list[str], at: int) -> int:
    first = kinds[at : at + 1]
    if first == ["open"]:
        end = _term(kinds, at + 1)
        if end < 0 or kinds[end : end + 1] != ["close"]:
            return -1
        return _annotated(kinds, end + 1)
    if first == ["unit"]:
        return _annotated(kinds, at + 1)
    return at + 1 if first == ["note"] else -1


def _annotated(kinds: list[str], at: int) -> int:
    return at + 1 if kinds[at : at + 1] == ["note"] else at
