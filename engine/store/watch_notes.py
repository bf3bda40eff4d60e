"""How places stood when the watch looked: noted by the minute, for alert rules' past.

Rows of `watch_tables.traffic` in a span of their own, and pruned with it. Where nothing
waits nothing is noted but that one looked.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from engine.store.dialect import put
from engine.store.traffic import Span
from engine.store.watch_tables import traffic


class Noted(StrEnum):
    """What is noted."""

    WATCHED = "watched"  # that the watch looked
    OLDEST = "oldest"  # channel, destination: the age of the oldest, in seconds
    PARKED = "parked"  # channel: how many lanes


class Note(NamedTuple):
    """How something stood in the minute that began at ``at``, when last looked at."""

    at: datetime
    what: str
    channel: str
    place: str
    amount: int


Standing = Mapping[tuple[Noted, str, str], int]
"""Amounts by what they are, channel and destination."""

_FIRST: Final = select(func.min(traffic.c.at)).where(traffic.c.span == Span.NOTED.value)


def note(connection: Connection, stood: Standing, now: datetime) -> None:
    """Note how places stand now; the last look of a minute is the one that counts."""
    begin = now.replace(second=0, microsecond=0)
    seen = {(Noted.WATCHED, "", ""): 1, **stood}
    rows: list[dict[str, object]] = [
        {"span": Span.NOTED.value, "at": begin, "measure": what.value}
        | {"channel": channel, "place": place, "label": ""}
        | {"count": amount, "last_at": now}
        for (what, channel, place), amount in sorted(seen.items())
    ]
    put(connection, traffic, rows, replace=("count", "last_at"))


def notes(
    connection: Connection, channels: Collection[str], since: datetime
) -> list[Note]:
    """Return what was noted of channels since then, the earliest first."""
    columns = traffic.c
    statement = (
        select(
            *(columns.at, columns.measure, columns.channel, columns.place),
            columns["count"],
        )
        .where(
            columns.span == Span.NOTED.value,
            columns.at >= since,
            columns.measure.in_([Noted.OLDEST.value, Noted.PARKED.value]),
            columns.channel.in_(channels),
        )
        .order_by(columns.at)
    )
    return [Note(*row) for row in connection.execute(statement)]


def noted_since(connection: Connection) -> datetime | None:
    """Return the first minute that is noted; None where nothing is."""
    found: datetime | None = connection.execute(_FIRST).scalar()
    return found
