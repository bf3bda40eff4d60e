"""What training a model reads of the index, and block keys written anew.

Spec:
    identity.md 13.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Connection, select

from engine.identity.blocking import block_keys
from engine.identity.decision import Ruling
from engine.identity.index import SourceRecord
from engine.identity.weights import Model
from engine.store.dialect import put
from engine.store.patient_tables import TaskState, block, task, task_candidate
from engine.store.patients import SqlPatientIndex

_DECIDED: Final = (
    select(task.c.record, task_candidate.c.record.label("candidate"), task.c.decision)
    .join(task_candidate, task_candidate.c.task == task.c.id)
    .where(task.c.state == TaskState.DECIDED, task.c.decision.in_(list(Ruling)))
    .order_by(task.c.id)
)
PAGE: Final = 1_000


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
