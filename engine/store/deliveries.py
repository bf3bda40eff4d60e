"""Documents on their way out: lanes, their heads, and how each attempt ends.

A lane is (channel, destination, order key). Its row exists while it has undelivered
work and names its head, so finding what to send costs the same with one delivery
waiting and with a million.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from engine.store.counters import DELIVERY, Counted, reserve, shift, tally
from engine.store.delivery_state import State
from engine.store.dialect import put
from engine.store.schema import Found
from engine.store.seal import Sealer, fingerprint
from engine.store.tables import delivery, lane, run_state
from engine.store.words import LaneState, OnFailure, RunState


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One rendered document for one destination.

    Lanes are told apart by ``order_key``, which may be PHI and is only kept as a keyed
    hash; ``person`` is the enterprise identifier shown to operators, or empty.
    ``name`` is a file path or whatever the destination calls the document.
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
    """A lane head to be sent now; ``attempts`` counts this one already."""

    id: int
    epoch: int
    message_id: int
    channel: str
    destination: str
    lane_id: int
    attempts: int
    content: bytes
    content_type: str
    name: str
    person: str
    on_failure: OnFailure
    queued_at: datetime


_INSERT: Final = insert(delivery)
_DUE: Final = (
    select(lane.c.id, lane.c.head_id, lane.c.person)
    .where(
        lane.c.channel == bindparam("channel"),
        lane.c.destination == bindparam("destination"),
        lane.c.state == LaneState.READY.value,
        lane.c.next_at <= bindparam("now"),
    )
    .order_by(lane.c.next_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
"""The lanes of one destination whose heads are due."""

_LEASE_LANES: Final = (
    update(lane)
    .where(lane.c.id.in_(bindparam("ids", expanding=True)))
    .values(state=LaneState.LEASED.value, next_at=bindparam("until"))
)
_LEASE: Final = (
    update(delivery)
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=State.LEASED.value,
        attempts=delivery.c.attempts + 1,
        epoch=delivery.c.epoch + 1,
        owner=bindparam("holder"),
    )
    .returning(
        delivery.c.id,
        delivery.c.epoch,
        delivery.c.message_id,
        delivery.c.lane_id,
        delivery.c.attempts,
        delivery.c.content,
        delivery.c.content_type,
        delivery.c.name,
        delivery.c.on_failure,
        delivery.c.queued_at,
    )
)
"""The heads, counted as attempted before the attempt."""

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
    lanes: dict[int, dict[str, object]] = {}
    changes: dict[Counted, int] = {}
    for number, (message_id, attempt, ordinal, new) in zip(ids, documents, strict=True):
        place = f"lane|{new.channel}|{new.destination}|{new.order_key}"
        lane_id = sealer.blind_number(place)
        row = _new_row(sealer, number, new, now)
        row.update(
            message_id=message_id, attempt=attempt, ordinal=ordinal, lane_id=lane_id
        )
        rows.append(row)
        lanes.setdefault(lane_id, _new_lane(lane_id, number, new, now))
        shift(changes, None, counted(new.channel, new.destination, State.QUEUED))
    ordered = [lanes[lane_id] for lane_id in sorted(lanes)]
    put(connection, lane, ordered, replace=("person",))  # locks those that exist
    connection.execute(_INSERT, rows)
    tally(connection, changes)
    return ids


def _new_row(
    sealer: Sealer, number: int, new: NewDelivery, now: datetime
) -> dict[str, object]:
    where = f"delivery|{number}|{new.channel}"
    return {
        "id": number,
        "channel": new.channel,
        "destination": new.destination,
        "state": State.QUEUED.value,
        "attempts": 0,
        "not_before": None,
        "aside": 0,
        "owner": "",
        "epoch": 0,
        "content_type": new.content_type,
        "sha256": fingerprint(new.content),
        "name": sealer.seal(new.name.encode(), where + "|name") if new.name else None,
        "content": sealer.seal(new.content, where),
        "answer": None,
        "class": "",
        "code": "",
        "sentence": "",
        "note": new.note,
        "on_failure": new.on_failure.value,
        "queued_at": now,
        "settled_at": None,
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


def counted(channel: str, destination: str, state: State) -> Counted:
    """Return the counter of deliveries in a state at a destination."""
    return Counted(DELIVERY, channel, destination, state.value)


def claim_heads(
    connection: Connection, sealer: Sealer, turn: Turn, limit: int
) -> list[Leased]:
    """Lease the heads of this destination's lanes that are due, longest due first.

    The attempt counts from here, so commit before sending. A destination that is
    paused or stopped gives nothing.
    """
    place = {"channel": turn.channel, "destination": turn.destination}
    stands = connection.execute(_STANDS, place).scalar()
    if stands not in (None, RunState.RUNNING.value):
        return []
    due = connection.execute(_DUE, place | {"now": turn.now, "limit": limit}).all()
    if not due:
        return []
    connection.execute(
        _LEASE_LANES, {"ids": [row.id for row in due], "until": turn.until}
    )
    heads = {row.head_id: row.person for row in due}
    rows = connection.execute(_LEASE, {"ids": list(heads), "holder": turn.owner}).all()
    leased = {row.id: _leased(sealer, turn, row, heads[row.id]) for row in rows}
    tally(
        connection,
        {
            counted(turn.channel, turn.destination, State.QUEUED): -len(rows),
            counted(turn.channel, turn.destination, State.LEASED): len(rows),
        },
    )
    return [leased[number] for number in heads if number in leased]


def _leased(sealer: Sealer, turn: Turn, row: Found, person: str) -> Leased:
    where = f"delivery|{row.id}|{turn.channel}"
    return Leased(
        id=row.id,
        epoch=row.epoch,
        message_id=row.message_id,
        channel=turn.channel,
        destination=turn.destination,
        lane_id=row.lane_id,
        attempts=row.attempts,
        content=sealer.open(row.content, where),
        content_type=row.content_type,
        name=sealer.open(row.name, where + "|name").decode() if row.name else "",
        person=person,
        on_failure=OnFailure(row.on_failure),
        queued_at=row.queued_at,
    )


def next_due(connection: Connection, channel: str, destination: str) -> datetime | None:
    """Return when the next lane head of a destination is due; None when none waits."""
    statement = (
        select(lane.c.next_at)
        .where(
            lane.c.channel == channel,
            lane.c.destination == destination,
            lane.c.state == LaneState.READY.value,
        )
        .order_by(lane.c.next_at)
        .limit(1)
    )
    return connection.execute(statement).scalar()
