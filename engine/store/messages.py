"""What operators do to messages: reprocess, release, discard."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from engine.errors import IllegalTransitionError
from engine.store import audit, error_queue
from engine.store.audit import Act, Order
from engine.store.counters import Move, chunks, of_messages, tally
from engine.store.delivery_moves import drop_unsent
from engine.store.dialect import put
from engine.store.message_state import MessageEvent, MessageState, advance_message
from engine.store.schema import is_word
from engine.store.seal import Sealer
from engine.store.tables import held_person, journal_message, message, redo

HELD_BATCH: Final = "batch-count-mismatch"
"""The code of the first message of a batch that is held as a whole."""

_BATCH_HEADS: Final = select(message.c.id).where(
    message.c.id.in_(bindparam("ids", expanding=True)),
    message.c.code == HELD_BATCH,
    is_word(message.c.state, MessageState.HELD),
)
_NAMED: Final = (
    select(message.c.id, message.c.channel, message.c.state)
    .where(message.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(message.c.id)
    .with_for_update()
)
_PURGED: Final = select(journal_message.c.id).where(
    journal_message.c.id.in_(bindparam("ids", expanding=True)),
    journal_message.c.content.is_(None),
)
_BEHIND: Final = select(message.c.id).where(
    message.c.behind.in_(bindparam("ids", expanding=True)),
    is_word(message.c.state, MessageState.HELD),
)
_MOVE: Final = (
    update(message)
    .where(message.c.id.in_(bindparam("ids", expanding=True)))
    .values(state=bindparam("becomes"), reason=bindparam("words"), behind=None)
)
_UNBLOCK: Final = delete(held_person).where(
    held_person.c.message_id.in_(bindparam("ids", expanding=True))
)


def reprocess(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Bring messages back to *received*; return how many.

    Their unsent deliveries are discarded, their error-queue entries closed, and what
    waits behind them is released. The channel's worker takes them all before new
    messages, in accept order: if one fails again, the others wait again.

    Raises:
        IllegalTransitionError: one of them is *received* or *held*, or its content is
            purged.
    """
    moved = bring_back(connection, sealer, ids, order)
    note(connection, sealer, moved, MessageEvent.REPROCESS, order)
    return len(moved)


def bring_back(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> list[int]:
    """Do what `reprocess` does, but for the audit rows of these; return them."""
    moved = _move(connection, ids, MessageEvent.REPROCESS, order)
    drop_unsent(connection, moved, order)
    _let_go(connection, sealer, ids, order)
    return moved


def release(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Bring held messages, and all that wait behind them, back to *received*.

    Return how many.

    Raises:
        IllegalTransitionError: one of them is not held.
    """
    moved = _move(connection, set(ids), MessageEvent.RELEASE, order)
    note(connection, sealer, moved, MessageEvent.RELEASE, order)
    return len(moved) + len(_let_go(connection, sealer, ids, order))


def discard(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Give up held or errored messages: they become *filtered*, with the reason.

    What waits behind a held one is released, but a batch is discarded whole. Return
    how many were discarded.

    Raises:
        IllegalTransitionError: one of them is in another state.
    """
    ids = {*ids, *_behind(connection, _batch_heads(connection, ids))}
    moved = _move(connection, ids, MessageEvent.DISCARD, order)
    note(connection, sealer, moved, MessageEvent.DISCARD, order)
    _let_go(connection, sealer, ids, order)
    return len(moved)


def _let_go(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> list[int]:
    """Release what waits behind messages that have moved; return it.

    Asked after they moved: a worker that saw them held (`results.blocked`) has
    committed by then what it lets wait for them.
    """
    waiting = set(_behind(connection, ids)).difference(ids)
    released = _move(connection, waiting, MessageEvent.RELEASE, order)
    note(connection, sealer, released, MessageEvent.RELEASE, order)
    return released


def _batch_heads(connection: Connection, ids: Collection[int]) -> list[int]:
    return [
        number
        for some in chunks(ids)
        for number in connection.execute(_BATCH_HEADS, {"ids": some}).scalars()
    ]


def _behind(connection: Connection, ids: Collection[int]) -> list[int]:
    """Return the held messages that wait for these."""
    return [
        number
        for some in chunks(ids)
        for number in connection.execute(_BEHIND, {"ids": some}).scalars()
    ]


def _move(
    connection: Connection, ids: Collection[int], event: MessageEvent, order: Order
) -> list[int]:
    """Make one move with each message, with all that goes along; return them."""
    return [
        number
        for some in chunks(ids)
        for number in _move_some(connection, some, event, order)
    ]


def _move_some(
    connection: Connection, ids: Sequence[int], event: MessageEvent, order: Order
) -> list[int]:
    rows = connection.execute(_NAMED, {"ids": ids}).all()
    after = {row.id: advance_message(MessageState(row.state), event) for row in rows}
    moves: Counter[Move] = Counter(
        (of_messages(row.channel, row.state), of_messages(row.channel, after[row.id]))
        for row in rows
    )
    moved = [row.id for row in rows]
    if moved:
        _write(connection, moved, event, order)
        tally(connection, moves)
    if event is not MessageEvent.DISCARD:
        _refuse_purged(connection, moved)
        again: list[dict[str, object]] = [
            {
                "message_id": row.id,
                "channel": row.channel,
                "asked_at": order.now,
                "tries": 0,
            }
            for row in rows
        ]
        put(connection, redo, again)
    return moved


def _write(
    connection: Connection, ids: Sequence[int], event: MessageEvent, order: Order
) -> None:
    becomes, words = MessageState.RECEIVED, ""
    if event is MessageEvent.DISCARD:
        becomes, words = MessageState.FILTERED, f"discarded by {order.actor}"
        words += f": {order.reason}" if order.actor == audit.ENGINE else ""
    connection.execute(_MOVE, {"ids": ids, "becomes": becomes.value, "words": words})
    connection.execute(_UNBLOCK, {"ids": ids})
    error_queue.close_for_messages(connection, ids, order, event.value)


def _refuse_purged(connection: Connection, ids: Sequence[int]) -> None:
    purged = connection.execute(_PURGED, {"ids": ids}).scalars().all()
    if purged:
        raise IllegalTransitionError(
            f"The content of message {purged[0]} was removed by retention: it cannot "
            "be processed again."
        )


def note(
    connection: Connection,
    sealer: Sealer,
    ids: Sequence[int],
    event: MessageEvent,
    order: Order,
) -> None:
    """Write the audit rows of a move."""
    acts = [
        Act(order.now, order.actor, f"message.{event}", f"message {one}", order.reason)
        for one in ids
    ]
    audit.write(connection, sealer, acts)
