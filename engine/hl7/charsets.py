"""Character sets: MSH-18 and bytes to text, and back; never a replaced character.

`decode` works on whole messages, so that delimiters are looked for in text: the second
byte of a GB 18030, Big5 or Shift JIS character may be a bar, a caret or a backslash,
and so may both bytes of a kanji in ISO 2022.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.errors import TransformError
from engine.hl7 import euc_tw
from engine.hl7.finding import Finding

_JAPANESE: Final = "iso2022_jp_ext"
_CODEC_NAMES: Final = ("cp1252", "cp932", "cp949", "cp950", "euc_kr", euc_tw.NAME)
_CODECS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ASCII": "ascii",
        "USASCII": "ascii",
        "ISOIR6": "ascii",
        "ISOIR14": _JAPANESE,
        "ISOIR87": _JAPANESE,
        "ISOIR159": _JAPANESE,
        "ISO2022JP": _JAPANESE,
        "ISO2022JPEXT": _JAPANESE,
        "JAS2020": _JAPANESE,
        "JISX0202": _JAPANESE,
        "SHIFTJIS": "cp932",
        "UNICODE": "utf-8",
        "UNICODEUTF8": "utf-8",
        "UTF8": "utf-8",
        "GB18030": "gb18030",
        "GB180302000": "gb18030",
        "KSX1001": "euc_kr",
        "CNS116431992": euc_tw.NAME,
        "BIG5": "big5",
        **{f"8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
        **{f"ISO8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
        "WINDOWS1252": "cp1252",
        **{codec.upper().replace("_", ""): codec for codec in _CODEC_NAMES},
    }
)
"""Python codecs by HL7 table 0211 value, or by what senders write instead of one.

The names stand without their blanks and signs, upper case; those of the codecs
themselves are known too, so that text made by one is read by the same.
"""
_SIGNS: Final = re.compile(r"[^A-Z0-9]")
_ALTERNATES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        _JAPANESE: ("cp932",),
        "big5": ("cp950",),
        "euc_kr": ("cp949",),
        euc_tw.NAME: ("cp950",),
    }
)
"""What a sender of the first set really sends when the first cannot read it."""


class Decoded(NamedTuple):
    """The text of a message, the Python codec that gave it, and what was odd."""

    text: str
    codec: str
    findings: tuple[Finding, ...] = ()


_CONTROL: Final = bytes(set(range(32)) - set(b"\r\n\x1b"))
_ASSUMED: Final = (Finding("charset_assumed", "MSH-18"),)
_UNKNOWN: Final = (Finding("charset_unknown", "MSH-18"),)
_MISMATCH: Final = (Finding("charset_mismatch", "MSH-18"),)


def control_characters(data: bytes) -> str:
    """Return ``nul_byte`` or ``control_char`` where the bytes hold such; else ``""``.

    CR and LF end segments, and ESC may switch sets (ISO 2022): neither counts.
    """
    if len(data.translate(None, _CONTROL)) == len(data):
        return ""
    return "nul_byte" if b"\0" in data else "control_char"


@lru_cache(maxsize=256)
def codec_for(name: str) -> str | None:
    """Return the Python codec for a table 0211 value or an alias; None if unknown.

    Examples:
        >>> codec_for("8859/15"), codec_for("iso-8859-1"), codec_for("KLINGON")
        ('iso8859-15', 'iso8859-1', None)
    """
    return _CODECS.get(_SIGNS.sub("", name.upper()))


def decode(data: bytes, declared: Sequence[str], fallback: str = "8859/1") -> Decoded:
    """Return the text of ``data``: the declared set, then what else can read it.

    Args:
        data: a whole message.
        declared: repetitions of MSH-18, or the channel's forced set; may be empty.
        fallback: table 0211 name for bytes that nothing else explains.
    """
    if not declared and data.isascii():
        return Decoded(data.decode("ascii"), "ascii")
    wanted, codecs = _candidates(tuple(declared), fallback)
    text, codec = _first_readable(data, codecs)
    if codec == wanted:
        return Decoded(text, codec)
    odd = _MISMATCH if wanted else _UNKNOWN if declared else _ASSUMED
    return Decoded(text, codec, odd)


def encode(text: str, codec: str, unrepresentable: str = "error") -> bytes:
    """Return ``text`` as bytes of the codec.

    Args:
        text: a whole message.
        codec: as `decode` gave it, or `codec_for`.
        unrepresentable: ``transliterate`` writes a character the set cannot hold
            without its accents; ``error`` never does.

    Raises:
        TransformError: ``unrepresentable``, a character has no place in the set.
    """
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        if unrepresentable == "transliterate":
            return encode(_transliterated(text, codec), codec)
        where = error.start
    raise TransformError(
        f"the character set {codec} cannot hold the character at offset {where}",
        code="unrepresentable",
    )


def _first_readable(data: bytes, codecs: Sequence[str]) -> tuple[str, str]:
    """Return text and codec; the last codec reads every byte."""
    for codec in codecs[:-1]:
        try:
            return data.decode(codec), codec
        except UnicodeDecodeError:
            continue
    return data.decode(codecs[-1]), codecs[-1]


@lru_cache(maxsize=256)
def _candidates(declared: Sequence[str], fallback: str) -> tuple[str, tuple[str, ...]]:
    """Return the declared codec, or ``""``, and all to try, ISO 8859-1 last.

    ISO 2022 sets may stand beside ASCII: then they are what counts. UTF-8 is tried
    before the other alternates: what is not UTF-8 hardly ever reads as UTF-8, while a
    double-byte set reads nearly everything.
    """
    codecs = [codec_for(name) or "" for name in declared]
    wanted = codecs[0] if codecs else ""
    if wanted == "ascii" and _JAPANESE in codecs:
        wanted = _JAPANESE
    others = ("utf-8", *_ALTERNATES.get(wanted, ()), codec_for(fallback) or "")
    return wanted, tuple(filter(None, (wanted, *others, "iso8859-1")))


def _transliterated(text: str, codec: str) -> str:
    """Return ``text`` with each character the codec lacks in its simplest form."""

    def simplest(character: str) -> str:
        try:
            character.encode(codec)
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFKD", character)
            return "".join(part for part in parts if not unicodedata.combining(part))
        return character

    return "".join(map(simplest, text))
