"""The words of the expression language, each with its place."""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from engine.transforms.faults import ExpressionFault


class Kind(StrEnum):
    """What a token is; operators and keywords are `MARK`, the end is `END`."""

    PATH = "path"
    TEXT = "text"
    NUMBER = "number"
    NAME = "name"
    MARK = "mark"
    END = "end"


class Token(NamedTuple):
    """One word: what it is, its text without quotes, and where it begins."""

    kind: Kind
    text: str
    offset: int


_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "if", "else"})
_WORD: Final = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<path>[A-Z][A-Z0-9]{2}(?:\[(?:\d{1,4}|\*)\])?-\d{1,4}"
    r"(?:\[(?:\d{1,4}|\*)\])?(?:\.\d{1,4}){0,2}(?![\w.]))"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<number>\d{1,30}(?:\.\d{1,30})?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<mark>==|!=|<=|>=|<|>|[()\[\],+-])",
    re.ASCII,
)
_DOTTED: Final = re.compile(
    r"(?P<segment>[A-Za-z][A-Za-z0-9]{2}(?:\[\d+\])?)[.-]"
    r"(?P<rest>\d+(?:\[(?:\d+|\*)\])?(?:\.\d+){0,2})(?![\w.])",
    re.ASCII,
)
_NO_PYTHON: Final = "expressions are small on purpose; use a Python step for more"
_HINTS: Final = {
    "=": ("'=' is not a comparison", "write == to compare"),
    "&": ("'&' is not an operator", "write and"),
    "|": ("'|' is not an operator", "write or"),
    "!": ("'!' is not an operator", "write not"),
    "*": ("there is no multiplication", "write scale(number, factor, digits)"),
    "/": ("there is no division", "write scale(number, factor, digits)"),
    '"': ("the text has no closing quote", 'write "text" in quotes of one kind'),
    "'": ("the text has no closing quote", 'write "text" in quotes of one kind'),
}


def tokens_of(text: str) -> tuple[list[Token], ExpressionFault | None]:
    """Return the words of an expression up to the first that cannot be one."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _DOTTED.match(text, position)
        if match and (match[0][3] == "." or match[0][0].islower()):
            better = f"{match['segment'].upper()}-{match['rest']}"
            fixed = (
                "; interop check --fix does it for you" if "." in match[0][:4] else ""
            )
            return found, ExpressionFault(
                position, f"'{match[0]}' is not an HL7 path", f"write {better}{fixed}",
                "CH210",
            )  # fmt: skip
        match = _WORD.match(text, position)
        if match is None:
            return found, _unreadable(text, position)
        if match.lastgroup != "space":
            found.append(_token(match, position))
        position = match.end()
    found.append(Token(Kind.END, "", len(text)))
    return found, None


def _token(match: "re.Match[str]", position: int) -> Token:
    kind, word = Kind(match.lastgroup or ""), match[0]
    if kind is Kind.TEXT:
        word = word[1:-1]
    elif kind is Kind.NAME and word in _KEYWORDS:
        kind = Kind.MARK
    return Token(kind, word, position)


def _unreadable(text: str, position: int) -> ExpressionFault:
    letter = text[position]
    sentence, hint = _HINTS.get(
        letter, (f"{letter!r} cannot stand in an expression", _NO_PYTHON)
    )
    return ExpressionFault(position, sentence, hint)
