"""Doubts answered by moving records, and decisions that are carried out together.

A record that stands under the wrong person goes to another one, or off to a new person
where one person holds two (an overlay). It is a decision about the doubt like any
other: previewed, staged, audited and taken back.

Functions take an index on a write transaction and never commit.

Spec:
    identity.md 8 and 11, worklist; console.md S6, decisions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.identity.index import SourceRecord
from engine.identity.person import LinkKind
from engine.store import links, second_looks, task_work, worklist
from engine.store.audit import Order
from engine.store.moves import Request, move, person_of
from engine.store.patient_tables import LookKind, TaskState
from engine.store.patients import SqlPatientIndex
from engine.store.rescoring import rescore
from engine.store.second_looks import Practice
from engine.store.worklist import JOINING, Scope, Task


@dataclass(frozen=True, slots=True)
class Staged:
    """A decision that was prepared: for a task a ruling, or a move instead of one.

    ``survivor`` is who goes on where two are one person, if somebody chose.
    """

    task: int
    ruling: Ruling | None = None
    candidates: tuple[int, ...] = ()
    request: Request | None = None
    survivor: str = ""


def request_of(records: Collection[int], target: str = "") -> Request:
    """Return the move of records to a person; without one, to a new person."""
    kind = LinkKind.LINK if target else LinkKind.SPLIT
    return Request(kind, tuple(sorted(set(records))), target=target)


def decide_all(
    patients: SqlPatientIndex,
    staged: Sequence[Staged],
    order: Order,
    practice: Practice,
    *,
    confidential: bool,
) -> list[Task]:
    """Carry out decisions that were staged, in order; all of them or none.

    A task that an earlier decision of the list has answered is passed over.

    Raises:
        IllegalTransitionError: one of them is not possible; nothing may be committed.
    """
    done: list[Task] = []
    for each in staged:
        found = worklist.shown(patients, each.task)
        if done and found.state is TaskState.DECIDED:
            continue
        if each.request is not None:
            decide_by_move(
                *(patients, each.task, each.request, order, practice),
                confidential=confidential,
            )
        elif each.ruling is not None:
            second_looks.decide(
                *(patients, each.task, each.ruling, order),
                Scope(each.candidates, each.survivor),
                practice=practice,
            )
        done.append(worklist.shown(patients, each.task))
    return done


def decide_by_move(
    patients: SqlPatientIndex,
    number: int,
    request: Request,
    order: Order,
    practice: Practice,
    *,
    confidential: bool,
) -> Task:
    """Answer a task by moving records: to another person, or off to a new one.

    The task stays open where its message would only be held again by the same doubt.
    Afterwards the other doubts about all persons concerned are scored again.

    Args:
        patients: an index on a write transaction.
        number: of the task.
        request: see `request_of`.
        order: who decides, when and why.
        practice: by which model doubts are scored again.
        confidential: whether who decides may see confidential persons.

    Raises:
        IllegalTransitionError: the task is not open or waits for a second person, the
            records are none of its persons', or there is nobody to bring them to.
    """
    found = task_work.seen(patients, number, confidential=confidential)
    if found.state is not TaskState.OPEN:
        raise IllegalTransitionError(f"task {number} is {found.state}, not open")
    _expect_alone(patients, number)
    _expect_theirs(patients, found, request, confidential=confidential)
    event = move(patients, request, order, number)
    after = worklist.shown(patients, number)
    if after.state is TaskState.OPEN and not _asks_still(patients, found):
        worklist.close(patients, found, request.kind, order)
    worklist.look_at_others(patients, found, order)
    rescore(patients, {event.source, event.target}, practice.model)
    return worklist.shown(patients, number)


def _expect_alone(patients: SqlPatientIndex, number: int) -> None:
    look = second_looks.of_task(patients.connection, number)
    if look is not None and look.waits and look.kind is LookKind.FOUR_EYES:
        sentence = f"task {number} waits for a second person to decide it"
        raise IllegalTransitionError(sentence)


def _expect_theirs(
    patients: SqlPatientIndex, found: Task, request: Request, *, confidential: bool
) -> None:
    """Refuse records of others, and a target that is nobody to who decides."""
    theirs = {each.number for each in records_of(patients, found)}
    if not request.records or not theirs.issuperset(request.records):
        sentence = f"choose records of the persons that task {found.id} is about"
        raise IllegalTransitionError(sentence)
    today = links.resolved(patients.connection, request.target)
    hidden = links.confidential(patients.connection, [today])
    if request.target and hidden and not confidential:
        raise IllegalTransitionError(f"there is no person {request.target!r}")


def _asks_still(patients: SqlPatientIndex, found: Task) -> bool:
    """Whether a held message would raise the same doubt if it went on now."""
    if not found.held or found.category in JOINING:
        return False
    numbers = worklist.records_in(found)
    persons = {person_of(patients.connection, each) for each in numbers}
    return len(numbers) == 1 or len(persons) > 1


def records_of(patients: SqlPatientIndex, found: Task) -> list[SourceRecord]:
    """Return every record of the persons a task is about today, person by person."""
    named = worklist.records_in(found)
    persons = dict.fromkeys(person_of(patients.connection, each) for each in named)
    members = patients.members_of(list(persons))
    return [each for person in persons for each in members[person]]
