"""What every edit step may carry, and how a step as it is written is compiled."""

from dataclasses import dataclass
from typing import Annotated

from engine.channels.format import kinds
from engine.hl7 import Path
from engine.transforms.edits import Run
from engine.transforms.expressions import Expression
from engine.transforms.scope import Loop, Scope, Type

Problem = tuple[str, str, str]
"""A key whose value cannot be, the sentence and the hint."""


def literal(text: str) -> Expression:
    """Return the expression that gives a fixed text."""
    return Expression(text, Type.TEXT, lambda _context: text, constant=True)


def loop_of(head: object) -> Loop | None:
    """Return the loop that the first key of a step opens."""
    if isinstance(head, Path):
        return Loop(head.segment, head.field)
    return Loop(head) if isinstance(head, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What every step may carry."""

    when: Annotated[
        Expression | None, kinds.CONDITION, "the step runs only when this is true"
    ] = None
    note: Annotated[str, kinds.TEXT, "text for people"] = ""
    id: Annotated[str, kinds.NAME, "stable name for traces and the console"] = ""

    def build(self, scope: Scope) -> Run:
        """Return what the step does."""
        raise NotImplementedError

    def problems(self, _scope: Scope) -> list[Problem]:
        """Return what is wrong with values that are right one by one."""
        return []
