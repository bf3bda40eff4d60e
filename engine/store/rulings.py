"""What people decided about records, and what they are still asked.

Spec:
    identity.md 6: a human decision always outranks the model.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, or_, select, union

from engine.identity.decision import Ruling
from engine.identity.registration import Category
from engine.store.patient_tables import (
    TaskState,
    different,
    record,
    task,
    task_candidate,
)
from engine.store.schema import Found

_APART: Final = select(different).where(
    or_(different.c.low == bindparam("record"), different.c.high == bindparam("record"))
)
_IDENTIFYING: Final = select(record.c.id, record.c.identifying).where(
    record.c.id.in_(bindparam("ids", expanding=True))
)
_NAMING: Final = union(
    select(task.c.id).where(task.c.record == bindparam("record")),
    select(task_candidate.c.task).where(task_candidate.c.record == bindparam("record")),
)
_DOUBTED: Final = (
    select(task.c.record, task_candidate.c.record.label("candidate"))
    .join(task_candidate, task_candidate.c.task == task.c.id)
    .where(
        task.c.id.in_(_NAMING),
        task.c.state == TaskState.OPEN,
        task.c.category.in_([Category.DUPLICATE, Category.OVERLAP]),
    )
)
_RULING: Final = (
    select(task.c.decision)
    .where(
        task.c.message == bindparam("message"),
        task.c.state == TaskState.DECIDED,
        task.c.decision.in_(list(Ruling)),
    )
    .order_by(task.c.id.desc())
    .limit(1)
)


def told_apart(connection: Connection, number: int) -> Sequence[Found]:
    """Return the pairs that a record was in when somebody told them apart."""
    return connection.execute(_APART, {"record": number}).all()


def still_apart(
    connection: Connection, pairs: Sequence[Found], number: int, identifying: bytes
) -> frozenset[int]:
    """Return the other records of those pairs in which neither side changed since.

    ``identifying`` is the hash of the identifying traits that record has now.
    """
    then = {
        (pair.high if pair.low == number else pair.low): (
            pair.high_identifying if pair.low == number else pair.low_identifying
        )
        for pair in pairs
        if identifying
        == (pair.low_identifying if pair.low == number else pair.high_identifying)
    }
    others = connection.execute(_IDENTIFYING, {"ids": list(then)})
    return frozenset(row.id for row in others if row.identifying == then[row.id])


def doubted(connection: Connection, number: int) -> frozenset[int]:
    """Return the records an open doubt about likeness names together with one."""
    found = connection.execute(_DOUBTED, {"record": number}).all()
    return frozenset(each for row in found for each in row) - {number}


def ruling(connection: Connection, message: int) -> str:
    """Return what a person said about the doubt of this message, or ``""``."""
    return connection.execute(_RULING, {"message": message}).scalar() or ""
