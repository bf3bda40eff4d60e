"""What is counted of the traffic: by minute for screens, by hour for what is usual.

Processes count in memory and write now and then, in a transaction that they make
anyway. A process that is killed takes the last seconds of its counts with it: these are
figures to look at. What must be exact is in the tables of messages and deliveries.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    cast,
    delete,
    func,
    select,
    type_coerce,
)

from engine.store.counters import chunks
from engine.store.dialect import put
from engine.store.schema import EPOCH
from engine.store.watch_tables import traffic


class Measure(StrEnum):
    """What is counted. What channel, place and label are stands beside each."""

    RECEIVED = "received"  # channel; label: message type
    DUPLICATE = "duplicate"  # channel
    ACKNOWLEDGED = "acknowledged"  # channel; label: code
    DISCARDED_BYTES = "discarded-bytes"  # channel
    FILTERED = "filtered"  # channel; label: rule
    PROCESSED = "processed"  # channel
    HELD = "held"  # channel
    ERROR = "error"  # channel; place: stage; label: cause
    BROKEN_PROMISE = "broken-promise"  # channel: told AA, failed later
    ATTEMPT = "attempt"  # channel, destination; label: result
    DELIVERED = "delivered"  # channel, destination
    FAILED = "failed"  # channel, destination; label: retry class
    TABLE_MISS = "table-miss"  # channel; label: table
    IDENTITY = "identity"  # channel; label: outcome
    LATENCY = "latency"  # channel, destination; label: bucket
    STAGE = "stage"  # channel; place: stage; label: bucket
    COMMIT = "commit"  # label: bucket

    __hash__ = str.__hash__  # an enum's own is Python, and this is counted with


class Span(StrEnum):
    """How long a row counts, and so how long it is kept."""

    TOTAL = "total"
    HOUR = "hour"
    MINUTE = "minute"
    RECENT = "recent"  # a minute, too, but for today's screens only
    NOTED = "noted"  # a minute, too: how it stood, see `watch_notes`


KEPT: Final[Mapping[Span, timedelta]] = MappingProxyType(
    {
        Span.HOUR: timedelta(weeks=26),
        Span.MINUTE: timedelta(days=8),
        Span.RECENT: timedelta(hours=25),
        Span.NOTED: timedelta(days=8),
    }
)
"""A total is kept for ever: it may not go down."""

_LONGER: Final = frozenset(
    {Measure.RECEIVED, Measure.ERROR, Measure.DELIVERED, Measure.FAILED}
)
"""What alert rules look back at."""

SUM: Final = "sum"
"""The label of the microseconds that all observations of a histogram took."""

_SHORT: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0),
)
_LONG: Final = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    *(10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0),
)
BOUNDS: Final[Mapping[Measure, Sequence[float]]] = MappingProxyType(
    {Measure.LATENCY: _LONG, Measure.STAGE: _SHORT, Measure.COMMIT: _SHORT}
)
"""Upper bounds of the buckets of each histogram, in seconds; beyond the last: +Inf."""

_LABELS: Final = {
    measure: (*(f"{bound:g}" for bound in bounds), "+Inf")
    for measure, bounds in BOUNDS.items()
}


class Key(NamedTuple):
    """What is counted, and where."""

    measure: str
    channel: str = ""
    place: str = ""
    label: str = ""


class Point(NamedTuple):
    """One count of a span that began at ``at``; ``last_at`` is when it last grew."""

    at: datetime
    measure: str
    channel: str
    place: str
    label: str
    amount: int
    last_at: datetime


@dataclass(slots=True)
class Counts:
    """What one process counted since it last wrote; for one thread."""

    _found: Counter[Key] = field(default_factory=Counter)

    def add(
        self,
        measure: Measure,
        channel: str = "",
        place: str = "",
        label: str = "",
        count: int = 1,
    ) -> None:
        """Count something."""
        self._found[Key(measure, channel, place, label)] += count

    def observe(
        self, measure: Measure, seconds: float, channel: str = "", place: str = ""
    ) -> None:
        """Put a duration into the histogram of its measure."""
        bucket = bisect_left(BOUNDS[measure], seconds)
        self.add(measure, channel, place, _LABELS[measure][bucket])
        self.add(measure, channel, place, SUM, round(max(seconds, 0.0) * 1_000_000))

    def take(self) -> Counter[Key]:
        """Return what was counted, and begin anew."""
        taken, self._found = self._found, Counter()
        return taken

    def put_back(self, taken: Mapping[Key, int]) -> None:
        """Count again what could not be written."""
        self._found.update(taken)


def write(connection: Connection, counts: Mapping[Key, int], now: datetime) -> None:
    """Add counts to their minute, their hour and their total."""
    rows: list[dict[str, object]] = [
        {"span": span, "at": _begin(span, now), **key._asdict()}
        | {"count": count, "last_at": now}
        for key, count in sorted(counts.items())  # one order for all: no deadlock
        for span in _spans(key.measure)
    ]
    put(connection, traffic, rows, replace=("last_at",), add=("count",))


def _spans(measure: str) -> tuple[str, ...]:
    if measure in _LONGER:
        return Span.TOTAL.value, Span.HOUR.value, Span.MINUTE.value
    return Span.TOTAL.value, Span.RECENT.value


def _begin(span: str, now: datetime) -> datetime:
    if span == Span.TOTAL:
        return EPOCH
    if span == Span.HOUR:
        return now.replace(minute=0, second=0, microsecond=0)
    return now.replace(second=0, microsecond=0)


_OLDEST: Final = (
    select(func.min(traffic.c.at))
    .where(traffic.c.span == bindparam("of_span"), traffic.c.at < bindparam("before"))
    .scalar_subquery()
)
_FORGET: Final = delete(traffic).where(
    traffic.c.span == bindparam("of_span"), traffic.c.at == _OLDEST
)


def prune(connection: Connection, now: datetime) -> None:
    """Forget the oldest minute and the oldest hour that are kept for too long.

    One of each at a time: called as often as is written, that is faster than they come.
    """
    for span, kept in KEPT.items():
        where = {"of_span": span.value, "before": now - kept}
        connection.execute(_FORGET, where)


# ---- reading

_BETWEEN: Final = select(traffic).where(
    traffic.c.span == bindparam("of_span"),
    traffic.c.at >= bindparam("since"),
    traffic.c.at < bindparam("until"),
    traffic.c.measure.in_(bindparam("measures", expanding=True)),
)

_SUMMED: Final = _BETWEEN.with_only_columns(
    *(traffic.c[name] for name in ("measure", "channel", "place", "label")),
    cast(func.sum(traffic.c["count"]), BigInteger),
).group_by(*(traffic.c[name] for name in ("measure", "channel", "place", "label")))
_HOURS: Final = select(traffic).where(
    traffic.c.span == Span.HOUR.value,
    traffic.c.at.in_(bindparam("begins", expanding=True)),
    traffic.c.measure == bindparam("wanted"),
)
_AT: Final = type_coerce(traffic.c.at, BigInteger)
"""Instants as they are stored: there may be a row for each channel and minute."""

_EACH_MINUTE: Final = MappingProxyType(
    {
        name: _BETWEEN.with_only_columns(
            _AT, traffic.c[name], cast(func.sum(traffic.c["count"]), BigInteger)
        ).group_by(traffic.c.at, traffic.c[name])
        for name in ("channel", "label")
    }
)


def totals(connection: Connection) -> list[Point]:
    """Return everything that was ever counted."""
    statement = select(traffic).where(traffic.c.span == Span.TOTAL.value)
    return _points(connection.execute(statement))


def last_heard(connection: Connection) -> list[Point]:
    """Return how much every feed ever received; ``last_at`` is when it last did."""
    statement = select(traffic).where(
        traffic.c.span == Span.TOTAL.value,
        traffic.c.at == EPOCH,
        traffic.c.measure == Measure.RECEIVED.value,
    )
    return _points(connection.execute(statement))


def minutes(
    connection: Connection,
    measures: Iterable[Measure],
    since: datetime,
    until: datetime,
    channels: Collection[str] | None = None,
) -> list[Point]:
    """Return the counts of each minute that began from ``since`` to before ``until``.

    Of some channels, or of all.
    """
    found: list[Point] = []
    for span, some in _kept_in(measures):
        found += _between(connection, span, some, (since, until), channels)
    return found


def _kept_in(measures: Iterable[Measure]) -> list[tuple[Span, frozenset[Measure]]]:
    """Return where the minutes of each measure are kept."""
    wanted = frozenset(measures)
    kept = (Span.MINUTE, wanted & _LONGER), (Span.RECENT, wanted - _LONGER)
    return [(span, some) for span, some in kept if some]


def summed(
    connection: Connection,
    measures: Iterable[Measure],
    since: datetime,
    until: datetime,
    channel: str = "",
) -> list[Point]:
    """Return what was counted in all these minutes: the database adds them up.

    Of one channel, or of all; ``at`` and ``last_at`` are the bounds asked for.
    """
    found: list[Point] = []
    for span, some in _kept_in(measures):
        statement = _SUMMED
        if channel:
            statement = statement.where(traffic.c.channel == channel)
        rows = connection.execute(statement, _asked(span, some, since, until)).all()
        found += [Point(since, *row[:4], row[4], until) for row in rows]
    return found


def each_minute(
    connection: Connection,
    measure: Measure,
    by: Literal["channel", "label"],
    since: datetime,
    until: datetime,
) -> dict[datetime, dict[str, int]]:
    """Return what was counted in each minute, by the channel or by the label."""
    found: dict[int, dict[str, int]] = {}
    for span, some in _kept_in([measure]):
        rows = connection.execute(_EACH_MINUTE[by], _asked(span, some, since, until))
        for at, name, amount in rows.all():
            found.setdefault(at, {})[name] = amount
    return {EPOCH + timedelta(microseconds=at): each for at, each in found.items()}


def hours(
    connection: Connection,
    measure: Measure,
    begins: Iterable[datetime],
    channel: str = "",
) -> list[Point]:
    """Return the counts of the hours that began then, of one channel or of all."""
    statement, found = _HOURS, list[Point]()
    if channel:
        statement = statement.where(traffic.c.channel == channel)
    for some in chunks(begins):
        asked = {"begins": some, "wanted": measure.value}
        found += _points(connection.execute(statement, asked))
    return found


def first_hour(connection: Connection) -> datetime | None:
    """Return the first hour anything is known of; None where nothing is."""
    statement = select(func.min(traffic.c.at)).where(traffic.c.span == Span.HOUR.value)
    return connection.execute(statement).scalar()


def _between(
    connection: Connection,
    span: Span,
    measures: Iterable[Measure],
    times: tuple[datetime, datetime],
    channels: Collection[str] | None,
) -> list[Point]:
    statement = _BETWEEN
    if channels is not None:
        statement = statement.where(traffic.c.channel.in_(channels))
    return _points(connection.execute(statement, _asked(span, measures, *times)))


def _asked(
    span: Span, measures: Iterable[Measure], since: datetime, until: datetime
) -> dict[str, object]:
    words = [each.value for each in measures]
    return {"of_span": span.value, "since": since, "until": until, "measures": words}


def _points(rows: Iterable[Sequence[object]]) -> list[Point]:
    return [Point(*row[1:]) for row in rows]  # type: ignore[arg-type]  # as in Table


# ---- figures, pure


def quantile(points: Iterable[Point], share: float) -> float | None:
    """Return the duration in seconds that this share of observations kept below.

    Read from the buckets, as between their bounds by a straight line; None where there
    is nothing. Beyond the last bound it is the last bound.

    Examples:
        >>> at = EPOCH
        >>> points = [Point(at, "latency", "adt", "his", "0.1", 10, at)]
        >>> round(quantile(points, 0.5), 3)
        0.075
    """
    counted: Counter[str] = Counter()
    bounds: Sequence[float] = ()
    for point in points:
        bounds = BOUNDS[Measure(point.measure)]
        counted[point.label] += point.amount
    return quantile_of(bounds, counted, share)


def quantile_of(
    bounds: Sequence[float], counted: Mapping[str, int], share: float
) -> float | None:
    """Return the same of what was counted by the label of its bucket."""
    total = sum(counted.values()) - counted.get(SUM, 0)
    below, wanted = 0, share * total
    for lower, upper in pairwise((0.0, *bounds)):
        inside = counted.get(f"{upper:g}", 0)
        if inside and below + inside >= wanted:
            return lower + (upper - lower) * (wanted - below) / inside
        below += inside
    return bounds[-1] if below < total else None
