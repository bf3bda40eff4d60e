"""A message that a person edited, to be journaled as a new one; the old one stays.

Only the edge writes the journal, so this is an order to it: a row here, taken up and
settled. Whoever asks never waits for the edge, and an edge that is down takes it later.

Spec:
    console.md S4 (edit and resend) and 7 (orders are rows); architecture.md 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from engine.errors import IllegalTransitionError
from engine.store import audit, journal
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.edited_tables import edited_copy
from engine.store.message_state import MessageState
from engine.store.messages import discard
from engine.store.seal import Sealer
from engine.store.tables import message

MOST_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class EditedCopy:
    """An order as it is shown; ``message_id`` is 0 until the copy is journaled."""

    id: int
    origin: int
    message_id: int
    channel: str
    actor: str
    refusal: str
    gives_up: bool
    asked_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order for the edge; ``data`` are the bytes to journal."""

    id: int
    origin: int
    channel: str
    data: bytes


_WAITS: Final = (
    edited_copy.c.message_id == literal_column("0"),
    edited_copy.c.refusal == literal_column("''"),
)
_WAITING: Final = (
    select(edited_copy)
    .where(*_WAITS)
    .order_by(edited_copy.c.id)
    .limit(bindparam("most"))
)
_PENDING: Final = select(edited_copy.c.actor).where(
    edited_copy.c.origin == bindparam("of"), *_WAITS
)
_OF_ORIGIN: Final = (
    select(edited_copy)
    .where(edited_copy.c.origin == bindparam("of"))
    .order_by(edited_copy.c.id)
)
_OF_COPY: Final = select(edited_copy).where(
    edited_copy.c.message_id == bindparam("of"),
    edited_copy.c.message_id != literal_column("0"),
)
_ONE: Final = (
    select(edited_copy)
    .where(edited_copy.c.id == bindparam("of"), *_WAITS)
    .with_for_update()
)
_STATE: Final = select(message.c.state).where(message.c.id == bindparam("of"))
_SETTLE: Final = (
    update(edited_copy)
    .where(edited_copy.c.id == bindparam("of"))
    .values(message_id=bindparam("becomes"), refusal=bindparam("why"), content=None)
)
_GIVEN_UP: Final = frozenset({MessageState.ERROR.value, MessageState.HELD.value})


def ask(
    connection: Connection,
    sealer: Sealer,
    origin: int,
    data: bytes,
    order: Order,
    *,
    gives_up: bool = False,
) -> int:
    """Order an edited copy of a message to be journaled; return the order's number.

    With ``gives_up`` the original leaves the error queue once the copy is on disk.

    Raises:
        IllegalTransitionError: there is no such message, a copy of it waits already,
            or nothing was changed.
    """
    row = journal.row(connection, origin)
    if row is None:
        raise IllegalTransitionError(f"there is no message {origin}")
    if not order.reason.strip():
        raise IllegalTransitionError("an edited copy needs a reason")
    if not data or len(data) > MOST_BYTES:
        raise IllegalTransitionError("the copy is empty, or larger than 16 MiB")
    if journal.content(connection, sealer, origin) == data:
        raise IllegalTransitionError("nothing was changed: reprocess the message")
    earlier = connection.execute(_PENDING, {"of": origin}).scalar()
    if earlier is not None:
        raise IllegalTransitionError(
            f"an edited copy of message {origin}, asked for by {earlier}, waits already"
        )
    [number] = reserve(connection, "edited_copy", 1)
    values: dict[str, object] = {
        "id": number,
        "origin": origin,
        "channel": row.channel,
        "actor": order.actor,
        "gives_up": int(gives_up),
        "asked_at": order.now,
        "reason": sealer.seal(order.reason.encode(), reason_context(number)),
        "content": sealer.seal(data, content_context(number, origin, row.channel)),
    }
    connection.execute(insert(edited_copy), values)
    _audited(connection, sealer, "message.edit", origin, order)
    return number


def reason_context(number: int) -> str:
    """Return what the reason of an order is sealed with."""
    return f"edited_copy|{number}|reason"


def content_context(number: int, origin: int, channel: str) -> str:
    """Return what the bytes of an order are sealed with."""
    return f"edited_copy|{number}|{origin}|{channel}"


def waiting(
    connection: Connection, sealer: Sealer, most: int = 10
) -> Sequence[Waiting]:
    """Return the orders that the edge has not taken up, oldest first."""
    return [
        Waiting(
            row.id,
            row.origin,
            row.channel,
            sealer.open(row.content, content_context(row.id, row.origin, row.channel)),
        )
        for row in connection.execute(_WAITING, {"most": most})
    ]


def journaled(
    connection: Connection, sealer: Sealer, number: int, message_id: int, now: datetime
) -> None:
    """Note the message that an order became; settled already, nothing happens.

    The original is discarded where that was asked for and it still needs a person.
    """
    row = connection.execute(_ONE, {"of": number}).one_or_none()
    if row is None:
        return
    connection.execute(_SETTLE, {"of": number, "becomes": message_id, "why": ""})
    reason = f"replaced by message {message_id}"
    order = Order(row.actor, now, f"edited copy of message {row.origin}")
    _audited(connection, sealer, "message.edited", message_id, order)
    state = connection.execute(_STATE, {"of": row.origin}).scalar()
    if row.gives_up and state in _GIVEN_UP:
        discard(connection, sealer, [row.origin], Order(row.actor, now, reason))


def refuse(
    connection: Connection, sealer: Sealer, number: int, cause: str, now: datetime
) -> None:
    """Note why the edge did not take an order; ``cause`` is a stable word."""
    row = connection.execute(_ONE, {"of": number}).one_or_none()
    if row is None:
        return
    connection.execute(_SETTLE, {"of": number, "becomes": 0, "why": cause})
    order = Order(audit.ENGINE, now, cause)
    _audited(connection, sealer, "message.edit-refused", row.origin, order)


def copies(connection: Connection, sealer: Sealer, message_id: int) -> list[EditedCopy]:
    """Return what was made of a message, and what it was made of, oldest first."""
    asked = {"of": message_id}
    rows = [
        *connection.execute(_OF_COPY, asked),
        *connection.execute(_OF_ORIGIN, asked),
    ]
    return [
        EditedCopy(
            row.id,
            row.origin,
            row.message_id,
            row.channel,
            row.actor,
            row.refusal,
            bool(row.gives_up),
            row.asked_at,
            sealer.open(row.reason, reason_context(row.id)).decode(),
        )
        for row in rows
    ]


def _audited(
    connection: Connection, sealer: Sealer, what: str, number: int, order: Order
) -> None:
    act = Act(order.now, order.actor, what, f"message {number}", order.reason)
    audit.write(connection, sealer, [act])
