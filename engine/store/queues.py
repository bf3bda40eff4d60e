"""What waits, and where: deliveries, parked persons, counts and ages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select, text

from engine.store.counters import DELIVERY, GATE, MESSAGE, RENDERED, VALIDATED
from engine.store.delivery_state import State
from engine.store.message_state import MessageState
from engine.store.schema import Found, is_word, read
from engine.store.tables import (
    counter,
    journal_message,
    lane,
    progress,
)
from engine.store.tables import delivery as delivery_rows
from engine.store.tables import intake as intake_rows
from engine.store.tables import message as message_rows
from engine.store.words import LaneState, OnFailure


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; what is empty does not restrict."""

    channel: str = ""
    destination: str = ""
    state: State | None = None
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as a list shows it."""

    id: int
    message_id: int
    attempt: int
    channel: str
    destination: str
    state: State
    attempts: int
    not_before: datetime | None
    content_type: str
    sha256: bytes
    class_: str
    code: str
    sentence: str
    note: str
    on_failure: OnFailure
    queued_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Gate:
    """How many Bundles were made for a destination, and how many of them validated.

    Those that were refused are in the error queue and not counted here.
    """

    channel: str
    destination: str
    rendered: int
    validated: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A lane that waits behind a failed delivery, and how many wait in it."""

    person: str
    channel: str
    destination: str
    delivery_id: int
    message_id: int
    since: datetime
    class_: str
    code: str
    sentence: str
    behind: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages or deliveries of a channel are in a state."""

    subject: str
    channel: str
    destination: str
    state: str
    count: int


@dataclass(frozen=True, slots=True)
class ChannelIntake:
    """What a channel has taken in, what waits to be processed, and since when."""

    channel: str
    messages: int
    repeats: int
    last_at: datetime
    waiting: int
    oldest_waiting: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a destination has to send, in lanes: how many, and since when."""

    channel: str
    destination: str
    ready: int
    leased: int
    parked: int
    oldest: datetime | None
    next_due: datetime | None


NOT_DONE: Final = text("state IN ('received', 'held', 'error')")
"""What the partial index of messages covers, in its own words."""

_cursor = (
    select(func.coalesce(func.min(progress.c.last_id), 0))
    .where(progress.c.channel == intake_rows.c.channel)
    .correlate(intake_rows)
    .scalar_subquery()
)
_new = (
    select(journal_message.c.id, journal_message.c.channel)
    .select_from(intake_rows)
    .join(
        journal_message,
        and_(
            journal_message.c.channel == intake_rows.c.channel,
            journal_message.c.id > _cursor,
        ),
    )
    .join(message_rows, message_rows.c.id == journal_message.c.id, isouter=True)
    .where(message_rows.c.id.is_(None))
)
UNFINISHED: Final = _new.union_all(
    select(message_rows.c.id, message_rows.c.channel).where(
        NOT_DONE, is_word(message_rows.c.state, MessageState.RECEIVED)
    )
).subquery("unfinished")
"""The *received* messages: new ones, those to be processed again, waiting parts."""


def deliveries(
    connection: Connection,
    wanted: DeliveryFilter,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[DeliveryRow]:
    """Return deliveries by number, beyond ``after``."""
    columns = delivery_rows.c
    statement = select(delivery_rows).where(columns.id > after)
    for name in ("channel", "destination", "message_id"):
        if asked := getattr(wanted, name):
            statement = statement.where(columns[name] == asked)
    if wanted.state is State.LEASED:
        heads = select(lane.c.head_id).where(is_word(lane.c.state, LaneState.LEASED))
        statement = statement.where(columns.id.in_(heads))
    elif wanted.state is not None:
        statement = statement.where(is_word(columns.state, wanted.state))
    rows = connection.execute(statement.order_by(columns.id).limit(limit))
    return [_delivery(row) for row in rows]


def delivery(connection: Connection, delivery_id: int) -> DeliveryRow | None:
    """Return one delivery."""
    statement = select(delivery_rows).where(delivery_rows.c.id == delivery_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _delivery(row)


def _delivery(row: Found) -> DeliveryRow:
    return read(
        DeliveryRow,
        DeliveryRow.__slots__,
        row,
        state=State(row.state),
        on_failure=OnFailure(row.on_failure),
    )


def parked(connection: Connection, *, person: str = "") -> list[Parked]:
    """Return the lanes that wait behind a failed delivery, longest first."""
    waiting_rows = delivery_rows.alias("waiting")
    count = (
        select(func.count())
        .select_from(waiting_rows)
        .where(
            waiting_rows.c.lane_id == lane.c.id,
            is_word(waiting_rows.c.state, State.QUEUED),
        )
        .correlate(lane)
        .scalar_subquery()
    )
    statement = (
        select(
            delivery_rows,
            delivery_rows.c.id.label("delivery_id"),
            lane.c.person,
            lane.c.next_at.label("since"),
            count.label("behind"),
        )
        .select_from(counter)
        .join(
            lane,
            and_(
                lane.c.channel == counter.c.channel,
                lane.c.destination == counter.c.destination,
                lane.c.state == LaneState.PARKED.value,
            ),
        )
        .join(delivery_rows, delivery_rows.c.id == lane.c.head_id)
        .where(counter.c.subject == DELIVERY, counter.c.state == State.FAILED.value)
        .order_by(lane.c.next_at)
    )
    if person:
        statement = statement.where(lane.c.person == person)
    rows = connection.execute(statement)
    return [read(Parked, Parked.__slots__, row) for row in rows]


def counts(connection: Connection) -> list[Count]:
    """Return the counters of messages and deliveries by channel and state.

    New messages that no worker has finished are not among them: see `intake`.
    """
    return [Count(*row) for row in connection.execute(_COUNTS)]


_COUNTS: Final = (
    select(counter)
    .where(
        counter.c["count"] != 0,
        or_(counter.c.subject == MESSAGE, counter.c.subject == DELIVERY),
    )
    .order_by(*counter.primary_key)
)


def gates(connection: Connection) -> list[Gate]:
    """Return how much of what each destination is sent the output gate has seen."""
    statement = (
        select(counter).where(counter.c.subject == GATE).order_by(*counter.primary_key)
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in connection.execute(statement):
        place = found.setdefault((row.channel, row.destination), {})
        place[row.state] = Count(*row).count
    return [
        Gate(*place, each.get(RENDERED, 0), each.get(VALIDATED, 0))
        for place, each in found.items()
    ]


def intake(connection: Connection) -> list[ChannelIntake]:
    """Return what each channel has taken in and what waits."""
    waits = (
        select(
            UNFINISHED.c.channel,
            func.count().label("waiting"),
            func.min(UNFINISHED.c.id).label("first"),
        )
        .group_by(UNFINISHED.c.channel)
        .subquery()
    )
    statement = (
        select(
            intake_rows,
            func.coalesce(waits.c.waiting, 0).label("waiting"),
            journal_message.c.received_at.label("oldest_waiting"),
        )
        .select_from(intake_rows)
        .join(waits, waits.c.channel == intake_rows.c.channel, isouter=True)
        .join(journal_message, journal_message.c.id == waits.c.first, isouter=True)
        .order_by(intake_rows.c.channel)
    )
    rows = connection.execute(statement)
    return [read(ChannelIntake, ChannelIntake.__slots__, row) for row in rows]


_lanes = (
    select(
        lane.c.channel,
        lane.c.destination,
        lane.c.state,
        func.count().label("lanes"),
        func.min(lane.c.next_at).label("next_at"),
        func.min(lane.c.head_id).label("head_id"),
    )
    .group_by(lane.c.channel, lane.c.destination, lane.c.state)
    .subquery("lanes")
)
_WAITING: Final = (
    select(_lanes, delivery_rows.c.queued_at)
    .select_from(_lanes)
    .join(delivery_rows, delivery_rows.c.id == _lanes.c.head_id, isouter=True)
    .order_by(_lanes.c.channel, _lanes.c.destination)
)


def waiting(connection: Connection) -> list[Waiting]:
    """Return what each destination has to send."""
    places: dict[tuple[str, str], dict[str, Found]] = {}
    for row in connection.execute(_WAITING):
        places.setdefault((row.channel, row.destination), {})[row.state] = row
    return [_waiting(place, rows) for place, rows in places.items()]


def _waiting(place: tuple[str, str], rows: dict[str, Found]) -> Waiting:
    oldest = min(rows.values(), key=lambda row: row.head_id)
    lanes = {state: rows[state].lanes if state in rows else 0 for state in LaneState}
    ready = rows.get(LaneState.READY)
    return Waiting(
        *place,
        ready=lanes[LaneState.READY],
        leased=lanes[LaneState.LEASED],
        parked=lanes[LaneState.PARKED],
        oldest=oldest.queued_at,
        next_due=None if ready is None else ready.next_at,
    )
