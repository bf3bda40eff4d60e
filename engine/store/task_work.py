"""What people do with a doubt before they decide it: see, ask, comment, set a day.

Functions take an index on a write transaction and never commit.

Spec:
    identity.md 11, worklist; console.md S6.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import cycle

from sqlalchemy import Connection, func, insert, select, update

from engine.errors import IllegalTransitionError
from engine.identity.registration import Category
from engine.store import worklist
from engine.store.audit import Order
from engine.store.moves import written
from engine.store.patient_tables import TaskState, task, task_comment
from engine.store.patients import SqlPatientIndex
from engine.store.protection import shielded
from engine.store.tables import message
from engine.store.worklist import Task


class Asked(StrEnum):
    """What an open task waits for."""

    UNSURE = "unsure"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about a doubt; it may name a patient."""

    number: int
    at: datetime
    author: str
    text: str


def seen(patients: SqlPatientIndex, number: int, *, confidential: bool) -> Task:
    """Return a task with its evidence to somebody who may or may not see all persons.

    Raises:
        IllegalTransitionError: there is no such task, or none that they may see: that
            a confidential person is in doubt is not for them either.
    """
    found = worklist.shown(patients, number)
    if confidential:
        return found
    if found.evidence.get("confidential") or shielded(patients.connection, [number]):
        raise IllegalTransitionError(f"there is no task {number}")
    return found


def ask(patients: SqlPatientIndex, number: int, asked: Asked, order: Order) -> Task:
    """Leave a task open and say what it waits for: a look, or a merge at the source.

    The question is kept as a comment. A merge that the source tells closes the task.

    Raises:
        IllegalTransitionError: the task is not open.
    """
    found = worklist.shown(patients, number)
    if found.state is not TaskState.OPEN:
        raise IllegalTransitionError(f"task {number} is {found.state}, not open")
    patients.connection.execute(
        update(task).where(task.c.id == number).values(asked=asked.value)
    )
    comment(patients, number, order)
    written(patients, order, f"ask {asked}", f"task {number}")
    return worklist.shown(patients, number)


def comment(patients: SqlPatientIndex, number: int, order: Order) -> None:
    """Add a comment to a task; its text is the order's reason.

    Raises:
        IllegalTransitionError: there is no such task.
    """
    worklist.shown(patients, number)
    last = select(func.coalesce(func.max(task_comment.c.number), 0)).where(
        task_comment.c.task == number
    )
    place = patients.connection.execute(last).scalar_one() + 1
    content = patients.sealer.seal(order.reason.encode(), f"comment|{number}|{place}")
    row = {
        "task": number,
        "number": place,
        "at": order.now,
        "author": order.actor,
        "content": content,
    }
    patients.connection.execute(insert(task_comment), row)


def comments(patients: SqlPatientIndex, number: int) -> list[Comment]:
    """Return what was written about a task, oldest first."""
    wanted = select(task_comment).where(task_comment.c.task == number)
    rows = patients.connection.execute(wanted.order_by(task_comment.c.number))
    return [
        Comment(
            row.number,
            row.at,
            row.author,
            patients.sealer.open(
                row.content, f"comment|{number}|{row.number}"
            ).decode(),
        )
        for row in rows
    ]


def give(patients: SqlPatientIndex, number: int, assignee: str, order: Order) -> None:
    """Give a task to somebody, or to nobody in particular; it is audited.

    Raises:
        IllegalTransitionError: there is no such task.
    """
    worklist.shown(patients, number)
    worklist.assign(patients.connection, number, assignee)
    written(patients, order, "assign", f"task {number}")


def deal(
    patients: SqlPatientIndex,
    names: Sequence[str],
    order: Order,
    *,
    confidential: bool = False,
) -> int:
    """Give the open tasks that nobody has to some people in turn, the urgent first.

    Returns:
        how many were given.
    """
    ranked = by_priority(patients.connection, confidential=confidential)
    free = [each for each, _ in ranked if not each.assignee]
    for each, name in zip(free, cycle(names), strict=False):
        give(patients, each.id, name, order)
    return len(free)


def set_due(connection: Connection, number: int, due_at: datetime | None) -> None:
    """Say until when a task is to be decided."""
    connection.execute(update(task).where(task.c.id == number).values(due_at=due_at))


def held_behind(connection: Connection, tasks: Collection[Task]) -> dict[int, int]:
    """Return how many messages wait for each task, its own included."""
    held = {each.message: each.id for each in tasks if each.held}
    if not held:
        return {}
    statement = (
        select(message.c.behind, func.count())
        .where(message.c.behind.in_(list(held)))
        .group_by(message.c.behind)
    )
    behind: dict[int, int] = {row[0]: row[1] for row in connection.execute(statement)}
    return {number: 1 + behind.get(first, 0) for first, number in held.items()}


def by_priority(
    connection: Connection,
    category: Category | None = None,
    limit: int = 1000,
    *,
    confidential: bool = False,
) -> list[tuple[Task, int]]:
    """Return open tasks, the most urgent first, with the messages that wait for each.

    What holds more messages goes before what holds fewer, what is due before what is
    not, the old before the new. Doubts about confidential persons are left out, unless
    these may be seen.
    """
    found = worklist.listed(connection, category=category, limit=limit, urgent=True)
    if not confidential:
        hidden = shielded(connection, [each.id for each in found])
        found = [each for each in found if each.id not in hidden]
    behind = held_behind(connection, found)
    far = datetime.max.replace(tzinfo=UTC)
    ranked = sorted(
        found,
        key=lambda each: (
            -behind.get(each.id, 0),
            each.due_at or far,
            each.id,
        ),
    )
    return [(each, behind.get(each.id, 0)) for each in ranked]
