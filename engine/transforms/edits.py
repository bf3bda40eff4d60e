"""The edit steps of a channel: what they are, how they run, how they end a message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from engine.errors import TransformError
from engine.hl7 import Finding
from engine.transforms.expressions import Expression
from engine.transforms.places import holds, settled
from engine.transforms.scope import EditContext, PythonCall
from engine.transforms.terms import text_of

SLOW_SECONDS: Final = 0.05
TOO_SLOW_SECONDS: Final = 10 * SLOW_SECONDS


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


Run = Callable[[EditContext], Verdict | None]
"""What a step does: edit ``context.message`` in place."""


@dataclass(frozen=True, slots=True)
class Step:
    """One compiled step.

    ``line`` is its place, such as ``channels/adt.yaml:32``, shown in every trace;
    ``id`` and ``note`` are the analyst's. A Python step has its own time limit
    (``timed`` is false).
    """

    name: str
    line: str
    run: Run = field(repr=False, compare=False)
    when: Expression | None = None
    note: str = ""
    id: str = ""
    timed: bool = True


def run_steps(steps: Sequence[Step], context: EditContext) -> Verdict | None:
    """Run steps in order; the verdict of the first that ends the message, or None.

    Raises:
        TransformError: a step could not do its work, or says so (``fail``).
    """
    clock = context.clock
    for step in steps:
        started = clock() if clock else 0.0
        if not holds(step.when, context):
            continue
        verdict = step.run(context)
        if clock and step.timed:
            _judge_time(step, clock() - started, context)
        if verdict is not None:
            return verdict
    return None


def _judge_time(step: Step, seconds: float, context: EditContext) -> None:
    if seconds > TOO_SLOW_SECONDS:
        raise TransformError(f"step {step.line} took too long", "step-too-slow")
    if seconds > SLOW_SECONDS:
        context.findings.append(Finding("slow_step", text=step.line))


def drop(reason: str, line: str) -> Run:
    """Return ``drop``: the message becomes filtered with this reason."""
    return lambda _context: Verdict(Ending.DROP, reason, line)


def hold(reason: str, line: str) -> Run:
    """Return ``hold``: the message waits for a person."""
    return lambda _context: Verdict(Ending.HOLD, reason, line)


def fail(sentence: str, label: str) -> Run:
    """Return ``fail``: the message becomes an error with this sentence."""

    def run(_context: EditContext) -> None:
        raise TransformError(sentence, "failed-by-step", label)

    return run


def flag(text: str, line: str) -> Run:
    """Return ``flag``: a finding on the message, shown and counted."""

    def run(context: EditContext) -> None:
        context.findings.append(Finding("flagged_by_step", line, text))

    return run


def index(name: str, value: Expression) -> Run:
    """Return ``index``: a search key for the console."""

    def run(context: EditContext) -> None:
        context.index_keys[name] = text_of(settled(value, context))

    return run


def python(call: PythonCall) -> Run:
    """Return ``python``: a site's own function, run where the caller says."""

    def run(context: EditContext) -> None:
        if context.run_python is None:
            raise TransformError("Python steps cannot run here", "python-unavailable")
        context.run_python(call, context)

    return run


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of ``choose``; without ``when`` it is always taken."""

    when: Expression | None
    steps: tuple[Step, ...]


def choose(branches: Sequence[Branch]) -> Run:
    """Return ``choose``: the first branch whose condition is true."""

    def run(context: EditContext) -> Verdict | None:
        for branch in branches:
            if holds(branch.when, context):
                return run_steps(branch.steps, context)
        return None

    return run
