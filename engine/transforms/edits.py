"""The edit steps: a closed vocabulary, each a function over one message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.transforms.expressions import Expression
from engine.transforms.scope import EditContext


class Ending(StrEnum):
    """How a step can end the processing of a message without an error."""

    DROP = "drop"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A step's word that the message goes no further: filtered, or held."""

    ending: Ending
    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class Step:
    """One compiled step. ``run`` edits ``context.message`` in place.

    ``line`` is its place, such as ``channels/adt.yaml:32``, shown in every trace.
    """

    name: str
    line: str
    run: Callable[[EditContext], Verdict | None] = field(repr=False, compare=False)
    when: Expression | None = None
    note: str = ""
    id: str = ""


def run_steps(steps: Sequence[Step], context: EditContext) -> Verdict | None:
    """Run steps in order; the verdict of the first that ends the message, or None.

    Raises:
        TransformError: a step could not do its work, or says so (``fail``).
    """
    for step in steps:
        if step.when is not None and step.when.evaluate(context) is not True:
            continue
        verdict = step.run(context)
        if verdict is not None:
            return verdict
    return None
