"""What operators do to deliveries: resend, discard; and what they hold."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from engine.store import audit, error_queue, lanes
from engine.store.audit import Act, Order
from engine.store.contexts import BOUND, Bound, of_document, of_name
from engine.store.counters import Move, chunks, of_deliveries, tally
from engine.store.delivery_state import Event, State, advance
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.tables import delivery, rendered

_NAMED: Final = (
    select(
        delivery.c.id,
        delivery.c.channel,
        delivery.c.destination,
        delivery.c.lane_id,
        delivery.c.state,
    )
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(delivery.c.id)
    .with_for_update()
)
_UNSENT: Final = select(delivery.c.id).where(
    delivery.c.message_id.in_(bindparam("ids", expanding=True)),
    delivery.c.state.in_([State.QUEUED.value, State.FAILED.value]),
    delivery.c.event == 0,  # a correction is not what the message says itself
)
_MOVE: Final = (
    update(delivery)
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=bindparam("becomes"),
        note=bindparam("remark"),
        not_before=None,
        aside=0,
    )
)
_CONTENT: Final = (
    select(*BOUND, rendered.c.content, rendered.c.name, delivery.c.answer)
    .select_from(delivery)
    .join(rendered, rendered.c.delivery_id == delivery.c.id, isouter=True)
    .where(delivery.c.id == bindparam("number"))
)


def resend(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Queue failed or delivered deliveries again, in order; return how many.

    Raises:
        IllegalTransitionError: one of them is in another state.
    """
    moved = _move(connection, ids, Event.RESEND, order)
    _audit(connection, sealer, moved, "delivery.resend", order)
    return len(moved)


def discard(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Give up queued or failed deliveries for good; return how many.

    Raises:
        IllegalTransitionError: one of them is in another state.
    """
    moved = _move(connection, ids, Event.DISCARD, order)
    _audit(connection, sealer, moved, "delivery.discard", order)
    return len(moved)


def drop_unsent(
    connection: Connection, message_ids: Collection[int], order: Order
) -> int:
    """Discard what these messages' earlier attempts had not sent; return how many."""
    unsent = [
        number
        for some in chunks(message_ids)
        for number in connection.execute(_UNSENT, {"ids": some}).scalars()
    ]
    return len(_move(connection, unsent, Event.DISCARD, order))


def _move(
    connection: Connection, ids: Collection[int], event: Event, order: Order
) -> list[int]:
    """Make one move with each delivery, and put its lane right."""
    moved: list[int] = []
    for some in chunks(ids):
        lanes.lock(connection, some)
        rows = connection.execute(_NAMED, {"ids": some}).all()
        after = {row.id: advance(State(row.state), event) for row in rows}
        moves = Counter(_counters(row, after[row.id]) for row in rows)
        moved += after
        _write(connection, rows, event, order)
        tally(connection, moves)
    return moved


def _counters(row: Found, after: State) -> Move:
    place = (row.channel, row.destination)
    return of_deliveries(*place, State(row.state)), of_deliveries(*place, after)


def _write(
    connection: Connection, rows: Collection[Found], event: Event, order: Order
) -> None:
    ids = [row.id for row in rows]
    if not ids:
        return
    state = State.QUEUED if event is Event.RESEND else State.DISCARDED
    remark = f"{event} by {order.actor}"
    connection.execute(_MOVE, {"ids": ids, "becomes": state.value, "remark": remark})
    error_queue.close_for_deliveries(connection, ids, order, event.value)
    if event is Event.RESEND:
        lanes.restore(connection, ids, order.now)
    lanes.refresh(connection, {row.lane_id for row in rows}, order.now)


def _audit(
    connection: Connection,
    sealer: Sealer,
    ids: Collection[int],
    action: str,
    order: Order,
) -> None:
    acts = [
        Act(order.now, order.actor, action, f"delivery {number}", order.reason)
        for number in ids
    ]
    audit.write(connection, sealer, acts)


def content(
    connection: Connection, sealer: Sealer, delivery_id: int
) -> tuple[bytes, str] | None:
    """Return the document and its name; None when unknown or purged."""
    row = connection.execute(_CONTENT, {"number": delivery_id}).one_or_none()
    if row is None or row.content is None:
        return None
    bound = Bound(*row[: len(BOUND)])
    name = sealer.open(row.name, *of_name(bound)).decode() if row.name else ""
    return sealer.open(row.content, *of_document(bound)), name


def answer(connection: Connection, sealer: Sealer, delivery_id: int) -> bytes:
    """Return the bytes of the last answer, or nothing."""
    row = connection.execute(_CONTENT, {"number": delivery_id}).one_or_none()
    if row is None or row.answer is None:
        return b""
    return sealer.open(row.answer, f"delivery|{delivery_id}|{row.channel}|answer")
