"""One channel's corrections into the outbox: planned, rendered, queued in order."""

from collections.abc import Mapping
from datetime import datetime

from engine.channels.processing.assemble import Line
from engine.channels.processing.corrections import Corrector, Made, forms_of
from engine.channels.processing.outcomes import defect
from engine.channels.processing.store_view import StoreView
from engine.errors import EngineError
from engine.identity.corrections import Change, Correction, Form
from engine.identity.person import LinkEvent
from engine.store import corrections, error_queue, lane_joins, resources
from engine.store.away import is_away
from engine.store.counters import last_reserved
from engine.store.deliveries import enqueue
from engine.store.error_queue import NewEntry
from engine.store.words import EntryKind


def correct(line: Line, view: StoreView, now: datetime) -> int:
    """Make the corrections a channel owes; return for how many changes.

    What cannot be made stands in the error queue, and the others go on.
    """
    channel = line.desk.channel.name
    forms = forms_of([line.desk.channel])
    done = 0
    while found := corrections.waiting(view.connection, channel):
        for event in found:
            _corrected(line, view, event, forms, now)
        corrections.finish(view.connection, channel, found[-1].number)
        done += len(found)
    return done


def _corrected(
    line: Line,
    view: StoreView,
    event: LinkEvent,
    forms: Mapping[tuple[str, str], Form],
    now: datetime,
) -> None:
    plan = corrections.planned(view.connection, event, forms)
    if plan is None:
        return
    change, wanted = plan
    _follow(line, view, change)
    corrector = Corrector(line, view, now)
    for each in wanted:
        try:
            made = corrector.made(change, each)
        except Exception as error:  # what cannot be made must be seen
            if is_away(error):
                raise
            report(line, view, each, error, now)
        else:
            queue(view, each, made, now)
    _follow(line, view, change)


def _follow(line: Line, view: StoreView, change: Change) -> None:
    """Let the lanes of the two persons follow one another: nothing overtakes.

    Once before, for what both have waiting; once more for the corrections in the lane
    that is left, which come before what the other person is sent from now on.
    """
    until = last_reserved(view.connection, "delivery")
    lane_joins.forget(view.connection)
    for destination in line.desk.channel.destinations:
        place = line.desk.channel.name, destination.name
        persons = change.source, change.target
        lane_joins.join(view.connection, view.sealer, place, persons, until)


def queue(view: StoreView, wanted: Correction, made: Made, now: datetime) -> None:
    """Put what was made into the outbox, and keep the versions of its documents."""
    rows = [
        (wanted.message, made.attempt, place, each)
        for place, each in enumerate(made.deliveries)
    ]
    enqueue(view.connection, view.sealer, rows, now)
    resources.store_documents(view.connection, view.sealer, made.versions, now)


def report(
    line: Line, view: StoreView, wanted: Correction, error: Exception, now: datetime
) -> None:
    """Open an entry in the error queue for what cannot be made."""
    why = str(error) if isinstance(error, EngineError) else defect(error)
    entry = NewEntry(
        kind=EntryKind.MESSAGE,
        message_id=wanted.message,
        channel=wanted.channel,
        stage="render",
        class_="permanent",
        code="correction",
        sentence=f"The correction {wanted.what} was not made: {why}",
        cause=f"The correction {wanted.what} was not made.",
        destination=wanted.destination,
        assignee=line.desk.channel.owner,
    )
    error_queue.open_entries(view.connection, [entry], now)
