"""Which values fit where: the typing of the expression language."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.transforms.scope import Type
from engine.transforms.terms import Term, as_text

PATH, LITERAL, VALUE = "path", "literal", "value"
_AS_TEXT: Final = frozenset({Type.NUMBER, Type.DATE, Type.DATETIME})
_HINTS: Final[Mapping[tuple[str, Type], str]] = MappingProxyType(
    {
        (Type.NUMBER, Type.TEXT): "write number(…) around it",
        (Type.DATE, Type.TEXT): "write date(…) around it",
        (Type.DATETIME, Type.TEXT): "write datetime(…) around it",
        (Type.DATETIME, Type.DATE): "a date has no time of day",
        (Type.BOOLEAN, Type.TEXT): "write exists(PATH) or compare it with ==",
        (Type.LIST, Type.TEXT): "write [*] as in PID-3[*].1",
        (Type.TEXT, Type.LIST): "write first(…) around it, or [1] for [*]",
        (Type.TEXT, Type.BOOLEAN): 'write "Y" if … else "N"',
    }
)
_WORDS: Final = {
    PATH: "write an HL7 path such as PID-5.1",
    LITERAL: "write it here, in quotes",
    VALUE: 'write "Y" if … else "N"',
}


def fitting(term: Term, wanted: str) -> Term | str:
    """Return the term as ``wanted`` needs it, or a hint why it does not fit."""
    if not term.known or wanted in (term.type, Type.ANY):
        return term
    if wanted in _WORDS:
        return term if _plays(term, wanted) else _WORDS[wanted]
    if wanted == Type.TEXT and term.type in _AS_TEXT:
        return as_text(term)
    if wanted == Type.DATE and term.type is Type.DATETIME:
        return term
    return _HINTS.get((wanted, term.type), f"this is {term.type}")


def _plays(term: Term, part: str) -> bool:
    if part == PATH:
        return term.path is not None
    if part == LITERAL:
        return term.literal and term.type is Type.TEXT
    return term.type not in (Type.BOOLEAN, Type.LIST, Type.REFERENCE)
