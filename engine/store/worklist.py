"""The mismatch queue: doubts about who is who, decided by people and taken back.

Functions that write take an index on a write transaction and never commit.

Spec:
    identity.md 8 and 11, worklist.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from typing import Final

from sqlalchemy import Connection, func, or_, select, update

from engine.errors import IllegalTransitionError
from engine.identity.decision import Reason, Ruling
from engine.identity.person import LinkKind
from engine.identity.registration import Category
from engine.store import links, messages, tasks
from engine.store.audit import Order
from engine.store.holding import HELD_BY_PERSON
from engine.store.message_state import MessageState
from engine.store.moves import event_of, person_of, written
from engine.store.patient_tables import TaskState, record, task, task_candidate
from engine.store.patients import SqlPatientIndex, mint
from engine.store.schema import Found
from engine.store.tables import journal_message, message

JOINING: Final = frozenset({Category.DUPLICATE, Category.OVERLAP})
"""Doubts whether two persons are one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One record a doubt is about, and how likely the two are one person (bits)."""

    record: int
    person: str
    bits: float


@dataclass(frozen=True, slots=True)
class Task:
    """One entry of the mismatch queue.

    ``evidence`` is the data of the doubt as of its creation (PHI), empty in lists.
    ``asked`` says what an open task waits for: ``unsure`` for registration to look,
    ``source`` for a merge at the source.
    """

    id: int
    category: Category
    reason: Reason
    state: TaskState
    record: int
    person: str
    message: int
    held: bool
    opened_at: datetime
    assignee: str
    decision: str
    decided_by: str
    decided_at: datetime | None
    candidates: tuple[Candidate, ...]
    due_at: datetime | None = None
    asked: str = ""
    evidence: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a task a decision is about.

    ``candidates`` are records, all when there are none. ``survivor`` is the enterprise
    identifier that goes on when persons become one; else that of the candidate.
    """

    candidates: Collection[int] = ()
    survivor: str = ""


WHOLE: Final = Scope()


# -- the queue -------------------------------------------------------------------------


def open_counts(connection: Connection) -> dict[str, int]:
    """Return how many tasks are open in each category."""
    statement = (
        select(task.c.category, func.count())
        .where(task.c.state == TaskState.OPEN)
        .group_by(task.c.category)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def open_since(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """Return of each category how many tasks are open, and since when the oldest."""
    statement = (
        select(task.c.category, func.count(), func.min(task.c.opened_at))
        .where(task.c.state == TaskState.OPEN)
        .group_by(task.c.category)
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(statement)}


def oldest_by_channel(connection: Connection) -> dict[str, datetime]:
    """Return since when the oldest open task of each channel is open."""
    statement = (
        select(journal_message.c.channel, func.min(task.c.opened_at))
        .join(journal_message, journal_message.c.id == task.c.message)
        .where(task.c.state == TaskState.OPEN)
        .group_by(journal_message.c.channel)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def oldest_open(connection: Connection) -> datetime | None:
    """Return when the oldest open task was opened."""
    statement = select(func.min(task.c.opened_at)).where(task.c.state == TaskState.OPEN)
    found: datetime | None = connection.execute(statement).scalar()
    return found


def listed(
    connection: Connection,
    *,
    category: Category | None = None,
    state: TaskState = TaskState.OPEN,
    after: int = 0,
    limit: int = 100,
    urgent: bool = False,
) -> list[Task]:
    """Return tasks without their evidence.

    The oldest come first; with ``urgent`` those that hold messages, then those due.
    """
    order = (task.c.held.desc(), task.c.due_at.is_(None), task.c.due_at)
    statement = (
        select(task)
        .where(task.c.state == state, task.c.id > after)
        .order_by(*(order if urgent else ()), task.c.id)
        .limit(limit)
    )
    if category is not None:
        statement = statement.where(task.c.category == category)
    return [_task(connection, row) for row in connection.execute(statement).all()]


def about(connection: Connection, records: Collection[int]) -> list[Task]:
    """Return the open tasks that name one of these records, the oldest first."""
    statement = (
        select(task)
        .distinct()
        .outerjoin(task_candidate, task_candidate.c.task == task.c.id)
        .where(
            task.c.state == TaskState.OPEN,
            or_(task.c.record.in_(records), task_candidate.c.record.in_(records)),
        )
        .order_by(task.c.id)
    )
    return [_task(connection, row) for row in connection.execute(statement).all()]


def shown(patients: SqlPatientIndex, number: int) -> Task:
    """Return one task with its evidence.

    Raises:
        IllegalTransitionError: there is no such task.
    """
    row = patients.connection.execute(
        select(task).where(task.c.id == number)
    ).one_or_none()
    if row is None:
        raise IllegalTransitionError(f"there is no task {number}")
    evidence = patients.sealer.open(row.evidence, f"task|{number}")
    return replace(_task(patients.connection, row), evidence=json.loads(evidence))


def _task(connection: Connection, row: Found) -> Task:
    candidates = connection.execute(
        select(task_candidate.c.record, record.c.person, task_candidate.c.millibits)
        .join(record, record.c.id == task_candidate.c.record)
        .where(task_candidate.c.task == row.id)
        .order_by(task_candidate.c.millibits.desc(), task_candidate.c.record)
    )
    return Task(
        row.id,
        Category(row.category),
        Reason(row.reason),
        TaskState(row.state),
        row.record,
        row.person,
        row.message,
        bool(row.held),
        row.opened_at,
        row.assignee,
        row.decision,
        row.decided_by,
        row.decided_at,
        tuple(Candidate(each[0], each[1], each[2] / 1000) for each in candidates),
        row.due_at,
        row.asked,
    )


def assign(connection: Connection, number: int, assignee: str) -> None:
    """Give a task to somebody."""
    connection.execute(
        update(task).where(task.c.id == number).values(assignee=assignee)
    )


# -- deciding --------------------------------------------------------------------------


def decide_task(
    patients: SqlPatientIndex,
    number: int,
    ruling: Ruling,
    order: Order,
    scope: Scope = WHOLE,
) -> Task:
    """Carry out what a person decided about a task; return the task as it is then.

    Args:
        patients: an index on a write transaction.
        number: of the task.
        ruling: same person, or different people. For an overlay, whether the message
            speaks of the person the record is about; for a conflicting merge, whether
            the notice is right.
        order: who decides, when and why.
        scope: what of the task it is about. A task with candidates nobody has
            decided about stays open.

    Raises:
        IllegalTransitionError: the task is not open, or a survivor was named where
            there can be none.
    """
    found = shown(patients, number)
    if found.state is not TaskState.OPEN:
        raise IllegalTransitionError(f"task {number} is {found.state}, not open")
    chosen = set(scope.candidates) or {each.record for each in found.candidates}
    unknown = chosen - {each.record for each in found.candidates}
    if unknown:
        raise IllegalTransitionError(f"task {number} is not about records {unknown}")
    _expect_survivor(patients, found, ruling, chosen, scope.survivor)
    if _joins(found, ruling):
        for each in sorted(chosen):
            _join(patients, found, each, order, scope.survivor)
    elif ruling is Ruling.DIFFERENT and found.record:
        for each in sorted(chosen - {found.record}):
            _part(patients, found, each, order)
    connection = patients.connection
    if found.category not in JOINING or not tasks.undecided(connection, number):
        close(patients, found, ruling, order)
    look_at_others(patients, found, order)
    return shown(patients, number)


def look_at_others(patients: SqlPatientIndex, found: Task, order: Order) -> None:
    """Close the related tasks that a decision has answered."""
    connection = patients.connection
    persons = {person_of(connection, each) for each in records_in(found)}
    tasks.close_answered(connection, persons, order.actor, order.now)


def _joins(found: Task, ruling: Ruling) -> bool:
    """Whether a decision joins persons at once; held messages do it themselves."""
    if ruling is not Ruling.SAME:
        return False
    told = found.category is Category.CONFLICTING_MERGE and not found.held
    claimed = found.reason is Reason.IDENTIFIER_CONFLICT
    return found.category in JOINING or told or claimed


def _expect_survivor(
    patients: SqlPatientIndex,
    found: Task,
    ruling: Ruling,
    chosen: Collection[int],
    survivor: str,
) -> None:
    if not survivor:
        return
    if not _joins(found, ruling):
        sentence = f"task {found.id} joins nobody so: there is no survivor to choose"
        raise IllegalTransitionError(sentence)
    numbers = [found.record, *chosen]
    if survivor not in {person_of(patients.connection, each) for each in numbers}:
        sentence = f"{survivor} is none of the persons that task {found.id} is about"
        raise IllegalTransitionError(sentence)


def survivor_of(found: Task) -> str:
    """Return who goes on when *same person* is said and nobody is chosen.

    It is ``""`` where that joins nobody at once.
    """
    if not (found.candidates and _joins(found, Ruling.SAME)):
        return ""
    return max(found.candidates, key=lambda each: each.record).person


def _join(
    patients: SqlPatientIndex,
    found: Task,
    candidate: int,
    order: Order,
    survivor: str,
) -> None:
    source = person_of(patients.connection, found.record)
    target = person_of(patients.connection, candidate)
    if source == target:
        return
    if source == survivor:
        source, target = target, source
    event = event_of(order, LinkKind.MERGE, found.id)
    links.merge(patients, source, target, event)
    written(patients, order, "merge", f"person {target}")


def _part(patients: SqlPatientIndex, found: Task, candidate: int, order: Order) -> None:
    """Tell the two persons apart, record by record."""
    connection = patients.connection
    persons = [person_of(connection, each) for each in (found.record, candidate)]
    state = links.membership(connection, persons)
    for pair in product(*(state.records_of(each) for each in persons)):
        if pair[0] != pair[1]:
            event = event_of(order, LinkKind.DIFFERENT, found.id)
            links.append(patients, replace(event, records=pair))
    written(patients, order, "different", f"record {found.record}")


def close(patients: SqlPatientIndex, found: Task, ruling: str, order: Order) -> None:
    """Close a task with what was said of it; release the message it held."""
    tasks.close(patients.connection, [found.id], ruling, order.actor, order.now)
    note = patients.sealer.seal(order.reason.encode(), f"note|{found.id}")
    patients.connection.execute(
        update(task).where(task.c.id == found.id).values(note=note)
    )
    written(patients, order, f"decide {ruling}", f"task {found.id}")
    waits = patients.connection.execute(
        select(message.c.id).where(
            message.c.id == found.message,
            message.c.state == MessageState.HELD,
            message.c.code != HELD_BY_PERSON,
        )
    ).first()
    if found.held and waits and not _still_held(patients, found):
        messages.release(patients.connection, patients.sealer, [found.message], order)


def _still_held(patients: SqlPatientIndex, found: Task) -> bool:
    """Whether another open task holds the same message."""
    statement = select(task.c.id).where(
        task.c.message == found.message,
        task.c.state == TaskState.OPEN,
        task.c.held == 1,
    )
    return patients.connection.execute(statement).first() is not None


def records_in(found: Task) -> list[int]:
    """Return the records that a doubt names, the one in doubt first."""
    return [
        each for each in (found.record, *(c.record for c in found.candidates)) if each
    ]


def undo_task(patients: SqlPatientIndex, number: int, order: Order) -> Task:
    """Take back what a decided task led to; the task becomes *undone*.

    Raises:
        IllegalTransitionError: the task is not decided, or its events cannot be taken
            back any more.
    """
    found = shown(patients, number)
    if found.state is not TaskState.DECIDED:
        raise IllegalTransitionError(f"task {number} is {found.state}, not decided")
    for each in reversed(links.standing(patients.connection, number)):
        event = replace(event_of(order, each.kind, number), target=mint())
        links.undo(patients, each.number, event)
    patients.connection.execute(
        update(task).where(task.c.id == number).values(state=TaskState.UNDONE)
    )
    written(patients, order, "undo", f"task {number}")
    return shown(patients, number)
