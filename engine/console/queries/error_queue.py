"""What can be done about a group of the error queue.

Spec:
    console.md S5; cli.md 3 (errors).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from engine.store import audit, delivery_moves, error_queue, messages
from engine.store.audit import Act, Order
from engine.store.database import Connection
from engine.store.error_queue import Comment, Entry
from engine.store.seal import Sealer
from engine.store.words import EntryKind

Move = Callable[[Connection, Sealer, Collection[int], Order], int]

ALL: Final = 100_000
"""More entries than this of one group are moved in several goes."""

SAMPLE: Final = 5
"""So many are tried first where a group has more."""


def retry(
    connection: Connection, sealer: Sealer, found: Sequence[Entry], order: Order
) -> int:
    """Process messages again, release held ones, send deliveries again.

    Entries that somebody has seen to since they were read are left out: what went out
    on that retry is not sent twice.

    Raises:
        IllegalTransitionError: one of them was moved meanwhile; nothing is written.
    """
    left = _still_open(connection, found)
    held = [each for each in left if each.kind is EntryKind.HELD]
    others = [each for each in left if each.kind is not EntryKind.HELD]
    again = (messages.reprocess, delivery_moves.resend)
    on = (messages.release, delivery_moves.resend)
    return sum(
        _move(connection, sealer, some, moves, order)
        for some, moves in ((others, again), (held, on))
    )


def discard(
    connection: Connection, sealer: Sealer, found: Sequence[Entry], order: Order
) -> int:
    """Give up messages or deliveries for good; entries seen to meanwhile are left out.

    Raises:
        IllegalTransitionError: one of them was moved meanwhile; nothing is written.
    """
    moves = (messages.discard, delivery_moves.discard)
    return _move(connection, sealer, _still_open(connection, found), moves, order)


def _still_open(connection: Connection, found: Sequence[Entry]) -> list[Entry]:
    left = error_queue.open_among(connection, [each.id for each in found])
    return [each for each in found if each.id in left]


def assign(
    connection: Connection,
    sealer: Sealer,
    found: Sequence[Entry],
    assignee: str,
    order: Order,
) -> int:
    """Give open entries to a person or a team, or to nobody; return how many."""
    count = error_queue.assign(connection, [each.id for each in found], assignee)
    _note(connection, sealer, found, "assign", Order(order.actor, order.now, assignee))
    return count


def comment(
    connection: Connection, sealer: Sealer, found: Sequence[Entry], order: Order
) -> int:
    """Keep what a person has to say, the order's reason, beside the oldest entry.

    It may name a patient, so the audit trail says only that something was said.
    """
    for each in found[:1]:
        said = Comment(order.now, order.actor, order.reason)
        error_queue.add_comment(connection, sealer, each.id, said)
    _note(connection, sealer, found[:1], "comment", Order(order.actor, order.now, ""))
    return len(found[:1])


def _note(
    connection: Connection,
    sealer: Sealer,
    found: Sequence[Entry],
    what: str,
    order: Order,
) -> None:
    messages = dict.fromkeys(each.message_id for each in found)
    acts = [
        Act(order.now, order.actor, f"error.{what}", f"message {number}", order.reason)
        for number in messages
    ]
    if acts:
        audit.write(connection, sealer, acts)


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
