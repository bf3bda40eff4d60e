"""Escape sequences: what stands for a delimiter, a byte, a line break, another set."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
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

The names are the bytes of the ISO 2022 escape sequence after ESC, in hexadecimal;
confirm clause: the table itself was not read in the standard.
"""


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
