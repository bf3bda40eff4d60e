"""Escape sequences: what stands for a delimiter, a byte or a line break."""

import re
from typing import Final

from engine.hl7.delimiters import Delimiters

_ROLES: Final = {"F": "field", "S": "component", "T": "subcomponent", "R": "repetition"}
_HEX: Final = re.compile(r"X(?:[0-9A-Fa-f]{2})+")


def decode(text: str, delimiters: Delimiters, codec: str = "utf-8") -> str:
    r"""Return ``text`` with its escape sequences resolved, left to right.

    What is not a known sequence stays as it was written.

    Examples:
        >>> decode(r"a \T\ b", Delimiters("|", "^", "~", "\\", "&"))
        'a & b'
    """
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    parts: list[str] = []
    position = 0
    while (start := text.find(escape, position)) >= 0:
        end = text.find(escape, start + 1)
        if end < 0:
            break
        parts.append(text[position:start])
        parts.append(_resolve(text[start + 1 : end], delimiters, codec))
        position = end + 1
    parts.append(text[position:])
    return "".join(parts)


def _resolve(name: str, delimiters: Delimiters, codec: str) -> str:
    if name == "E":
        return delimiters.escape
    if role := _ROLES.get(name):
        return str(getattr(delimiters, role))
    if _HEX.fullmatch(name):
        try:
            return bytes.fromhex(name[1:]).decode(codec)
        except UnicodeDecodeError:
            pass
    return f"{delimiters.escape}{name}{delimiters.escape}"


def encode(text: str, delimiters: Delimiters) -> str:
    r"""Return ``text`` so that no character of it is read as a delimiter.

    Examples:
        >>> encode("a & b", Delimiters("|", "^", "~", "\\", "&"))
        'a \\T\\ b'
    """
    escape = delimiters.escape
    if not escape:
        return text
    table = {ord(escape): f"{escape}E{escape}"}
    for name, role in _ROLES.items():
        if character := getattr(delimiters, role):
            table[ord(character)] = f"{escape}{name}{escape}"
    table.update({code: f"{escape}X{code:02X}{escape}" for code in range(32)})
    return text.translate(table)
