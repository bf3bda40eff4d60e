"""Documents on their way out: lanes, their heads, and how each attempt ends.

A lane is (channel, destination, order key). Its row exists while it has undelivered
work and names its head, so finding what to send costs the same with one delivery
waiting and with a million.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from engine.failpoint import reach
from engine.store import contents
from engine.store.contexts import Bound, of_document, of_name
from engine.store.counters import Move, of_deliveries, reserve, tally
from engine.store.delivery_state import State
from engine.store.dialect import bulk, put
from engine.store.lane_joins import lane_of, waits
from engine.store.schema import Found
from engine.store.seal import Sealer, fingerprint
from engine.store.tables import delivery, journal_message, lane, rendered, run_state
from engine.store.words import LaneState, OnFailure, RunState


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One rendered document for one destination.

    Lanes are told apart by ``order_key``, which may be PHI and is only kept as a keyed
    hash; ``person`` is the enterprise identifier shown to operators, or empty.
    ``name`` is a file path or whatever the destination calls the document. ``event`` is
    the link event that it corrects, 0 for what a message says itself.
    """

    channel: str
    destination: str
    order_key: str
    content: bytes
    content_type: str
    name: str = ""
    person: str = ""
    on_failure: OnFailure = OnFailure.PARK
    note: str = ""
    event: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Who claims for which destination, at what time, and until when."""

    channel: str
    destination: str
    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Leased:
    """A lane head to be sent now; ``attempts`` counts this one already.

    ``received_at`` is when its message came, None for a correction of no message.
    ``content`` is None when what is stored does not open: it is damaged, and nothing
    of it may leave.
    """

    id: int
    epoch: int
    message_id: int
    channel: str
    destination: str
    lane_id: int
    attempts: int
    content: bytes | None
    content_type: str
    name: str
    person: str
    on_failure: OnFailure
    queued_at: datetime
    received_at: datetime | None = None


MAX_BYTES: Final = 32 * 1024 * 1024
"""Documents of one destination that are in memory at a time, but for the last one."""

_INSERT: Final = insert(delivery)
_INSERT_RENDERED: Final = insert(rendered)
_DUE: Final = (
    select(
        lane.c.id,
        lane.c.person,
        delivery.c.id,
        delivery.c.epoch,
        delivery.c.message_id,
        delivery.c.attempts,
        *contents.small(rendered.c.content),
        delivery.c.content_type,
        rendered.c.name,
        delivery.c.on_failure,
        delivery.c.queued_at,
        journal_message.c.received_at,
    )
    .select_from(lane)
    .join(delivery, delivery.c.id == lane.c.head_id)
    .join(journal_message, journal_message.c.id == delivery.c.message_id, isouter=True)
    .join(rendered, rendered.c.delivery_id == delivery.c.id, isouter=True)
    .where(
        lane.c.channel == bindparam("channel"),
        lane.c.destination == bindparam("destination"),
        lane.c.state == LaneState.READY.value,
        lane.c.next_at <= bindparam("now"),
        ~waits(),
    )
    .order_by(lane.c.next_at)
    .limit(bindparam("limit"))
    .with_for_update(of=lane, skip_locked=True)
)
"""The heads of one destination's lanes that are due."""

_CONTENT: Final = select(rendered.c.content).where(
    rendered.c.delivery_id == bindparam("number")
)
_LEASE_LANE: Final = (
    update(lane)
    .where(lane.c.id == bindparam("lane"))
    .values(state=bindparam("stands"), next_at=bindparam("until"))
)
_LEASE: Final = (
    update(delivery)
    .where(delivery.c.id == bindparam("number"))
    .values(
        state=bindparam("becomes"),
        attempts=bindparam("tried"),
        epoch=bindparam("at_epoch"),
        owner=bindparam("holder"),
    )
)
"""The head, counted as attempted before the attempt."""

_STANDS: Final = select(run_state.c.state).where(
    run_state.c.channel == bindparam("channel"),
    run_state.c.destination == bindparam("destination"),
)


def enqueue(
    connection: Connection,
    sealer: Sealer,
    documents: Sequence[tuple[int, int, int, NewDelivery]],
    now: datetime,
) -> list[int]:
    """Queue documents behind what their lanes already hold; return their numbers.

    Each comes with the number of its message, the attempt that made it, and its place
    among the documents of that attempt.
    """
    if not documents:
        return []
    ids = list(reserve(connection, "delivery", len(documents)))
    rows: list[dict[str, object]] = []
    contents: list[dict[str, object]] = []
    lanes: dict[int, dict[str, object]] = {}
    moves: Counter[Move] = Counter()
    for number, (message_id, attempt, ordinal, new) in zip(ids, documents, strict=True):
        lane_id = lane_of(sealer, new.channel, new.destination, new.order_key)
        row = _new_row(number, new, now)
        row.update(
            message_id=message_id, attempt=attempt, ordinal=ordinal, lane_id=lane_id
        )
        rows.append(row)
        bound = Bound(
            number, new.channel, new.destination, lane_id, message_id, new.content_type
        )
        contents.append(_rendered_row(sealer, bound, new))
        lanes.setdefault(lane_id, _new_lane(lane_id, number, new, now))
        moves[None, of_deliveries(new.channel, new.destination, State.QUEUED)] += 1
    ordered = [lanes[lane_id] for lane_id in sorted(lanes)]
    put(connection, lane, ordered, replace=("person",))  # locks those that exist
    reach("outbox.lanes-written")
    bulk(connection, _INSERT, rows)
    bulk(connection, _INSERT_RENDERED, contents)
    reach("outbox.deliveries-inserted")
    tally(connection, moves)
    return ids


def _new_row(number: int, new: NewDelivery, now: datetime) -> dict[str, object]:
    return {
        "id": number,
        "channel": new.channel,
        "destination": new.destination,
        "state": State.QUEUED.value,
        "content_type": new.content_type,
        "sha256": fingerprint(new.content),
        "note": new.note,
        "event": new.event,
        "on_failure": new.on_failure.value,
        "queued_at": now,
    }


def _rendered_row(sealer: Sealer, bound: Bound, new: NewDelivery) -> dict[str, object]:
    where, _ = of_document(bound)
    named, _ = of_name(bound)
    return {
        "delivery_id": bound.id,
        "name": sealer.seal(new.name.encode(), named) if new.name else None,
        "content": sealer.seal(new.content, where),
    }


def _new_lane(
    lane_id: int, head_id: int, new: NewDelivery, now: datetime
) -> dict[str, object]:
    return {
        "id": lane_id,
        "channel": new.channel,
        "destination": new.destination,
        "person": new.person,
        "head_id": head_id,
        "state": LaneState.READY.value,
        "next_at": now,
    }


def claim_heads(
    connection: Connection,
    sealer: Sealer,
    turn: Turn,
    limit: int,
    max_bytes: int = MAX_BYTES,
) -> list[Leased]:
    """Lease the heads of this destination's lanes that are due, longest due first.

    At most ``limit``, and no more once their documents have ``max_bytes`` together.
    The attempt counts from here, so commit before sending. A destination that is
    paused or stopped gives nothing.
    """
    place = {"channel": turn.channel, "destination": turn.destination}
    stands = connection.execute(_STANDS, place).scalar()
    if stands not in (None, RunState.RUNNING.value):
        return []
    due = place | {"now": turn.now, "limit": limit}
    leased: list[Leased] = []
    size = 0
    for row in connection.execute(_DUE, due).all():
        content = contents.sealed(connection, row, _CONTENT, row[2])
        leased.append(_leased(sealer, turn, row, content))
        size += len(leased[-1].content or b"")
        if size >= max_bytes:
            break
    if not leased:
        return []
    bulk(connection, _LEASE_LANE, [_lane_row(one, turn) for one in leased])
    bulk(connection, _LEASE, [_lease_row(one, turn) for one in leased])
    queued = of_deliveries(turn.channel, turn.destination, State.QUEUED)
    taken = of_deliveries(turn.channel, turn.destination, State.LEASED)
    tally(connection, {(queued, taken): len(leased)})
    return leased


def _leased(sealer: Sealer, turn: Turn, row: Found, content: bytes | None) -> Leased:
    lane_id, person, number, epoch, message_id, attempts = row[:6]
    content_type, name, on_failure, queued_at, received_at = row[8:]
    place = (turn.channel, turn.destination)
    bound = Bound(number, *place, lane_id, message_id, content_type)
    opened, called = _opened(sealer, bound, content, name)
    return Leased(
        id=number,
        epoch=epoch + 1,
        message_id=message_id,
        channel=turn.channel,
        destination=turn.destination,
        lane_id=lane_id,
        attempts=attempts + 1,
        content=opened,
        content_type=content_type,
        name=called,
        person=person,
        on_failure=_ON_FAILURE.get(on_failure, OnFailure.PARK),
        queued_at=queued_at,
        received_at=received_at,
    )


def _opened(
    sealer: Sealer, bound: Bound, content: bytes | None, name: bytes | None
) -> tuple[bytes | None, str]:
    """Return the document and its name; None and no name when either is damaged."""
    called = sealer.open_undamaged(name, *of_name(bound)) if name else b""
    opened = sealer.open_undamaged(content or b"", *of_document(bound))
    if called is None or opened is None:
        return None, ""
    return opened, called.decode()


_ON_FAILURE: Final = {word.value: word for word in OnFailure}


def _lane_row(one: Leased, turn: Turn) -> dict[str, object]:
    return {"lane": one.lane_id, "stands": LaneState.LEASED.value, "until": turn.until}


def _lease_row(one: Leased, turn: Turn) -> dict[str, object]:
    return {
        "number": one.id,
        "becomes": State.LEASED.value,
        "tried": one.attempts,
        "at_epoch": one.epoch,
        "holder": turn.owner,
    }


def next_due(connection: Connection, channel: str, destination: str) -> datetime | None:
    """Return when the next lane head of a destination is due; None when none waits."""
    place = {"of_channel": channel, "to_destination": destination}
    return connection.execute(_NEXT_DUE, place).scalar()


_NEXT_DUE: Final = (
    select(lane.c.next_at)
    .where(
        lane.c.channel == bindparam("of_channel"),
        lane.c.destination == bindparam("to_destination"),
        lane.c.state == LaneState.READY.value,
        ~waits(),
    )
    .order_by(lane.c.next_at)
    .limit(1)
)
