"""What can be done about a group of the error queue.

Spec:
    console.md S5; cli.md 3 (errors).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from engine.store import delivery_moves, messages
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.error_queue import Entry
from engine.store.seal import Sealer
from engine.store.words import EntryKind

Move = Callable[[Connection, Sealer, Collection[int], Order], int]

ALL: Final = 100_000
"""More entries than this of one group are moved in several goes."""


def retry(
    connection: Connection, sealer: Sealer, found: Sequence[Entry], order: Order
) -> int:
    """Process messages again, release held ones, send deliveries again.

    Raises:
        IllegalTransitionError: one of them was moved meanwhile; nothing is written.
    """
    held = [each for each in found if each.kind is EntryKind.HELD]
    others = [each for each in found if each.kind is not EntryKind.HELD]
    again = (messages.reprocess, delivery_moves.resend)
    on = (messages.release, delivery_moves.resend)
    return sum(
        _move(connection, sealer, some, moves, order)
        for some, moves in ((others, again), (held, on))
    )


def discard(
    connection: Connection, sealer: Sealer, found: Sequence[Entry], order: Order
) -> int:
    """Give up messages or deliveries for good.

    Raises:
        IllegalTransitionError: one of them was moved meanwhile; nothing is written.
    """
    moves = (messages.discard, delivery_moves.discard)
    return _move(connection, sealer, found, moves, order)


def _move(
    connection: Connection,
    sealer: Sealer,
    found: Sequence[Entry],
    moves: tuple[Move, Move],
    order: Order,
) -> int:
    """Move the messages, then the deliveries that entries are about."""
    sent = sorted({each.delivery_id for each in found if each.delivery_id})
    rest = sorted({each.message_id for each in found if not each.delivery_id})
    return sum(
        move(connection, sealer, ids, order)
        for move, ids in zip(moves, (rest, sent), strict=True)
        if ids
    )
