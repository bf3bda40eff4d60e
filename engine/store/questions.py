"""Two persons compared, and the question whether they are one put to the queue.

A person who thinks so makes a task of it: nothing is joined before somebody decided.

Spec:
    console.md S7 (compare with); identity.md 10 and 11, worklist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import IllegalTransitionError
from engine.identity.explanation import Line, explain, headline
from engine.identity.index import SourceRecord
from engine.identity.matching import Match, counted, likeness
from engine.identity.placeholders import meant
from engine.identity.weights import Model
from engine.store import links, task_work, tasks, worklist
from engine.store.audit import Order
from engine.store.moves import written
from engine.store.patients import SqlPatientIndex

MOST: Final = 50
"""Records of one person that are compared; who has more is looked at otherwise."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The two records of two persons that speak most for one, and why."""

    record: SourceRecord
    match: Match
    lines: tuple[Line, ...]

    @property
    def bits(self) -> float:
        """Return how likely the two persons are one."""
        return self.match.bits

    @property
    def headline(self) -> str:
        """Return what speaks most for and against, in a sentence."""
        return headline(self.lines)


def compared(patients: SqlPatientIndex, one: str, other: str, model: Model) -> Compared:
    """Return how two persons compare, by all records of both.

    Raises:
        IllegalTransitionError: one of them has no record.
    """
    theirs = patients.members(other)[:MOST]
    own = patients.members(one)[:MOST] if theirs else []
    found = [(each, _likeness(each, theirs, patients, model)) for each in own]
    if not found:
        raise IllegalTransitionError("one of the two persons has no record")
    record, best = max(found, key=lambda each: each[1].bits)
    return Compared(record, best, explain(record.traits, best, model))


def _likeness(
    record: SourceRecord,
    theirs: Sequence[SourceRecord],
    patients: SqlPatientIndex,
    model: Model,
) -> Match:
    traits = meant(record.traits, patients)
    return likeness(traits, theirs, counted(traits, patients, model), model)


def asked_already(patients: SqlPatientIndex, one: str, other: str) -> int:
    """Return the open task about both persons, 0 where there is none."""
    own = [each.number for each in patients.members(one)]
    theirs = {each.number for each in patients.members(other)}
    return next(
        (
            each.id
            for each in worklist.about(patients.connection, own)
            if theirs & {each.record, *(c.record for c in each.candidates)}
        ),
        0,
    )


def told_apart(patients: SqlPatientIndex, one: str, other: str) -> bool:
    """Whether somebody said that records of the two are different people's."""
    theirs = {each.number for each in patients.members(other)}
    return any(
        theirs & patients.told_apart(each.number, each.traits)
        for each in patients.members(one)
    )


def ask(
    patients: SqlPatientIndex, one: str, other: str, order: Order, model: Model
) -> int:
    """Open a task that asks whether two persons are one; return its number.

    Why somebody thinks so is kept as a comment of the task.

    Raises:
        IllegalTransitionError: they are one, it is asked already, or somebody said
            that they are different people and that still holds.
    """
    one = links.resolved(patients.connection, one)
    other = links.resolved(patients.connection, other)
    if not order.reason.strip():
        raise IllegalTransitionError("a question needs a reason")
    if one == other:
        raise IllegalTransitionError("they are one person already")
    if number := asked_already(patients, one, other):
        raise IllegalTransitionError(f"task {number} asks that already")
    if told_apart(patients, one, other):
        sentence = "somebody said that they are different people: take that back first"
        raise IllegalTransitionError(sentence)
    found = compared(patients, one, other, model)
    number = tasks.open_question(
        patients, found.record, found.match, model.version, order.now
    )
    task_work.comment(patients, number, order)
    written(patients, order, "ask", f"task {number}")
    return number
