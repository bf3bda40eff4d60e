"""What training a model reads of the index, and block keys written anew.

Spec:
    identity.md 13.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from engine.identity.blocking import block_keys
from engine.identity.decision import Ruling
from engine.identity.index import SourceRecord
from engine.identity.person import LinkKind
from engine.identity.weights import Model
from engine.store.dialect import put
from engine.store.patient_tables import (
    TaskState,
    block,
    link_event,
    task,
    task_candidate,
)
from engine.store.patients import SqlPatientIndex

_DECIDED: Final = (
    select(task.c.record, task_candidate.c.record.label("candidate"), task.c.decision)
    .join(task_candidate, task_candidate.c.task == task.c.id)
    .where(task.c.state == TaskState.DECIDED, task.c.decision.in_(list(Ruling)))
    .order_by(task.c.id)
)
_CAME: Final = select(func.count(), func.min(link_event.c.at)).where(
    link_event.c.source == "",
    link_event.c.kind == LinkKind.LINK.value,
    link_event.c.at >= bindparam("since"),
)
PAGE: Final = 1_000
PERIOD: Final = 30


def sampled(patients: SqlPatientIndex, size: int) -> list[SourceRecord]:
    """Return about so many records, evenly from the oldest to the newest."""
    records = patients.frequencies("", "").records
    step = max(records // max(size, 1), 1)
    return list(islice(islice(patients.everyone(), 0, None, step), size))


def labels(connection: Connection) -> dict[tuple[int, int], bool]:
    """Return what people decided about pairs: lower number, higher, one person."""
    found: dict[tuple[int, int], bool] = {}
    for row in connection.execute(_DECIDED):
        low, high = sorted((row.record, row.candidate))
        found[low, high] = row.decision == Ruling.SAME
    return found


def registrations_a_day(
    connection: Connection, now: datetime, days: int = PERIOD
) -> float:
    """Return how many new records came each day of late, on average.

    A young index counts from its first record on.
    """
    since = now - timedelta(days=days)
    count, first = connection.execute(_CAME, {"since": since}).one()
    if not count:
        return 0.0
    return float(count / max((now - first) / timedelta(days=1), 1))


def rekey(
    patients: SqlPatientIndex, records: Sequence[SourceRecord], model: Model
) -> int:
    """Write the block keys these records should have; return how many there are.

    Keys they have already stay as they are, so it may run beside live traffic and be
    begun again at any record.
    """
    rows: list[dict[str, object]] = [
        {"key": key, "record": each.number}
        for each in records
        for key in block_keys(each.traits, model.formal, patients.secret)
    ]
    rows.sort(key=lambda row: (row["key"], row["record"]))
    put(patients.connection, block, rows)
    return len(rows)


def page(patients: SqlPatientIndex, after: int) -> list[SourceRecord]:
    """Return the next records above a number, at most `PAGE`."""
    return list(islice(patients.everyone(after), PAGE))
