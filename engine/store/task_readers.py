"""Who has a doubt open: told from the audit trail, so that two do not decide at once.

It is no lock: whoever takes a task over has it, and the first decision counts.

Spec:
    console.md S6, error ("open by someone else: name, read-only, take over").
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from engine.store import audit, task_work
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex
from engine.store.seal import Sealer

STAYS_OPEN: Final = timedelta(minutes=10)
"""Who opened a task longer ago, and did nothing since, is taken to have left it."""

READS_ALONG: Final = "reads along"
"""Detail of a look at a task that somebody else has open."""

TAKEN_OVER: Final = "taken over"


class Reader(NamedTuple):
    """Who has a task open, and since when."""

    name: str
    since: datetime


def reader_of(
    connection: Connection, sealer: Sealer, number: int, now: datetime
) -> Reader | None:
    """Return who has a task open; None where nobody does."""
    subject, since = f"task {number}", now - STAYS_OPEN
    for row in audit.lately(connection, sealer, subject, since):
        what = (row.act.action, row.act.detail)
        if what in {("view", ""), ("assign", TAKEN_OVER)}:
            return Reader(row.act.actor, row.act.at)
    return None


def take_over(patients: SqlPatientIndex, number: int, order: Order) -> None:
    """Give a task that somebody else has open to who asks.

    Raises:
        IllegalTransitionError: there is no such task.
    """
    told = Order(order.actor, order.now, TAKEN_OVER)
    task_work.give(patients, number, order.actor, told)
