"""How a function call becomes one closure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from engine.transforms.scope import EditContext, Scope, Type, Value
from engine.transforms.terms import MAX_TEXT, Evaluate, Term

ReportFault = Callable[[int, str, str], None]
"""Take a fault: offset in the expression, sentence and hint."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is being compiled; its arguments have the right types."""

    name: str
    arguments: Sequence[Term]
    result: Type
    scope: Scope
    report: ReportFault

    def literal(self, index: int) -> str:
        """Return the text of an argument that is a literal, ``""`` when left out."""
        if index >= len(self.arguments):
            return ""
        value = self.arguments[index].value
        return value if isinstance(value, str) else ""

    def fault(self, index: int, sentence: str, hint: str = "") -> None:
        """Report what is wrong with one argument."""
        self.report(self.arguments[index].offset, sentence, hint)


Build = Callable[[Call], Evaluate | None]
"""Compiles a call; None after it reported a fault."""


def plainly(run: Callable[..., object]) -> Build:
    """Return how a call of a plain function over values is compiled.

    A missing number, date or list makes the result missing. ``run`` may return None for
    "cannot be read"; that leaves a note.
    """

    def build(call: Call) -> Evaluate:
        evaluates = [argument.evaluate for argument in call.arguments]
        missing = missing_of(call.result)

        def apply(context: EditContext) -> Value:
            values = [evaluate(context) for evaluate in evaluates]
            if None in values:
                return missing
            found = cast("Value", run(*values))
            if found is None or (isinstance(found, str) and len(found) > MAX_TEXT):
                if values[0] != "":
                    context.notes.append(f"{call.name}() gave no value")
                return missing
            return found

        return apply

    return build


def missing_of(kind: Type) -> Value:
    """Return what stands for a missing value of a type."""
    if kind is Type.TEXT:
        return ""
    if kind is Type.BOOLEAN:
        return False
    return [] if kind is Type.LIST else None
