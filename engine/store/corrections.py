"""Changes of membership that destinations have to hear of, and how far that has come.

The link events themselves are the order: whatever moved records is corrected by each
channel in turn, in the transaction that queues the deliveries. A crash leaves both or
neither.

Spec:
    identity.md 8, "What a decision sends out".
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, exists, func, select

from engine.identity.corrections import (
    Change,
    Correction,
    Form,
    Receiver,
    change_of,
    changes_membership,
    corrections,
)
from engine.identity.decision import Reason
from engine.identity.person import LinkEvent
from engine.store import links
from engine.store.delivery_state import State
from engine.store.dialect import put
from engine.store.patient_tables import authority, decision, link_event, record
from engine.store.plain_sql import fetcher
from engine.store.tables import corrected, delivery, document

Place = tuple[str, str]
"""A channel and its destination."""

_WAITING: Final = (
    "SELECT min(id) FROM engine.link_event WHERE source <> '' AND id > "
    "(SELECT event FROM engine.corrected WHERE channel = ?)"
)
_CURSOR: Final = select(corrected.c.event).where(
    corrected.c.channel == bindparam("channel")
)
_NEXT: Final = (
    select(link_event.c.id)
    .distinct()
    .where(link_event.c.source != "", link_event.c.id > bindparam("after"))
    .order_by(link_event.c.id)
    .limit(bindparam("limit"))
)
_NEWEST: Final = select(func.coalesce(func.max(link_event.c.id), 0))
_MEMBERS: Final = (
    select(record.c.id, record.c.person, authority.c.key, record.c.message)
    .join(authority, authority.c.id == record.c.authority)
    .where(record.c.person.in_(bindparam("persons", expanding=True)))
    .order_by(record.c.id)
)
_SENT: Final = (
    select(
        delivery.c.channel,
        delivery.c.destination,
        decision.c.record,
        func.max(delivery.c.message_id),
    )
    .join(delivery, delivery.c.message_id == decision.c.message)
    .where(
        decision.c.record.in_(bindparam("records", expanding=True)),
        delivery.c.state != State.DISCARDED.value,
        delivery.c.event == 0,
    )
    .group_by(delivery.c.channel, delivery.c.destination, decision.c.record)
    .order_by(delivery.c.channel, delivery.c.destination, decision.c.record)
)
"""The last message of each record that each destination was sent."""

_newer = document.alias("newer")
_NOTES: Final = (
    select(delivery.c.message_id)
    .distinct()
    .select_from(decision)
    .join(delivery, delivery.c.message_id == decision.c.message)
    .join(document, document.c.message_id == delivery.c.message_id)
    .where(
        decision.c.record.in_(bindparam("records", expanding=True)),
        delivery.c.channel == bindparam("channel"),
        delivery.c.destination == bindparam("destination"),
        delivery.c.state != State.DISCARDED.value,
        ~exists().where(
            _newer.c.set_key == document.c.set_key,
            _newer.c.number > document.c.number,
        ),
    )
    .order_by(delivery.c.message_id)
)
"""Messages of these records whose documents are the last of their sets."""

_TOLD: Final = select(delivery.c.id).where(
    delivery.c.message_id == bindparam("message"),
    delivery.c.channel == bindparam("channel"),
    delivery.c.destination == bindparam("destination"),
    delivery.c.event == 0,
)


def begin(connection: Connection, channel: str) -> None:
    """Let a channel that never ran start with what is decided from now on."""
    if connection.execute(_CURSOR, {"channel": channel}).first() is None:
        finish(connection, channel, newest(connection))


def is_waiting(connection: Connection, channel: str) -> bool:
    """Whether there may be something to correct; it costs as much for any history."""
    [[first]] = fetcher(connection)(_WAITING, (channel,))
    return first is not None


def newest(connection: Connection) -> int:
    """Return the number of the last link event."""
    found: int = connection.execute(_NEWEST).scalar_one()
    return found


def after(connection: Connection, number: int) -> list[LinkEvent]:
    """Return every link event after one, pairs told apart included."""
    later = select(link_event.c.id).distinct().where(link_event.c.id > number)
    numbers = connection.execute(later.order_by(link_event.c.id)).scalars().all()
    return [links.find(connection, each) for each in numbers]


def waiting(connection: Connection, channel: str, limit: int = 20) -> list[LinkEvent]:
    """Return the next events whose corrections a channel has not made."""
    done = connection.execute(_CURSOR, {"channel": channel}).scalar()
    where = {"after": done or 0, "limit": limit}
    numbers = connection.execute(_NEXT, where).scalars().all()
    return [links.find(connection, number) for number in numbers]


def finish(connection: Connection, channel: str, event: int) -> None:
    """Note that a channel's corrections are made up to an event."""
    row: dict[str, object] = {"channel": channel, "event": event}
    put(connection, corrected, [row], replace=("event",))


def planned(
    connection: Connection, event: LinkEvent, forms: Mapping[Place, Form]
) -> tuple[Change, list[Correction]] | None:
    """Return what an event changed and what is sent for it; None for nothing.

    ``forms`` names the destinations that want corrections, and what they are sent.
    """
    if not forms or not changes_membership(event):
        return None
    sides = {"persons": [event.source, event.target]}
    change = change_of(
        event, [tuple(row) for row in connection.execute(_MEMBERS, sides)]
    )
    return change, corrections(change, _receivers(connection, event, change, forms))


def _receivers(
    connection: Connection,
    event: LinkEvent,
    change: Change,
    forms: Mapping[Place, Form],
) -> list[Receiver]:
    sent: dict[Place, dict[int, int]] = {}
    concerned = {"records": [*change.moved, *change.stayed]}
    for channel, destination, number, message in connection.execute(_SENT, concerned):
        sent.setdefault((channel, destination), {})[number] = message
    return [
        Receiver(
            *place,
            forms[place],
            messages,
            _notes(connection, place, change.moved) if _keeps(forms[place]) else (),
            event.reason == Reason.TOLD and _was_told(connection, place, event.message),
        )
        for place, messages in sent.items()
        if place in forms
    ]


def _keeps(form: Form) -> bool:
    return form is Form.NOTE


def _notes(
    connection: Connection, place: Place, records: Sequence[int]
) -> tuple[int, ...]:
    channel, destination = place
    where = {"records": records, "channel": channel, "destination": destination}
    return tuple(connection.execute(_NOTES, where).scalars())


def _was_told(connection: Connection, place: Place, message: int) -> bool:
    channel, destination = place
    where = {"message": message, "channel": channel, "destination": destination}
    return connection.execute(_TOLD, where).first() is not None
