"""What operators do to messages before they go out: hold them until a release.

The order stands in a table of its own until the channel's worker gets to the message:
only processing knows by which keys later messages of its person have to wait. Until
then nothing that comes after it is processed, and nothing of it goes out.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select

from engine.errors import IllegalTransitionError
from engine.store import lanes, messages
from engine.store.audit import Order
from engine.store.delivery_moves import drop_unsent
from engine.store.delivery_state import State
from engine.store.dialect import put
from engine.store.message_state import MessageEvent, MessageState
from engine.store.schema import Found, is_word
from engine.store.seal import Sealer
from engine.store.tables import delivery, hold_order, journal_message, message, redo

HELD_BY_PERSON: Final = "held-by-person"
"""The code of messages that a person holds."""
MOST_BEHIND: Final = 500
"""Later messages that one hold brings back; for more, a destination is paused."""

_STANDS: Final = (
    select(
        journal_message.c.channel,
        message.c.state,
        message.c.attempt,
        message.c.person,
        redo.c.message_id.label("again"),
        hold_order.c.actor,
    )
    .select_from(journal_message)
    .join(message, message.c.id == journal_message.c.id, isouter=True)
    .join(redo, redo.c.message_id == journal_message.c.id, isouter=True)
    .join(hold_order, hold_order.c.message_id == journal_message.c.id, isouter=True)
    .where(journal_message.c.id == bindparam("number"))
)
_OWN: Final = (
    select(delivery.c.id, delivery.c.lane_id, delivery.c.destination, delivery.c.state)
    .where(
        delivery.c.message_id == bindparam("number"),
        delivery.c.attempt == bindparam("tried"),
        delivery.c.event == 0,  # a correction is not what the message says itself
    )
    .order_by(delivery.c.id)
)
_EARLIER: Final = (
    select(delivery.c.id, delivery.c.destination, delivery.c.state)
    .where(delivery.c.message_id == bindparam("number"), delivery.c.event == 0)
    .order_by(delivery.c.id)
)
_LATER: Final = (
    select(message.c.id)
    .distinct()
    .join(delivery, delivery.c.message_id == message.c.id)
    .where(
        delivery.c.lane_id.in_(bindparam("lanes", expanding=True)),
        delivery.c.id > bindparam("first"),
        delivery.c.event == 0,
        is_word(delivery.c.state, State.QUEUED),
        message.c.id > bindparam("number"),
        message.c.person == bindparam("whose"),
    )
    .order_by(message.c.id)
    .limit(MOST_BEHIND + 1)
)
"""The later messages of the same person that wait in the same lanes."""
_GONE: Final = (
    select(delivery.c.message_id, delivery.c.destination)
    .join(message, message.c.id == delivery.c.message_id)
    .where(
        message.c.id.in_(bindparam("ids", expanding=True)),
        delivery.c.attempt == message.c.attempt,
        delivery.c.event == 0,
        delivery.c.state.in_([State.LEASED.value, State.DELIVERED.value]),
    )
    .limit(1)
)
_ASKED: Final = select(hold_order.c.message_id, hold_order.c.actor).where(
    hold_order.c.channel == bindparam("name")
)
_DONE: Final = delete(hold_order).where(
    hold_order.c.message_id.in_(bindparam("ids", expanding=True))
)
_LOCKS: Final = 7309477

Asked = Mapping[int, str]
"""Message: who wants it held."""


def hold(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Keep messages from going out until they are released; return how many.

    Unsent deliveries are discarded. Later messages of the same person wait behind, also
    those that were processed and are not sent yet.

    Raises:
        IllegalTransitionError: there is no such message, it is filtered or held, or
            something of it, or of one that would wait behind it, has gone out.
    """
    for number in sorted(set(ids)):
        _hold(connection, sealer, number, order)
    return len(set(ids))


def _hold(connection: Connection, sealer: Sealer, number: int, order: Order) -> None:
    found = _standing(connection, number)
    if found.state in (MessageState.PROCESSED, MessageState.ERROR):
        behind = _unsent_behind(connection, number, found)
        messages.bring_back(connection, sealer, [number], order)
        if behind:
            why = f"waits behind message {number}: {order.reason}"
            messages.reprocess(
                connection, sealer, behind, Order(order.actor, order.now, why)
            )
    else:
        _stop_earlier(connection, number, order)
    row: dict[str, object] = {
        "message_id": number,
        "channel": found.channel,
        "actor": order.actor,
        "asked_at": order.now,
    }
    put(connection, hold_order, [row])
    messages.note(connection, sealer, [number], MessageEvent.HOLD, order)


def _standing(connection: Connection, number: int) -> Found:
    """Return how a message stands, which no worker changes before the commit."""
    where = {"number": number}
    found = connection.execute(_STANDS, where).one_or_none()
    if found is None:
        raise IllegalTransitionError(f"there is no message {number}")
    alone(connection, found.channel)
    found = connection.execute(_STANDS, where).one()
    if found.actor is not None:
        raise IllegalTransitionError(
            f"message {number} is going to be held for {found.actor}"
        )
    if found.state in (MessageState.FILTERED, MessageState.HELD):
        raise IllegalTransitionError(f"message {number} is {found.state}: it stays")
    if found.state == MessageState.RECEIVED and found.again is None:
        sentence = f"message {number} is a part that waits for the others"
        raise IllegalTransitionError(f"{sentence}: hold the last one when it has come")
    return found


def _unsent_behind(connection: Connection, number: int, found: Found) -> list[int]:
    """Return the later messages that have to wait for this one, none of them sent."""
    where = {"number": number, "tried": found.attempt}
    lanes.lock(connection, [row.id for row in connection.execute(_OWN, where)])
    own = connection.execute(_OWN, where).all()
    for row in own:
        if row.state in (State.LEASED, State.DELIVERED):
            raise _gone(number, row.destination)
    queued = [row for row in own if row.state == State.QUEUED]
    if found.state == MessageState.PROCESSED and not queued:
        raise IllegalTransitionError(f"nothing of message {number} waits to be sent")
    later = _later(connection, number, found, queued) if queued else []
    gone = connection.execute(_GONE, {"ids": later}).first() if later else None
    if gone is not None:
        raise _gone(gone.message_id, gone.destination)
    return later


def _stop_earlier(connection: Connection, number: int, order: Order) -> None:
    """Discard what is left unsent of earlier processing: a try that came to nothing.

    It was being sent when the message was brought back, and waits for its next try.
    """
    own = connection.execute(_EARLIER, {"number": number}).all()
    lanes.lock(connection, [row.id for row in own])
    for row in connection.execute(_EARLIER, {"number": number}):
        if row.state == State.LEASED:
            raise _gone(number, row.destination)
    drop_unsent(connection, [number], order)


def _later(
    connection: Connection, number: int, found: Found, queued: Collection[Found]
) -> list[int]:
    where = {
        "lanes": [row.lane_id for row in queued],
        "first": min(row.id for row in queued),
        "number": number,
        "whose": found.person,
    }
    later = list(connection.execute(_LATER, where).scalars())
    if len(later) > MOST_BEHIND:
        raise IllegalTransitionError(
            f"more than {MOST_BEHIND} messages wait behind message {number}: pause its "
            "destinations instead"
        )
    return later


def _gone(number: int, destination: str) -> IllegalTransitionError:
    return IllegalTransitionError(
        f"message {number} was sent to {destination}, or is being sent"
    )


def asked(connection: Connection, channel: str) -> Asked:
    """Return the orders of a channel that its worker has not got to."""
    rows = connection.execute(_ASKED, {"name": channel})
    return {row.message_id: row.actor for row in rows}


def asked_of(connection: Connection, number: int) -> str:
    """Return who wants a message held that its worker has not got to, or nothing."""
    found = connection.execute(_STANDS, {"number": number}).one_or_none()
    return "" if found is None or found.actor is None else found.actor


def carried_out(connection: Connection, ids: Collection[int]) -> None:
    """Forget orders: the worker got to these messages."""
    connection.execute(_DONE, {"ids": list(ids)})


def alone(connection: Connection, channel: str) -> None:
    """Wait until nobody else processes or holds messages of a channel, then begin.

    For databases with several writers; whoever goes on sees what the other has written.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_ALONE, {"lock": _LOCKS, "name": channel})


_ALONE: Final = select(
    func.pg_advisory_xact_lock(bindparam("lock"), func.hashtext(bindparam("name")))
)
