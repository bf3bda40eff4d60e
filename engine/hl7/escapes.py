"""Escape sequences: what stands for a delimiter, a byte, a line break, another set."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import groupby
from types import MappingProxyType
from typing import Final

from engine.errors import TransformError
from engine.hl7.delimiters import Delimiters

_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "F": "field",
        "S": "component",
        "T": "subcomponent",
        "R": "repetition",
        "E": "escape",
        "P": "truncation",
    }
)
_HEX: Final = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_KEPT: Final = re.compile(
    r"[HN]|Z.*|\.(?:br|fi|nf|ce|(?:sp|sk)\d*|(?:in|ti)[+-]?\d*)", re.DOTALL
)
_SETS: Final[Mapping[str, tuple[bytes, str]]] = MappingProxyType(
    {
        "C2842": (b"", "ascii"),
        "C284A": (b"\x1b(J", "iso2022_jp"),
        "C2949": (b"", "shift_jis"),
        "C2D41": (b"", "iso8859-1"),
        "C2D42": (b"", "iso8859-2"),
        "C2D43": (b"", "iso8859-3"),
        "C2D44": (b"", "iso8859-4"),
        "C2D46": (b"", "iso8859-7"),
        "C2D47": (b"", "iso8859-6"),
        "C2D48": (b"", "iso8859-8"),
        "C2D4C": (b"", "iso8859-5"),
        "C2D4D": (b"", "iso8859-9"),
        "M2442": (b"\x1b$B", "iso2022_jp"),
        "M242844": (b"\x1b$(D", "iso2022_jp_2"),
    }
)
r"""What ``\C..\`` and ``\M..\`` switch to: the ISO 2022 designation and a codec.

The names are the bytes of the ISO 2022 escape sequence after ESC, in hexadecimal.
Katakana of JIS X 0201 (``C2949``) are the single bytes of Shift JIS.

Spec:
    HL7 v2.3 chapter 2, 2.9.2 Escape sequences supporting multiple character sets.
"""
_OWN_SET: Final = "C2842"


def decode(
    text: str,
    delimiters: Delimiters,
    codec: str = "utf-8",
    *,
    line_break: str = "",
) -> str:
    r"""Return ``text`` with its escape sequences resolved, strictly left to right.

    Formatting (``\.sp3\``, ``\H\``), local (``\Z..\``), broken and unknown sequences
    stay as they were written: no text is ever dropped.

    Args:
        text: one encoded leaf.
        delimiters: the message's own.
        codec: what bytes written in hexadecimal mean.
        line_break: what to put for ``\.br\``; empty keeps the sequence.

    Spec:
        HL7 v2.9 chapter 2, 2.7 Use of escape sequences in text fields.

    Examples:
        >>> marks = Delimiters("|", "^", "~", "\\", "&")
        >>> decode(r"a \T\ b \X41\ \.br\ C:\temp", marks)
        'a & b A \\.br\\ C:\\temp'
    """
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    parts: list[str] = []
    shift: tuple[bytes, str] | None = None
    for literal, name in _pieces(text, escape):
        parts.append(_shifted(literal, shift, codec) if shift else literal)
        if name is None:
            continue
        if name in _SETS:
            shift = _SETS[name]
        elif name == ".br" and line_break:
            parts.append(line_break)
        else:
            resolved = _resolve(name, delimiters, codec)
            parts.append(f"{escape}{name}{escape}" if resolved is None else resolved)
    return "".join(parts)


def is_broken(text: str, delimiters: Delimiters, codec: str = "utf-8") -> bool:
    """Whether an escape sequence of ``text`` is unclosed, unknown or malformed."""
    escape = delimiters.escape
    if not escape or escape not in text:
        return False
    names = [name for _, name in _pieces(text, escape)]
    return text.count(escape) % 2 == 1 or any(
        name is not None
        and name not in _SETS
        and not _KEPT.fullmatch(name)
        and _resolve(name, delimiters, codec) is None
        for name in names
    )


def encode(text: str, delimiters: Delimiters) -> str:
    r"""Return ``text`` so that no character of it is read as a delimiter.

    Raises:
        TransformError: it holds a delimiter, and the message defines no escape.

    Examples:
        >>> encode("a & b", Delimiters("|", "^", "~", "\\", "&"))
        'a \\T\\ b'
    """
    special, table = _writing(delimiters)
    if not special.search(text):
        return text
    if not delimiters.escape:
        raise TransformError(
            "the text holds a delimiter, and MSH-2 defines no escape character",
            code="unrepresentable",
        )
    return text.translate(table)


def spell(text: str, delimiters: Delimiters, codec: str) -> str:
    r"""Return encoded text with what ``codec`` cannot hold spelled by escapes.

    In ASCII that is ``\X..\`` with the bytes of UTF-8, elsewhere a ``\C..\`` or
    ``\M..\`` that switches to a set which has the character, and back. Nothing is
    written that `decode` would not read as the same character.

    Raises:
        TransformError: ``unrepresentable``, no escape stands for a character.

    Examples:
        >>> spell("Dvořák", Delimiters("|", "^", "~", "\\", "&"), "ascii")
        'Dvo\\XC599\\\\XC3A1\\k'
    """
    parts: list[str] = []
    escape = delimiters.escape
    chosen = partial(_set_for, delimiters=delimiters, codec=codec)
    for name, run in groupby(text, key=chosen):
        characters = "".join(run)
        if not name:
            parts.append(characters)
        elif name == "X":
            names = (f"X{each.encode().hex().upper()}" for each in characters)
            parts.extend(f"{escape}{each}{escape}" for each in names)
        else:
            shifted = "".join(_in_set(each, name, codec) for each in characters)
            parts.append(f"{escape}{name}{escape}{shifted}{escape}{_OWN_SET}{escape}")
    return "".join(parts)


def unspell(text: str, delimiters: Delimiters, codec: str) -> str:
    r"""Return encoded text in which no escape depends on the message's charset.

    ``\C..\`` and ``\M..\`` are resolved, and ``\X..\`` where it is no ASCII: before
    the text is written in another set, where their bytes would mean something else.
    """
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    parts: list[str] = []
    shift: tuple[bytes, str] | None = None
    for literal, name in _pieces(text, escape):
        parts.append(
            encode(_shifted(literal, shift, codec), delimiters) if shift else literal
        )
        if name is None:
            continue
        found = _resolve(name, delimiters, codec) if _HEX.fullmatch(name) else None
        if name in _SETS:
            shift = _SETS[name]
        elif found is None or found.isascii():
            parts.append(f"{escape}{name}{escape}")
        else:
            parts.append(encode(found, delimiters))
    return "".join(parts)


@lru_cache(maxsize=4096)
def _set_for(character: str, delimiters: Delimiters, codec: str) -> str:
    """Return the set that spells a character: ``""`` its own, ``X`` for hexadecimal."""
    if _holds(character, codec):
        return ""
    if delimiters.escape and codec == "ascii":
        return "X"
    marks = delimiters.field + delimiters.encoding_characters
    for name in _SETS if delimiters.escape else ():
        written = _in_set(character, name, codec)
        if written and not set(written) & set(marks):
            return name
    raise TransformError(
        f"no escape sequence stands for a character that {codec} lacks",
        code="unrepresentable",
    )


def _holds(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _in_set(character: str, name: str, codec: str) -> str:
    """Return a character's bytes in another set as text of ours; ``""`` if it cannot.

    Only what is read back as the same character counts.
    """
    designation, target = _SETS[name]
    try:
        data = character.encode(target).removesuffix(b"\x1b(B")
        written = data.removeprefix(designation).decode(codec)
    except UnicodeError:
        return ""
    if "\x1b" in written or (name.startswith("C") and len(written) != 1):
        return ""
    return written if _shifted(written, _SETS[name], codec) == character else ""


@lru_cache(maxsize=256)
def _writing(delimiters: Delimiters) -> tuple[re.Pattern[str], dict[int, str]]:
    """Return what must be escaped, and how."""
    escape = delimiters.escape
    table = {code: f"{escape}X{code:02X}{escape}" for code in range(32)}
    for name, role in _ROLES.items():
        if character := getattr(delimiters, role):
            table[ord(character)] = f"{escape}{name}{escape}"
    return re.compile("[" + re.escape("".join(map(chr, table))) + "]"), table


def _pieces(text: str, escape: str) -> Iterator[tuple[str, str | None]]:
    """Cut into literal text and the sequence after it; at the end that is None."""
    position = 0
    while (start := text.find(escape, position)) >= 0:
        end = text.find(escape, start + 1)
        if end < 0:
            break
        yield text[position:start], text[start + 1 : end]
        position = end + 1
    yield text[position:], None


def _resolve(name: str, delimiters: Delimiters, codec: str) -> str | None:
    """Return what a sequence stands for; None where it stays as it is."""
    if name in _ROLES:
        return getattr(delimiters, _ROLES[name]) or None
    if not _HEX.fullmatch(name):
        return None
    data = bytes.fromhex(name[1:])
    if len(data) == 1 and data.isascii():
        return chr(data[0])
    try:
        return data.decode("utf-8" if codec == "ascii" else codec)
    except UnicodeDecodeError:
        return None


def _shifted(literal: str, shift: tuple[bytes, str], codec: str) -> str:
    """Return text whose bytes belong to another set than the message's."""
    designation, target = shift
    try:
        return (designation + literal.encode(codec)).decode(target)
    except UnicodeError:
        return literal
