"""Numbers handed out in order, and counts kept so that nothing must be counted."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import (
    Connection,
    Table,
    bindparam,
    func,
    select,
    union_all,
    update,
)

from engine.store.dialect import put, upsert
from engine.store.tables import (
    counter,
    journal_sequence,
    message,
    progress,
    sequence,
)

T = TypeVar("T", int, bytes, str, datetime)

MESSAGE: Final = "message"
DELIVERY: Final = "delivery"
GATE: Final = "gate"
RENDERED, VALIDATED = "rendered", "validated"
_USED: Final = union_all(
    select(func.max(message.c.id).label("id")), select(func.max(progress.c.last_id))
).subquery()
_LAST_USED: Final = select(func.max(_USED.c.id))


class Counted(NamedTuple):
    """What one counter counts; ``destination`` is empty for messages.

    What stands before the output gate has the states `RENDERED`, for every Bundle made
    for a destination, and `VALIDATED`, for those of them that the gate looked at.
    """

    subject: str
    channel: str
    destination: str
    state: str


def of_messages(channel: str, state: str) -> Counted:
    """Return the counter of a channel's messages in a state."""
    return Counted(MESSAGE, channel, "", str(state))


def of_deliveries(channel: str, destination: str, state: str) -> Counted:
    """Return the counter of deliveries in a state at a destination."""
    return Counted(DELIVERY, channel, destination, str(state))


def of_gate(channel: str, destination: str, state: str) -> Counted:
    """Return the counter of a destination's Bundles at the output gate."""
    return Counted(GATE, channel, destination, state)


def reserve(connection: Connection, name: str, count: int) -> range:
    """Return the next numbers of ``name`` in the engine schema.

    The row stays locked until commit, so numbers become visible in their order.
    """
    return _reserve(connection, sequence, name, count)


def last_reserved(connection: Connection, name: str) -> int:
    """Return the last number of ``name`` that was given, 0 for none."""
    found: int | None = connection.execute(_LAST, {"name": name}).scalar()
    return found or 0


def reserve_journal(connection: Connection, count: int) -> range:
    """Return the next message numbers."""
    return _reserve(connection, journal_sequence, MESSAGE, count)


def skip_used_numbers(connection: Connection, lost: int = 0) -> None:
    """Let no message get a number that the engine schema knows already.

    For a journal that has lost its last messages, up to ``lost``: a new one with such a
    number would be taken for processed, or for the one that is lost.
    """
    used = max(connection.execute(_LAST_USED).scalar() or 0, lost)
    put(connection, journal_sequence, [{"name": MESSAGE, "value": used}])
    connection.execute(
        update(journal_sequence)
        .where(journal_sequence.c.name == MESSAGE, journal_sequence.c.value < used)
        .values(value=used)
    )


def _reserve(connection: Connection, table: Table, name: str, count: int) -> range:
    statement = upsert(connection.dialect.name, table, add=("value",))
    found = connection.execute(
        statement.returning(table.c.value), {"name": name, "value": count}
    )
    last: int = found.scalar_one()
    return range(last - count + 1, last + 1)


_LAST: Final = select(sequence.c.value).where(sequence.c.name == bindparam("name"))

Move = tuple[Counted | None, Counted | None]
"""The counter that one thing left, and the one it entered."""


def at_the_gate(channel: str, gates: Iterable[tuple[str, bool]]) -> Iterator[Move]:
    """Yield what counts a message's Bundles by destination, and those validated."""
    for destination, validated in gates:
        yield None, of_gate(channel, destination, RENDERED)
        if validated:
            yield None, of_gate(channel, destination, VALIDATED)


def tally(connection: Connection, moves: Mapping[Move, int]) -> None:
    """Count moves, in the transaction that makes them."""
    changed: Counter[Counted] = Counter()
    for (before, after), count in moves.items():
        if before is not None:
            changed[before] -= count
        if after is not None:
            changed[after] += count
    rows = [
        {**key._asdict(), "count": change}
        for key, change in sorted(changed.items())  # one order for all: no deadlock
        if change
    ]
    put(connection, counter, rows, add=("count",))


def chunks(ids: Iterable[T], size: int = 500) -> Iterable[list[T]]:
    """Return numbers or keys in sorted groups that fit into one IN list."""
    ordered = sorted(set(ids))
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
