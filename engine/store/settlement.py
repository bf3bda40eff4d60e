"""How attempts to deliver end: the lane moves on, waits, or is parked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, literal_column, select, update

from engine.store import error_queue, lanes, reports
from engine.store.audit import Order
from engine.store.counters import Move, of_deliveries, tally
from engine.store.deliveries import Leased
from engine.store.delivery_state import Event, State, advance
from engine.store.dialect import bulk
from engine.store.error_queue import NewEntry
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.tables import counter, delivery, lane
from engine.store.words import EntryKind, LaneState, OnFailure, RunState


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt ended: `Event.ACCEPT`, `Event.RETRY` or `Event.PARK`.

    ``class_`` is a retry class of `protocol.md` 5, ``code`` the stable cause,
    ``sentence`` words without PHI, ``cause`` the same without values that differ from
    one delivery to the next, ``answer`` the bytes that came back. With ``aside``
    the lane goes on while this delivery waits for its retry. ``on_failure``, ``label``
    and ``assignee`` are what an ``on-error`` rule said.
    """

    leased: Leased
    event: Event
    answer: bytes = b""
    class_: str = ""
    code: str = ""
    sentence: str = ""
    cause: str = ""
    note: str = ""
    not_before: datetime | None = None
    aside: bool = False
    on_failure: OnFailure | None = None
    label: str = ""
    assignee: str = ""


_HELD: Final = (
    select(delivery.c.id, delivery.c.epoch, delivery.c.state)
    .select_from(delivery)
    .join(lane, and_(lane.c.id == delivery.c.lane_id, lane.c.head_id == delivery.c.id))
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update()
)
"""The deliveries named that are heads of their lanes, locked."""

_SETTLE: Final = (
    update(delivery)
    .where(delivery.c.id == bindparam("number"))
    .values(
        {
            "state": bindparam("becomes"),
            "not_before": bindparam("wait"),
            "aside": bindparam("beside"),
            "owner": literal_column("''"),
            "answer": bindparam("answered"),
            "class": bindparam("kind"),
            "code": bindparam("cause"),
            "sentence": bindparam("words"),
            "note": bindparam("remark"),
            "on_failure": bindparam("then"),
            "settled_at": bindparam("at"),
        }
    )
)


def settle(
    connection: Connection,
    sealer: Sealer,
    settlements: Sequence[Settlement],
    now: datetime,
) -> list[int]:
    """Write how attempts ended and move their lanes on; return the stale ones.

    A settlement whose lease was taken over meanwhile (another epoch) writes nothing:
    the number of its delivery is returned, and the other settlements count.
    """
    held = _still_held(connection, [one.leased for one in settlements])
    good = [one for one in settlements if one.leased.id in held]
    if good:
        bulk(connection, _SETTLE, [_row(sealer, one, now) for one in good])
        lanes.refresh(
            connection, {one.leased.lane_id for one in good}, now, locked=True
        )
        _count(connection, good)
        failed = [one for one in good if one.event is Event.PARK]
        error_queue.open_entries(connection, [_entry(one) for one in failed], now)
        _stop_destinations(connection, sealer, failed, now)
    return [one.leased.id for one in settlements if one.leased.id not in held]


def _still_held(connection: Connection, leased: Sequence[Leased]) -> set[int]:
    """Return the numbers of those whose lease is still the one we were given."""
    epochs = {one.id: one.epoch for one in leased}
    if not epochs:
        return set()
    rows = connection.execute(_HELD, {"ids": list(epochs)})
    return {
        row.id
        for row in rows
        if row.state == State.LEASED and row.epoch == epochs[row.id]
    }


def _row(sealer: Sealer, one: Settlement, now: datetime) -> dict[str, object]:
    after = advance(State.LEASED, one.event)
    leased = one.leased
    where = f"delivery|{leased.id}|{leased.channel}|answer"
    return {
        "number": leased.id,
        "becomes": after.value,
        "wait": one.not_before if after is State.QUEUED else None,
        "beside": int(one.aside and after is State.QUEUED),
        "answered": sealer.seal(one.answer, where) if one.answer else None,
        "kind": one.class_,
        "cause": one.code,
        "words": one.sentence,
        "remark": one.note,
        "then": (one.on_failure or leased.on_failure).value,
        "at": now,
    }


def _count(connection: Connection, settlements: Sequence[Settlement]) -> None:
    ends = Counter(
        (one.leased.channel, one.leased.destination, one.event) for one in settlements
    )
    moves: dict[Move, int] = {}
    for (channel, destination, event), count in ends.items():
        leased = of_deliveries(channel, destination, State.LEASED)
        after = advance(State.LEASED, event)
        moves[leased, of_deliveries(channel, destination, after)] = count
    tally(connection, moves)


def _entry(one: Settlement) -> NewEntry:
    leased = one.leased
    return NewEntry(
        kind=EntryKind.DELIVERY,
        message_id=leased.message_id,
        delivery_id=leased.id,
        channel=leased.channel,
        destination=leased.destination,
        stage="deliver",
        class_=one.class_,
        code=one.code,
        sentence=one.sentence,
        cause=one.cause,
        label=one.label,
        assignee=one.assignee,
    )


def _stop_destinations(
    connection: Connection, sealer: Sealer, failed: Sequence[Settlement], now: datetime
) -> None:
    """Pause the destinations that a failure stops."""
    places = {
        (one.leased.channel, one.leased.destination): one.sentence
        for one in failed
        if (one.on_failure or one.leased.on_failure) is OnFailure.STOP
    }
    for place, sentence in sorted(places.items()):
        order = Order("engine", now, f"on-failure: stop. {sentence}")
        reports.set_run_state(connection, sealer, place, RunState.PAUSED, order)


_EXTEND: Final = (
    update(lane)
    .where(
        lane.c.head_id.in_(bindparam("ids", expanding=True)),
        lane.c.id.in_(bindparam("lanes", expanding=True)),
    )
    .values(next_at=bindparam("until"))
)
_NOTE: Final = (
    update(delivery)
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)))
    .values(note=bindparam("remark"))
)


def extend(
    connection: Connection, leased: Sequence[Leased], until: datetime, note: str = ""
) -> list[int]:
    """Lengthen leases, with a note such as "awaiting application acknowledgment".

    Return the numbers of those that are lost.
    """
    held = _still_held(connection, leased)
    ours = [one for one in leased if one.id in held]
    if ours:
        ids = [one.id for one in ours]
        rows = {"ids": ids, "lanes": [one.lane_id for one in ours], "until": until}
        connection.execute(_EXTEND, rows)
        if note:
            connection.execute(_NOTE, {"ids": ids, "remark": note})
    return [one.id for one in leased if one.id not in held]


_LEASING: Final = select(counter.c.channel, counter.c.destination).where(
    counter.c.subject == "delivery",
    counter.c.state == State.LEASED.value,
    counter.c["count"] > 0,
)
PAGE: Final = 500
"""Leases that end at once: a database takes only so many numbers in one statement."""

_ENDED: Final = (
    select(delivery.c.id, lane.c.id.label("lane_id"))
    .select_from(lane)
    .join(delivery, delivery.c.id == lane.c.head_id)
    .where(
        lane.c.channel == bindparam("of_channel"),
        lane.c.destination == bindparam("of_destination"),
        lane.c.state == LaneState.LEASED.value,
    )
    .limit(PAGE)
    .with_for_update()
)
_QUEUE_AGAIN: Final = (
    update(delivery)
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)))
    .values(state=State.QUEUED.value, owner="", epoch=delivery.c.epoch + 1)
)


def expire(connection: Connection, now: datetime, *, owner: str = "") -> int:
    """Queue again what was leased and whose lease ended; return how many.

    With ``owner`` every lease of that owner ends: a node calls it when it starts. A
    lane that stays leased because a row of it is damaged is left: the others go on,
    and `interop store verify` names it.
    """
    ended = delivery.c.owner == owner if owner else lane.c.next_at < now
    places = connection.execute(_LEASING).all()
    total = 0
    for place in places:
        where = {"of_channel": place.channel, "of_destination": place.destination}
        done: set[int] = set()
        while rows := connection.execute(_ENDED.where(ended), where).all():
            if done.issuperset(row.id for row in rows):
                break
            done.update(row.id for row in rows)
            total += len(rows)
            _expire_at(connection, (place.channel, place.destination), rows, now)
    return total


def _expire_at(
    connection: Connection,
    place: tuple[str, str],
    rows: Sequence[Found],
    now: datetime,
) -> None:
    after = advance(State.LEASED, Event.LEASE_EXPIRED)
    connection.execute(_QUEUE_AGAIN, {"ids": [row.id for row in rows]})
    lanes.refresh(connection, [row.lane_id for row in rows], now)
    leased, queued = of_deliveries(*place, State.LEASED), of_deliveries(*place, after)
    tally(connection, {(leased, queued): len(rows)})
