"""Doubts that two people read: on demand before a decision, or drawn after it.

*Four eyes*: who asks for a second person says what they think; nothing happens until
somebody else says the same. *Blind*: a share of all decisions is read again by one who
sees neither score nor first decision; nothing moves by it, the agreement is counted.

Functions that write take an index on a write transaction and never commit.

Spec:
    identity.md 11 and 13 (agreement of second reviewers); console.md S6, rules.
"""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, insert, select, update

from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.identity.registration import Category
from engine.identity.weights import Model
from engine.store import worklist
from engine.store.audit import Order
from engine.store.moves import person_of, written
from engine.store.patient_tables import LookKind, TaskState, second_look, task
from engine.store.patients import SqlPatientIndex
from engine.store.protection import shielded
from engine.store.rescoring import rescore
from engine.store.worklist import WHOLE, Scope, Task

BLIND_SHARE: Final = 0.05
_DRAWN_FROM: Final = frozenset({Category.DUPLICATE, Category.OVERLAP})
_PLACES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Practice:
    """How a site works its queue: by which model, and what share is read twice."""

    model: Model
    blind_share: float = BLIND_SHARE


@dataclass(frozen=True, slots=True)
class Look:
    """What two people said of a task; ``second_by`` is empty until the second did."""

    task: int
    kind: LookKind
    first_by: str
    first: str
    second_by: str
    second: str

    @property
    def waits(self) -> bool:
        """Whether a second person is still wanted."""
        return not self.second_by

    @property
    def agreed(self) -> bool:
        """Whether both said the same."""
        return self.second == self.first


def of_task(connection: Connection, number: int) -> Look | None:
    """Return what is known of a second look at a task."""
    wanted = select(
        second_look.c.kind,
        second_look.c.first_by,
        second_look.c.first,
        second_look.c.second_by,
        second_look.c.second,
    ).where(second_look.c.task == number)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else Look(number, LookKind(row.kind), *row[1:])


def is_blind(look: Look | None, reader: str) -> bool:
    """Whether somebody is to read a task without hearing what is known of it."""
    waits = look is not None and look.waits and look.kind is LookKind.BLIND
    return waits and look is not None and look.first_by != reader


def blinded(found: Task) -> Task:
    """Return a task as its second reader sees it: no score, no decision."""
    candidates = tuple(replace(each, bits=0.0) for each in found.candidates)
    return replace(
        found,
        state=TaskState.OPEN,
        candidates=candidates,
        decision="",
        decided_by="",
        decided_at=None,
        asked="",
    )


def waiting(
    connection: Connection, reader: str, *, confidential: bool = False
) -> list[int]:
    """Return the tasks that wait for a second person who may be this one."""
    wanted = (
        select(second_look.c.task)
        .join(task, task.c.id == second_look.c.task)
        .where(
            second_look.c.second_by == "",
            second_look.c.first_by != reader,
            task.c.state != TaskState.UNDONE,
        )
        .order_by(second_look.c.task)
    )
    found = list(connection.execute(wanted).scalars())
    hidden = frozenset() if confidential else shielded(connection, found)
    return [each for each in found if each not in hidden]


def propose(
    patients: SqlPatientIndex, number: int, ruling: Ruling, order: Order
) -> None:
    """Say what one thinks of an open task, and leave it to a second person.

    Raises:
        IllegalTransitionError: the task is not open, or a second person is wanted
            already.
    """
    found = worklist.shown(patients, number)
    if found.state is not TaskState.OPEN:
        raise IllegalTransitionError(f"task {number} is {found.state}, not open")
    if of_task(patients.connection, number) is not None:
        raise IllegalTransitionError(f"task {number} was given to two people already")
    _begin(patients, number, LookKind.FOUR_EYES, ruling, order)
    written(patients, order, f"propose {ruling}", f"task {number}")


def decide(
    patients: SqlPatientIndex,
    number: int,
    ruling: Ruling,
    order: Order,
    scope: Scope = WHOLE,
    *,
    practice: Practice,
) -> Task:
    """Decide a task as `worklist.decide_task` does, or be its second reader.

    A task that waits for four eyes is decided when both say the same; else it stays
    open and both may say it anew. A blind second reading changes nothing. After a
    decision the other doubts about these persons are scored again.

    Raises:
        IllegalTransitionError: the task is not open, or waits for somebody else.
    """
    look = of_task(patients.connection, number)
    if look is not None and look.waits:
        _second(patients, look, ruling, order)
        if look.kind is LookKind.BLIND or ruling != look.first:
            return worklist.shown(patients, number)
    done = worklist.decide_task(patients, number, ruling, order, scope)
    concerned = [done.record, *(each.record for each in done.candidates)]
    persons = {person_of(patients.connection, each) for each in concerned if each}
    rescore(patients, persons, practice.model)
    if look is None and _is_drawn(patients, done, practice):
        _begin(patients, number, LookKind.BLIND, ruling, order)
    return done


def _is_drawn(patients: SqlPatientIndex, done: Task, practice: Practice) -> bool:
    """Tell by lot, the same for a task every time, whether it is read twice."""
    if done.state is not TaskState.DECIDED or done.category not in _DRAWN_FROM:
        return False
    lot = patients.sealer.blind_number(f"second look|{done.id}") % _PLACES
    return lot < practice.blind_share * _PLACES


def _begin(
    patients: SqlPatientIndex,
    number: int,
    kind: LookKind,
    ruling: Ruling,
    order: Order,
) -> None:
    row = {
        "task": number,
        "kind": kind,
        "first_at": order.now,
        "first_by": order.actor,
        "first": ruling,
        "second_by": "",
        "second": "",
    }
    patients.connection.execute(insert(second_look), row)


def _second(
    patients: SqlPatientIndex, look: Look, ruling: Ruling, order: Order
) -> None:
    if order.actor == look.first_by:
        raise IllegalTransitionError(f"task {look.task} waits for somebody else")
    patients.connection.execute(
        update(second_look)
        .where(second_look.c.task == look.task)
        .values(second_at=order.now, second_by=order.actor, second=ruling)
    )
    written(patients, order, f"second {ruling}", f"task {look.task}")
