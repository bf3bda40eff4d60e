"""How the people at the mismatch queue work: how fast, and how far they agree.

Spec:
    identity.md 13, metrics: decisions per hour, agreement of second reviewers.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from engine.identity.decision import Ruling
from engine.store.patient_tables import second_look, task

_MOVES: Final = ("link", "split", "merge", "unlink")


@dataclass(slots=True)
class Reviewer:
    """One person at the queue, over a period.

    ``hours`` are the clock hours in which they decided anything. ``read_twice`` counts
    doubts that this person and another one read, ``agreed`` those of the same answer.
    """

    name: str
    decisions: int = 0
    hours: set[datetime] = field(default_factory=set)
    read_twice: int = 0
    agreed: int = 0

    @property
    def per_hour(self) -> float:
        """Decisions in each clock hour with at least one."""
        return self.decisions / len(self.hours) if self.hours else 0.0

    @property
    def agreement(self) -> float | None:
        """The share of doubts read twice on which both agree; None without one."""
        return self.agreed / self.read_twice if self.read_twice else None


def reviewers(
    connection: Connection, since: datetime, until: datetime
) -> list[Reviewer]:
    """Return who decided doubts from an instant up to another one, by name.

    A second reading is a decision too; what the engine or a message settled is none.
    """
    found: defaultdict[str, Reviewer] = defaultdict(lambda: Reviewer(""))
    for name, at in _decisions(connection, since, until):
        one = found[name]
        one.name = name
        one.decisions += 1
        one.hours.add(at.replace(minute=0, second=0, microsecond=0))
    looks = select(second_look).where(
        second_look.c.second_at >= since, second_look.c.second_at < until
    )
    for row in connection.execute(looks):
        for name in (row.first_by, row.second_by):
            found[name].name = name
            found[name].read_twice += 1
            found[name].agreed += row.first == row.second
    return [found[name] for name in sorted(found)]


def _decisions(
    connection: Connection, since: datetime, until: datetime
) -> Iterator[tuple[str, datetime]]:
    decided = select(task.c.decided_by, task.c.decided_at).where(
        task.c.decision.in_([*Ruling, *_MOVES]),
        task.c.decided_at >= since,
        task.c.decided_at < until,
    )
    read = select(second_look.c.second_by, second_look.c.second_at).where(
        second_look.c.second_at >= since,
        second_look.c.second_at < until,
        second_look.c.kind == "blind",
    )
    for statement in (decided, read):
        for row in connection.execute(statement):
            yield row[0], row[1]
