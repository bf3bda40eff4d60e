"""The channel's expression language, compiled once into one typed closure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.transforms.scope import EditContext, Type, Value


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """Something wrong with an expression: where (offset in its text) and what."""

    offset: int
    sentence: str
    hint: str = ""
    code: str = "CH200"


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. ``evaluate`` never raises, whatever the message holds.

    ``constant`` tells that the value is the same for every message. ``names`` are the
    context names it uses, ``paths`` its HL7 paths and ``tables`` its code tables.
    """

    text: str
    type: Type
    evaluate: Callable[[EditContext], Value] = field(repr=False, compare=False)
    constant: bool = False
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
