"""Summaries to be made though no message causes them: ordered, or due once a day.

Spec:
    cda.md 2, scope and trigger of a CCD.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from engine.store import audit, links
from engine.store.audit import Act, Order
from engine.store.dialect import put
from engine.store.document_tables import document_order, document_round
from engine.store.message_state import MessageState
from engine.store.patient_tables import decision, record
from engine.store.plain_sql import fetcher
from engine.store.seal import Sealer
from engine.store.tables import message

Place = tuple[str, str]
"""A channel and its destination."""

_WAITING: Final = (
    "SELECT EXISTS (SELECT 1 FROM engine.document_order WHERE channel = ?)"
)
_NEXT: Final = (
    select(document_order.c.destination, document_order.c.person)
    .where(document_order.c.channel == bindparam("channel"))
    .order_by(document_order.c.ordered_at, document_order.c.person)
    .limit(bindparam("limit"))
)
_LAST: Final = (
    select(func.max(message.c.id))
    .select_from(record)
    .join(decision, decision.c.record == record.c.id)
    .join(message, message.c.id == decision.c.message)
    .where(
        record.c.person == bindparam("person"),
        message.c.channel == bindparam("channel"),
        message.c.state == MessageState.PROCESSED.value,
    )
)
_HEARD_OF: Final = (
    select(message.c.person)
    .distinct()
    .where(
        message.c.channel == bindparam("channel"),
        message.c.state == MessageState.PROCESSED.value,
        message.c.person != "",
        message.c.processed_at > bindparam("after"),
        message.c.processed_at <= bindparam("until"),
    )
)
_ROUND: Final = select(document_round.c.until).where(
    document_round.c.channel == bindparam("channel"),
    document_round.c.destination == bindparam("destination"),
)


def place(
    connection: Connection,
    channel: str,
    destination: str,
    persons: Iterable[str],
    now: datetime,
) -> None:
    """Order a summary of each person; one that waits already stays the one it is."""
    rows: list[dict[str, object]] = [
        {
            "channel": channel,
            "destination": destination,
            "person": person,
            "ordered_at": now,
        }
        for person in persons
    ]
    put(connection, document_order, rows)


def order(
    connection: Connection,
    sealer: Sealer,
    found: Mapping[str, Sequence[Place]],
    asked: Order,
) -> None:
    """Order a summary of each person at each of their places, and audit it.

    ``found`` is what `heard_of` returned for each.
    """
    acts = []
    for person, places in found.items():
        today = links.resolved(connection, person)
        for channel, destination in places:
            place(connection, channel, destination, [today], asked.now)
            detail = f"{channel}/{destination}: {asked.reason}"
            what = "order-document"
            acts.append(Act(asked.now, asked.actor, what, f"person {today}", detail))
    audit.write(connection, sealer, acts)


def heard_of(
    connection: Connection, person: str, places: Iterable[Place]
) -> list[Place]:
    """Return where a processed message spoke of a person, or of whom they are now."""
    today = links.resolved(connection, person)
    return [each for each in places if last_message(connection, each[0], today)]


def is_waiting(connection: Connection, channel: str) -> bool:
    """Whether a channel has summaries to make."""
    [[found]] = fetcher(connection)(_WAITING, (channel,))
    return bool(found)


def waiting(
    connection: Connection, channel: str, limit: int
) -> Sequence[tuple[str, str]]:
    """Return destination and person of the next orders, oldest first."""
    rows = connection.execute(_NEXT, {"channel": channel, "limit": limit})
    return [(row.destination, row.person) for row in rows]


def finish(
    connection: Connection, channel: str, orders: Sequence[tuple[str, str]]
) -> None:
    """Take orders off the list."""
    for destination, person in orders:
        connection.execute(
            delete(document_order).where(
                document_order.c.channel == channel,
                document_order.c.destination == destination,
                document_order.c.person == person,
            )
        )


def last_message(connection: Connection, channel: str, person: str) -> int:
    """Return the last processed message of a channel about a person, 0 for none."""
    where = {"channel": channel, "person": person}
    found: int | None = connection.execute(_LAST, where).scalar()
    return found or 0


def order_round(
    connection: Connection, channel: str, destination: str, due: datetime
) -> int:
    """Order a summary of everybody heard of since the last round; return how many.

    The first round of a destination only begins to count. Of two processes that find a
    round due at the same moment, one makes it.
    """
    place_of = {"channel": channel, "destination": destination}
    before = connection.execute(_ROUND, place_of).scalar()
    if before is None:
        put(connection, document_round, [{**place_of, "until": due}])
    if before is None or before >= due:
        return 0
    moved = connection.execute(
        update(document_round)
        .where(
            document_round.c.channel == channel,
            document_round.c.destination == destination,
            document_round.c.until == before,
        )
        .values(until=due)
    )
    if moved.rowcount != 1:
        return 0
    span = {"channel": channel, "after": before, "until": due}
    persons = list(connection.execute(_HEARD_OF, span).scalars())
    place(connection, channel, destination, persons, due)
    return len(persons)


def is_due(
    connection: Connection, channel: str, destination: str, due: datetime
) -> bool:
    """Whether a round has not been made yet."""
    where = {"channel": channel, "destination": destination}
    before: datetime | None = connection.execute(_ROUND, where).scalar()
    return before is None or before < due
