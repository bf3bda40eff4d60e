"""How long entries stood in the mismatch queue: what a rule looks back at.

Spec:
    console.md S12 (preview of a rule).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select

from engine.store.patient_tables import TaskState, task
from engine.store.tables import journal_message


@dataclass(frozen=True, slots=True)
class Stay:
    """How long an entry stood in the queue; ``until`` is None while it does."""

    channel: str
    since: datetime
    until: datetime | None


def stays(connection: Connection, since: datetime) -> list[Stay]:
    """Return the stays of a message's entries that did not end before ``since``."""
    statement = (
        select(journal_message.c.channel, task.c.opened_at, task.c.decided_at)
        .join(journal_message, journal_message.c.id == task.c.message)
        .where(or_(task.c.state == TaskState.OPEN, task.c.decided_at > since))
    )
    return [Stay(*row) for row in connection.execute(statement)]
