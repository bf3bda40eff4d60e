"""Which delivery is the head of each lane, after anything has changed.

A lane's row exists while it has undelivered work. The rule, whole: a head that is
leased stays; a head that failed keeps its lane parked, unless the lane may go on;
otherwise the oldest queued delivery is the head, and without one the row goes.
Deliveries set aside until their retry is due do not count before that.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Connection,
    ScalarSelect,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from engine.store.counters import chunks
from engine.store.delivery_state import State
from engine.store.dialect import bulk, put
from engine.store.schema import Found, is_word
from engine.store.tables import delivery, lane, message
from engine.store.words import LaneState, OnFailure

_head = delivery.alias("head")
_next = delivery.alias("next")
_later = delivery.alias("later")


def _oldest_due() -> ScalarSelect[int]:
    """Return the oldest queued delivery of the lane that is not set aside."""
    due = or_(_next.c.aside == 0, _next.c.not_before <= bindparam("now"))
    return (
        select(_next.c.id)
        .where(_next.c.lane_id == lane.c.id, is_word(_next.c.state, State.QUEUED), due)
        .order_by(_next.c.id)
        .limit(1)
        .correlate(lane)
        .scalar_subquery()
    )


def _first_aside() -> ScalarSelect[int]:
    """Return the delivery set aside that is due first."""
    return (
        select(_later.c.id)
        .where(_later.c.lane_id == lane.c.id, is_word(_later.c.state, State.QUEUED))
        .order_by(_later.c.not_before, _later.c.id)
        .limit(1)
        .correlate(lane)
        .scalar_subquery()
    )


_new = delivery.alias("new")
_HEADS: Final = (
    select(
        lane.c.id,
        lane.c.head_id,
        lane.c.state,
        _head.c.state.label("head_state"),
        _head.c.on_failure,
        _new.c.id.label("new_id"),
        _new.c.not_before,
    )
    .select_from(lane)
    .join(_head, _head.c.id == lane.c.head_id, isouter=True)
    .join(
        _new,
        _new.c.id == func.coalesce(_oldest_due(), _first_aside()),
        isouter=True,
    )
    .where(lane.c.id.in_(bindparam("ids", expanding=True)))
)
"""The lanes asked for: the state of their head, and who would be head now."""

_LOCK: Final = (
    select(lane.c.id)
    .where(lane.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(lane.c.id)
    .with_for_update()
)
_LOCK_THEIRS: Final = (
    select(lane.c.id)
    .where(
        lane.c.id.in_(
            select(delivery.c.lane_id).where(
                delivery.c.id.in_(bindparam("ids", expanding=True))
            )
        )
    )
    .order_by(lane.c.id)
    .with_for_update()
)
_MOVE: Final = (
    update(lane)
    .where(lane.c.id == bindparam("lane"))
    .values(
        head_id=bindparam("head"), state=bindparam("stands"), next_at=bindparam("at")
    )
)
_DELETE: Final = delete(lane).where(lane.c.id == bindparam("lane"))
_MISSING: Final = (
    select(delivery.c.lane_id, delivery.c.channel, delivery.c.destination)
    .add_columns(func.max(message.c.person).label("person"))
    .add_columns(func.min(delivery.c.id).label("head_id"))
    .select_from(delivery)
    .join(message, message.c.id == delivery.c.message_id, isouter=True)
    .where(
        delivery.c.id.in_(bindparam("ids", expanding=True)),
        is_word(delivery.c.state, State.QUEUED),
    )
    .group_by(delivery.c.lane_id, delivery.c.channel, delivery.c.destination)
)


def lock(connection: Connection, delivery_ids: Sequence[int]) -> None:
    """Lock the lanes of deliveries: always before the deliveries themselves."""
    connection.execute(_LOCK_THEIRS, {"ids": delivery_ids})


def refresh(
    connection: Connection,
    lane_ids: Collection[int],
    now: datetime,
    *,
    locked: bool = False,
) -> None:
    """Give lanes their heads by the rule of this module, locking them if need be."""
    for ids in chunks(lane_ids):
        if not locked:
            connection.execute(_LOCK, {"ids": ids})
        rows = connection.execute(_HEADS, {"ids": ids, "now": now}).all()
        moves = [move for row in rows if (move := _move(row, now)) is not None]
        bulk(connection, _MOVE, moves)
        bulk(connection, _DELETE, [{"lane": row.id} for row in rows if _is_empty(row)])


def _keeps_head(row: Found) -> bool:
    if row.head_state == State.FAILED:
        return bool(row.on_failure != OnFailure.CONTINUE)
    return bool(row.head_state == State.LEASED)


def _is_empty(row: Found) -> bool:
    return row.new_id is None and not _keeps_head(row)


def _move(row: Found, now: datetime) -> dict[str, object] | None:
    """Return how the lane's row changes, or None when it stays or goes."""
    if _keeps_head(row):
        if row.head_state == State.LEASED or row.state == LaneState.PARKED:
            return None
        return _place(row.id, row.head_id, LaneState.PARKED, now)
    if row.new_id is None:
        return None
    due = now if row.not_before is None else max(now, row.not_before)
    return _place(row.id, row.new_id, LaneState.READY, due)


def _place(
    lane_id: int, head_id: int, state: LaneState, at: datetime
) -> dict[str, object]:
    return {"lane": lane_id, "head": head_id, "stands": state.value, "at": at}


def restore(connection: Connection, delivery_ids: Sequence[int], now: datetime) -> None:
    """Make the rows of lanes that had run empty, for deliveries queued again."""
    for ids in chunks(delivery_ids):
        rows: list[dict[str, object]] = [
            {
                "id": row.lane_id,
                "channel": row.channel,
                "destination": row.destination,
                "person": row.person or "",
                "head_id": row.head_id,
                "state": LaneState.READY.value,
                "next_at": now,
            }
            for row in connection.execute(_MISSING, {"ids": ids})
        ]
        put(connection, lane, sorted(rows, key=lambda row: str(row["id"])))
