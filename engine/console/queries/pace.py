"""How fast it goes: the last hour minute by minute, against what is usual.

Spec:
    console.md S1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from engine.store import traffic
from engine.store.database import Connection
from engine.store.traffic import Measure

HOUR: Final = timedelta(hours=1)
WEEKS: Final = 4
LEAST: Final = 2
"""With fewer weeks than this nothing is usual yet."""

SHARE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Pace:
    """The last hour: ``p95`` seconds from received to delivered, None without any.

    ``minutes`` are messages taken by channel, oldest first; ``usual`` is the median of
    the same hour of the week.
    """

    p95: float | None = None
    minutes: Mapping[str, list[int]] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)

    def hour(self, channel: str) -> int:
        """Return how many messages a channel took in the last hour."""
        return sum(self.minutes.get(channel, ()))


def pace(connection: Connection, now: datetime) -> Pace:
    """Return how fast it goes."""
    waits = traffic.summed(connection, [Measure.LATENCY], now - HOUR, now)
    return Pace(
        traffic.quantile(waits, SHARE),
        traffic.taken_by_minute(connection, now),
        _usual(connection, now),
    )


def _usual(connection: Connection, now: datetime) -> dict[str, float]:
    """Return the median of this hour of the week, for channels known long enough."""
    begin = now.replace(minute=0, second=0, microsecond=0)
    begins = [begin - timedelta(weeks=ago) for ago in range(1, WEEKS + 1)]
    sums: dict[str, dict[datetime, int]] = {}
    for point in traffic.hours(connection, Measure.RECEIVED, begins):
        one = sums.setdefault(point.channel, {})
        one[point.at] = one.get(point.at, 0) + point.amount
    return {
        channel: median(found.values())
        for channel, found in sums.items()
        if len(found) >= LEAST
    }
