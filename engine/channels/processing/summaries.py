"""Summaries that no message causes: made on order, and once a day.

Spec:
    cda.md 2, scope and trigger of a CCD.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Final

from engine.channels.format.channel import Channel, Destination
from engine.channels.processing.assemble import Line
from engine.channels.processing.correct import queue, report
from engine.channels.processing.corrections import Corrector
from engine.channels.processing.documents import sends_summaries
from engine.channels.processing.store_view import StoreView
from engine.identity.corrections import Correction, What
from engine.store import document_orders
from engine.store.away import is_away
from engine.store.database import Database

AT_ONCE: Final = 20
"""Summaries of one transaction: few enough that no message waits for long."""


def summary_places(channels: Iterable[Channel]) -> list[tuple[str, str]]:
    """Return channel and name of each destination of summaries."""
    return [
        (channel.name, each.name)
        for channel in channels
        if channel.identity.match
        for each in channel.destinations
        if sends_summaries(each)
    ]


def make_ordered(line: Line, view: StoreView, now: datetime) -> int:
    """Make the next summaries a channel was asked for; return how many.

    What cannot be made stands in the error queue, and the others go on. A person who
    was merged away meanwhile has none: the survivor's is made by the correction.
    """
    channel = line.desk.channel.name
    found = document_orders.waiting(view.connection, channel, AT_ONCE)
    places = {each.name for each in line.desk.channel.destinations}
    for destination, person in found:
        number = document_orders.last_message(view.connection, channel, person)
        if number and destination in places:
            wanted = Correction(
                channel, destination, What.DOCUMENT, person, message=number
            )
            _make(line, view, wanted, now)
    document_orders.finish(view.connection, channel, found)
    return len(found)


def _make(line: Line, view: StoreView, wanted: Correction, now: datetime) -> None:
    try:
        made = Corrector(line, view, now).ordered(wanted)
    except Exception as error:  # what cannot be made must be seen
        if is_away(error):
            raise
        report(line, view, wanted, error, now)
    else:
        queue(view, wanted, made, now)


def order_rounds(database: Database, lines: Mapping[str, Line], now: datetime) -> int:
    """Order the summaries whose time of day has come; return how many."""
    ordered = 0
    for name, line in lines.items():
        for destination, due in _rounds(line, now):
            with database.reading() as connection:
                wanted = document_orders.is_due(connection, name, destination.name, due)
            if wanted:
                with database.engine() as connection:
                    ordered += document_orders.order_round(
                        connection, name, destination.name, due
                    )
    return ordered


def _rounds(line: Line, now: datetime) -> Iterator[tuple[Destination, datetime]]:
    """Yield the destinations with a daily round, and when the last one was due."""
    for each in line.desk.channel.destinations:
        if each.cda is not None and each.cda.make == "daily":
            yield each, last_at(each.cda.at, now.astimezone(line.feed.zone))


def last_at(at: str, now: datetime) -> datetime:
    """Return the last moment a time of day (``02:00``) came, in now's zone."""
    today = datetime.combine(now.date(), time.fromisoformat(at), now.tzinfo)
    return today if today <= now else today - timedelta(days=1)
