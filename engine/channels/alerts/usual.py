"""What is usual at an hour of the week, learned from the hours that were. Pure.

Spec:
    channel-format.md 3.9 (learned); console.md 4 (silent-feed watch).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import quantiles
from typing import Final

from engine.store.traffic import Point

WEEKS: Final = 8
"""How far back one looks: a feed that changed is learned anew within two months."""

FEWEST: Final = 3
"""Weeks without which nothing is usual yet."""

HOUR: Final = timedelta(hours=1)
Feed = tuple[str, str]
"""A channel and a message type of it; ``""`` stands for all of its types together."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Messages of one hour of the week: the quartiles of the weeks before."""

    low: float
    median: float
    high: float


def same_hours(at: datetime, zone: tzinfo, weeks: int = WEEKS) -> list[datetime]:
    """Return when the hour that ``at`` is in began in each of the weeks before, in UTC.

    By the clock on the wall: a feed keeps its hours when the clocks change.
    """
    local = at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    begins = (local - timedelta(weeks=week) for week in range(1, weeks + 1))
    return [
        begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for begin in begins
    ]


def learn(
    points: Sequence[Point], begins: Sequence[datetime], known_since: datetime | None
) -> dict[Feed, Usual]:
    """Return what is usual of each feed, from the counts of these hours.

    An hour in which nothing came counts as none, but only where one was counting.
    """
    weeks = [begin for begin in begins if known_since and begin >= known_since]
    counted: dict[Feed, dict[datetime, int]] = {}
    for point in points:
        for feed in ((point.channel, point.label), (point.channel, "")):
            hours = counted.setdefault(feed, {})
            hours[point.at] = hours.get(point.at, 0) + point.amount
    if len(weeks) < FEWEST:
        return {}
    return {
        feed: _quartiles([hours.get(week, 0) for week in weeks])
        for feed, hours in counted.items()
    }


def _quartiles(counts: Sequence[int]) -> Usual:
    return Usual(*quantiles(counts, n=4, method="inclusive"))


def pieces(since: datetime, until: datetime) -> Iterator[tuple[datetime, float]]:
    """Return the hours between two moments, and the share of each that lies between."""
    begin = since.replace(minute=0, second=0, microsecond=0)
    while begin < until:
        inside = min(until, begin + HOUR) - max(since, begin)
        yield begin, inside / HOUR
        begin += HOUR


def expected(
    feed: Feed,
    by_hour: Mapping[datetime, Mapping[Feed, Usual]],
    since: datetime,
    until: datetime,
) -> Usual | None:
    """Return how many messages usually come between two moments.

    None where nothing is usual in one of the hours between.
    """
    low = median = high = 0.0
    for begin, share in pieces(since, until):
        hour = by_hour.get(begin)
        if not hour:
            return None
        usual = hour.get(feed, Usual(0.0, 0.0, 0.0))
        low += usual.low * share
        median += usual.median * share
        high += usual.high * share
    return Usual(low, median, high)
