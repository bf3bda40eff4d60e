"""Our comparison levels as Splink reads them, and records as a table it compares.

The same levels as `engine.identity.similarity`, as SQL conditions that DuckDB and Spark
both understand: a test holds the two against each other.

Spec:
    identity.md 4; 13, Splink.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from engine.identity.index import SourceRecord
from engine.identity.similarity import Nicknames
from engine.identity.traits import Kind

Conditions = tuple[tuple[str, str], ...]
"""Levels and their conditions: the first that fits holds, and the last always does."""
_DIALECTS: Final = MappingProxyType(
    {
        "duckdb": {"ALIKE": "jaro_winkler_similarity", "FITS": "regexp_matches"},
        "spark": {"ALIKE": "jaro_winkler", "FITS": "regexp_like"},
    }
)
_ALWAYS: Final = "1 = 1"


def _sides(condition: str) -> str:
    """Return a condition that holds one way round or the other."""
    swapped = condition.replace("_l", "_?").replace("_r", "_l").replace("_?", "_r")
    return f"(({condition}) OR ({swapped}))"


def _apart(trait: str, most: int) -> str:
    return f"damerau_levenshtein({trait}_l, {trait}_r) <= {most}"


def _alike(trait: str, least: str) -> str:
    return f"ALIKE({trait}_l, {trait}_r) >= {least}"


def _same(trait: str) -> str:
    return f"{trait}_l = {trait}_r"


def _part(trait: str, begin: int, letters: int) -> str:
    return (
        f"substr({trait}_l, {begin}, {letters}) = substr({trait}_r, {begin}, {letters})"
    )


def _same_or_none(trait: str) -> str:
    return f"coalesce({trait}_l, '') = coalesce({trait}_r, '')"


def _is_called(name: str, other: str) -> str:
    """Return whether the name of one record is the other's middle name."""
    return (
        f"{name} = middle_{other} "
        f"OR contains(short_forms_{name[-1]}, '|' || middle_{other} || '|')"
    )


_LETTER: Final = "least(length(given_l), length(given_r)) = 1"
_GIVEN_STRAIGHT: Final[Conditions] = (
    ("eq", _same("given")),
    ("nick", "contains(short_forms_l, '|' || given_r || '|')"),
    ("init", f"{_LETTER} AND substr(given_l, 1, 1) = substr(given_r, 1, 1)"),
    ("swap", f"NOT {_LETTER} AND given_l = family_r AND given_r = family_l"),
    ("mid", f"NOT {_LETTER} AND {_sides(_is_called('given_l', 'r'))}"),
    ("jw92", f"NOT {_LETTER} AND {_alike('given', '0.92')}"),
    (
        "jw84",
        f"NOT {_LETTER} AND ({_alike('given', '0.84')} OR {_apart('given', 1)} OR "
        + _sides("length(given_l) = 3 AND substr(given_r, 1, 3) = given_l")
        + ")",
    ),
    (
        "midi",
        _sides(
            "length(middle_r) = 1 AND substr(given_l, 1, 1) = middle_r AND "
            "(middle_l IS NULL OR substr(middle_l, 1, 1) = substr(given_r, 1, 1))"
        ),
    ),
)
_CROSSED: Final = (
    "given_l IS NOT NULL AND given_r IS NOT NULL AND CASE "
    + " ".join(f"WHEN {test} THEN '{level}'" for level, test in _GIVEN_STRAIGHT)
    + " END IN ('mid', 'midi')"
)
"""Whether one record's given name is the other's middle name."""


def _initial(one: str, other: str) -> str:
    return (
        f"least(length({one}), length({other})) = 1 "
        f"AND substr({one}, 1, 1) = substr({other}, 1, 1)"
    )


def _resembles(one: str, other: str) -> str:
    return (
        f"least(length({one}), length({other})) > 1 AND ALIKE({one}, {other}) >= 0.85"
    )


def _agree(one: str, other: str) -> str:
    """Return whether two middle names, or their initials, may be one."""
    ways = (f"{one} = {other}", _initial(one, other), _resembles(one, other))
    return f"(({') OR ('.join(ways)}))"


_SILENT: Final = (
    "middle_l IS NULL OR middle_r IS NULL OR "
    f"({_CROSSED} AND {_agree('given_l', 'middle_r')} "
    f"AND {_agree('given_r', 'middle_l')})"
)
"""Crosswise they only speak against."""
_MIDDLE: Final[Conditions] = (
    ("", _SILENT),
    ("no", _CROSSED),
    ("eq", f"{_same('middle')} AND length(middle_l) > 1"),
    ("init", _initial("middle_l", "middle_r")),
    ("jw", _resembles("middle_l", "middle_r")),
    ("no", _ALWAYS),
)

_TOKENS: Final = (
    "(contains(family_l, ' ') OR contains(family_r, ' ')) AND "
    "FITS(concat(' ', family_l, ' '), concat(' (', replace(family_r, ' ', '|'), ') '))"
)
_FAMILY_STRAIGHT: Final[Conditions] = (
    ("eq", _same("family")),
    (
        "tok",
        _TOKENS,
    ),
    ("swap", "family_l = given_r AND family_r = given_l"),
    ("jw92", _alike("family", "0.92")),
    ("jw84", f"{_alike('family', '0.86')} OR {_apart('family', 1)}"),
)
_CROSSWISE: Final = " AND ".join(
    f"(ALIKE({one}, {other}) >= 0.86 OR damerau_levenshtein({one}, {other}) <= 1)"
    for one, other in (("given_l", "family_r"), ("family_l", "given_r"))
)


def _crosswise(straight: Conditions) -> tuple[str, str]:
    """Return the level of exchanged names that do not agree straight either."""
    agree = " OR ".join(f"coalesce({test}, FALSE)" for _, test in straight)
    return "swapjw", f"NOT ({agree}) AND {_CROSSWISE}"


_GIVEN: Final[Conditions] = (
    *_GIVEN_STRAIGHT,
    _crosswise(_FAMILY_STRAIGHT),
    ("no", _ALWAYS),
)
_FAMILY: Final[Conditions] = (
    *_FAMILY_STRAIGHT,
    _crosswise(_GIVEN_STRAIGHT),
    ("new", "coalesce(sex_l, '') <> 'M' AND coalesce(sex_r, '') <> 'M'"),
    ("no", _ALWAYS),
)
_YEAR: Final = _part("birth", 1, 4)
_EXCHANGED: Final = "concat(substr(birth_r, 7, 2), substr(birth_r, 5, 2))"
_BIRTH: Final[Conditions] = (
    ("eq", _same("birth")),
    ("swap", f"{_YEAR} AND substr(birth_l, 5, 4) = {_EXCHANGED}"),
    ("d1", _apart("birth", 1)),
    ("md", _part("birth", 5, 4)),
    ("y01", f"{_YEAR} AND '0101' IN (substr(birth_l, 5, 4), substr(birth_r, 5, 4))"),
    ("y1", f"{_YEAR} AND ({_part('birth', 5, 2)} OR {_part('birth', 7, 2)})"),
    ("d2", _apart("birth", 2)),
    ("no", _ALWAYS),
)
_SSN: Final[Conditions] = (
    ("", "last_four_l IS NULL OR last_four_r IS NULL"),
    ("eq", _same("ssn")),
    ("d1", _apart("ssn", 1)),
    ("d2", _apart("ssn", 2)),
    ("no", "ssn_l IS NOT NULL AND ssn_r IS NOT NULL"),
    ("s4", _same("last_four")),
    ("s4no", _ALWAYS),
)
_RESPELT: Final = (
    f"street_l <> street_r AND {_same('number')} AND {_alike('street', '0.88')}"
)
_ADDRESS: Final[Conditions] = (
    (
        "",
        " AND ".join(
            f"({each}_l IS NULL OR {each}_r IS NULL)"
            for each in ("street", "zip5", "city")
        ),
    ),
    ("eq", f"{_same('street')} AND {_same_or_none('number')}"),
    ("near", f"({_same('street')} AND {_apart('number', 1)}) OR ({_RESPELT})"),
    ("street", _same("street")),
    ("zip", _same("zip5")),
    ("city", f"{_same('city')} AND {_same_or_none('state')}"),
    ("no", _ALWAYS),
)
_PHONE: Final[Conditions] = (
    ("eq", _same("phone")),
    ("d1", _apart("phone", 1)),
    ("no", _ALWAYS),
)

CONDITIONS: Final[Mapping[str, Conditions]] = MappingProxyType(
    {
        "given": _GIVEN,
        "family": _FAMILY,
        "middle": _MIDDLE,
        "birth": _BIRTH,
        "ssn": _SSN,
        "address": _ADDRESS,
        "phone": _PHONE,
        **{
            trait: (("eq", _same(trait)), ("no", _ALWAYS))
            for trait in ("sex", "suffix", "email")
        },
    }
)
"""By trait; level ``""`` is a pair that cannot be compared. Birth facts are left out:
they tell children born together apart, and Splink has no class for those."""

RULES: Final = (("birth", "given"), ("ssn",))
"""Pairs that Splink learns from: each rule tells of the traits it does not name.

Pairs of one home are none of them: what a family shares would count as agreement.
"""
COLUMNS: Final = (
    "unique_id",
    *("given", "short_forms", "middle", "family", "suffix", "birth", "sex", "ssn"),
    *("last_four", "number", "street", "city", "state", "zip5", "phone", "email"),
)


def rows(
    records: Iterable[SourceRecord], nicknames: Nicknames
) -> Iterator[dict[str, str | None]]:
    """Yield each record that may be compared by its name; a missing value is None."""
    for each in records:
        if each.traits.kind != Kind.ORDINARY:
            continue
        found = each.traits._asdict()
        known = "|".join(sorted(nicknames.get(each.traits.given, ())))
        found |= {"short_forms": f"|{known}|", "unique_id": str(each.number)}
        yield {name: found[name] or None for name in COLUMNS}


def settings(dialect: str) -> dict[str, Any]:
    """Return Splink's settings with our levels, for ``duckdb`` or ``spark``."""
    return {
        "link_type": "dedupe_only",
        "comparisons": [_comparison(trait, dialect) for trait in CONDITIONS],
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": " AND ".join(f"l.{each} = r.{each}" for each in rule)}
            for rule in RULES
        ],
        "retain_matching_columns": False,
    }


def _comparison(trait: str, dialect: str) -> dict[str, object]:
    levels = CONDITIONS[trait]
    if levels[0][0]:
        missing = f"{trait}_l IS NULL OR {trait}_r IS NULL"
        levels = (("", missing), *levels)
    return {
        "output_column_name": trait,
        "comparison_levels": [_level(*each, dialect) for each in levels],
    }


def _level(level: str, condition: str, dialect: str) -> dict[str, object]:
    for word, function in _DIALECTS[dialect].items():
        condition = condition.replace(word, function)
    told: dict[str, object] = {
        "sql_condition": "ELSE" if condition == _ALWAYS else condition,
        "label_for_charts": level or "missing",
    }
    return told if level else {**told, "is_null_level": True}
