"""The conditions of the guide's tables: ``IF PV1-45 NOT VALUED``, ``IN (...)``.

Spec:
    fhir.md section 10; T36 for conditions that are not balanced.
"""

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

Read: TypeAlias = Callable[[str], list[str]]
"""From a field or component (``PV1-45``, ``XTN.3``, ``PID``) to its repetitions."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<list>(?i:LST\.COUNT))|(?P<path>[A-Z][A-Z0-9]{1,2}(?:[-.]\d+(?:\.\d+)?)?(?![A-Za-z0-9\"]))"
    r"|(?P<text>\"[^\"]*\")|(?P<number>\d+)|(?P<mark>[(),=<>])|(?P<word>[A-Za-z.]+))"
)
_WORDS: Final = frozenset(
    ("IF", "AND", "OR", "NOT", "IS", "IN", "VALUED", "VALUE", "EQUALS", "EQUAL", "TO",
     "DOES", "EXIST", "EMPTY", "LST.COUNT", "COUNT", "LENGTH", "GREATER", "LESS",
     "THAN", "=", "<", ">", "(", ")", ",")
)  # fmt: skip
_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = MappingProxyType(
    {
        "=": operator.eq,
        "EQUALS": operator.eq,
        ">": operator.gt,
        "<": operator.lt,
        "GREATER THAN": operator.gt,
        "LESS THAN": operator.lt,
        "LESS THAN OR EQUALS": operator.le,
        "GREATER THAN OR EQUALS": operator.ge,
    }
)


def holds(condition: str, read: Read) -> bool | None:
    """Tell whether a condition is true of a message; None where it cannot be read.

    Examples:
        >>> holds('IF PV1-2 IN ("I", "E")', {"PV1-2": ["E"]}.__getitem__)
        True
        >>> holds("IF the sender says so", {}.get) is None
        True
    """
    if not condition:
        return True
    tokens = _tokens(condition)
    if tokens is None:
        return None
    try:
        parser = _Parser(tokens, read)
        answer = parser.either()
    except (IndexError, KeyError, ValueError):
        return None
    return answer if parser.done else None


def _tokens(text: str) -> list[str] | None:
    found: list[str] = []
    end = 0
    text = text.rstrip()
    while end < len(text):
        token = _TOKEN.match(text, end)
        if token is None:
            return None
        end = token.end()
        word = token[0].strip()
        if (
            token["list"]
            or token["word"]
            or (token["path"] and word in ("IF", "IS", "IN", "OR", "TO"))
        ):
            word = word.upper()
            if word not in _WORDS:
                return None
        if word != "IF":  # the guide repeats it before every part
            found.append(word)
    return found


class _Parser:
    """Reads one condition from left to right, AND before OR."""

    def __init__(self, tokens: list[str], read: Read) -> None:
        self._tokens = tokens
        self._read = read

    @property
    def done(self) -> bool:
        """Whether nothing but closing brackets is left."""
        return not [each for each in self._tokens if each != ")"]

    def either(self) -> bool:
        answer = self._both()
        while self._took("OR"):
            answer = self._both() or answer
        return answer

    def _both(self) -> bool:
        answer = self._one()
        while self._took("AND"):
            answer = self._one() and answer
        return answer

    def _one(self) -> bool:
        if self._took("("):
            answer = self.either()
            self._took(")")
            return answer
        path = self._tokens.pop(0)
        values = [value for value in self._read(path) if value]
        if self._took("LST.COUNT") or self._took("COUNT"):
            return self._compared(len(values))
        if self._took("LENGTH"):
            return self._compared(len(values[0]) if values else 0)
        return self._said_of(values[0] if values else "")

    def _said_of(self, value: str) -> bool:
        """Read what is said of a value: valued, equal, one of a list, or not."""
        positive = True
        while self._next in ("IS", "NOT", "DOES"):
            positive ^= self._tokens.pop(0) == "NOT"
        if self._took("VALUED") or self._took("VALUE") or self._took("EXIST"):
            return bool(value) is positive
        if self._took("EMPTY"):
            return bool(value) is not positive
        if self._next in ("AND", "OR", ")", ""):
            return self._borrowed(value)
        if self._took("IN"):
            return (value in self._list()) is positive
        for word in ("EQUALS", "EQUAL", "TO", "="):
            self._took(word)
        return (value == self._text()) is positive

    def _borrowed(self, value: str) -> bool:
        """Read ``PV1-3.2 OR PV1-3.3 VALUED``: the first borrows the second's word."""
        return bool(value) is not ("NOT" in self._tokens and self._next == "AND")

    def _compared(self, number: int) -> bool:
        words: list[str] = []
        while not self._next.isdigit():
            words.append(self._tokens.pop(0))
        return _COMPARE[" ".join(words)](number, int(self._tokens.pop(0)))

    def _list(self) -> list[str]:
        found: list[str] = []
        if not self._took("("):
            raise ValueError
        while not self._took(")"):
            found.append(self._text())
            self._took(",")
        return found

    def _text(self) -> str:
        word = self._tokens.pop(0)
        if word[0] != '"':
            raise ValueError
        return word.strip('"')

    @property
    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _took(self, word: str) -> bool:
        if self._next == word:
            del self._tokens[0]
            return True
        return False
