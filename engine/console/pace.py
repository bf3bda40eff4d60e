"""How fast it goes: the last hour minute by minute, against what is usual.

Spec:
    console.md S1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from engine.store import traffic
from engine.store.database import Connection
from engine.store.traffic import BOUNDS, Measure

MINUTE: Final = timedelta(minutes=1)
MINUTES: Final = 60
LATE: Final = timedelta(minutes=2)
"""Processes write what they counted within seconds: by then all have."""

WEEKS: Final = 4
LEAST: Final = 2
"""With fewer weeks than this nothing is usual yet."""

SHARE: Final = 0.95
OF_LATE: Final = 5
"""Minutes that tell how fast it goes out just now; the one that runs is not among."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The last hour: ``p95`` seconds from received to delivered, None without any.

    ``minutes`` are messages taken by channel, oldest first; ``usual`` is the median of
    the same hour of the week. ``sent`` is what was delivered in a minute of late.
    """

    p95: float | None = None
    minutes: Mapping[str, list[int]] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)
    sent: Mapping[str, float] = field(default_factory=dict)

    def hour(self, channel: str) -> int:
        """Return how many messages a channel took in the last hour."""
        return sum(self.minutes.get(channel, ()))

    def drains(self, channel: str, waiting: int) -> float | None:
        """Return the seconds until what waits is sent at this pace; None: never."""
        sent = self.sent.get(channel, 0)
        return MINUTE.total_seconds() * waiting / sent if sent else None


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute: ``taken`` and ``sent`` by channel, ``took`` by bucket of duration."""

    taken: Mapping[str, int]
    took: Mapping[str, int]
    sent: Mapping[str, int]


@dataclass(slots=True)
class PaceReader:
    """Reads the pace; what cannot change any more it reads once.

    What it knows is replaced and never changed, so threads may share it.
    """

    _over: Mapping[datetime, Minute] = field(default_factory=dict)
    _usual: tuple[datetime, Mapping[str, float]] | None = None

    def read(self, connection: Connection, now: datetime) -> Pace:
        """Return how fast it goes."""
        minutes = self._minutes(connection, now)
        took: Counter[str] = Counter()
        for each in minutes:
            took.update(each.took)
        return Pace(
            traffic.quantile_of(BOUNDS[Measure.LATENCY], took, SHARE),
            {
                channel: [each.taken.get(channel, 0) for each in minutes]
                for channel in {name for each in minutes for name in each.taken}
            },
            self._usual_at(connection, now),
            _each_minute([each.sent for each in minutes[-OF_LATE - 1 : -1]]),
        )

    def _minutes(self, connection: Connection, now: datetime) -> list[Minute]:
        """Return the last minutes, oldest first; the last one is not over."""
        last = now.replace(second=0, microsecond=0)
        begins = [last - MINUTE * ago for ago in reversed(range(MINUTES))]
        since = next((at for at in begins if at not in self._over), last)
        span = since, last + MINUTE
        taken = traffic.each_minute(connection, Measure.RECEIVED, "channel", *span)
        took = traffic.each_minute(connection, Measure.LATENCY, "label", *span)
        sent = traffic.each_minute(connection, Measure.DELIVERED, "channel", *span)
        found = {
            at: self._over[at]
            if at < since
            else Minute(taken.get(at, {}), took.get(at, {}), sent.get(at, {}))
            for at in begins
        }
        self._over = {at: one for at, one in found.items() if at < last - LATE}
        return list(found.values())

    def _usual_at(self, connection: Connection, now: datetime) -> Mapping[str, float]:
        """Return the median of this hour of the week; what was does not change."""
        begin = now.replace(minute=0, second=0, microsecond=0)
        if self._usual is None or self._usual[0] != begin:
            self._usual = begin, _usual(connection, begin)
        return self._usual[1]


def _each_minute(counted: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Return what was counted in each of some minutes, on the average."""
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    return {channel: number / len(counted) for channel, number in total.items()}


def _usual(connection: Connection, begin: datetime) -> dict[str, float]:
    """Return the median of the hours like this, of channels known long enough."""
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
