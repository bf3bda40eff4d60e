"""What a channel owes that no message causes: corrections, notices, summaries."""

from datetime import datetime

from engine.channels.processing.assemble import Line
from engine.channels.processing.correct import correct
from engine.channels.processing.store_view import StoreView
from engine.channels.processing.summaries import make_ordered
from engine.channels.queries import updates
from engine.store import corrections, document_orders
from engine.store.database import Connection


def is_owed(connection: Connection, line: Line) -> bool:
    """Whether there may be something; it costs as much for any history."""
    channel = line.desk.channel
    return (
        corrections.is_waiting(connection, channel.name)
        or document_orders.is_waiting(connection, channel.name)
        or updates.are_waiting(connection, channel)
    )


def make_owed(line: Line, view: StoreView, now: datetime) -> int:
    """Queue it; return how many things that were."""
    channel = line.desk.channel.name
    done = 0
    if corrections.is_waiting(view.connection, channel):
        done += correct(line, view, now)
    if document_orders.is_waiting(view.connection, channel):
        done += make_ordered(line, view, now)
    if updates.are_waiting(view.connection, line.desk.channel):
        done += updates.notify(line, view, now)
    return done
