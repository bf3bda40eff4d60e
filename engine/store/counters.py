"""Numbers handed out in order, and counts kept so that nothing must be counted."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table

from engine.store.dialect import put, upsert
from engine.store.tables import counter, journal_sequence, sequence

MESSAGE: Final = "message"
DELIVERY: Final = "delivery"


class Counted(NamedTuple):
    """What one counter counts; ``destination`` is empty for messages."""

    subject: str
    channel: str
    destination: str
    state: str


def reserve(connection: Connection, name: str, count: int) -> range:
    """Return the next numbers of ``name`` in the engine schema.

    The row stays locked until commit, so numbers become visible in their order.
    """
    return _reserve(connection, sequence, name, count)


def reserve_journal(connection: Connection, count: int) -> range:
    """Return the next message numbers."""
    return _reserve(connection, journal_sequence, MESSAGE, count)


def _reserve(connection: Connection, table: Table, name: str, count: int) -> range:
    statement = upsert(connection.dialect.name, table, add=("value",))
    found = connection.execute(
        statement.returning(table.c.value), {"name": name, "value": count}
    )
    last: int = found.scalar_one()
    return range(last - count + 1, last + 1)


def tally(connection: Connection, changes: Mapping[Counted, int]) -> None:
    """Add changes to the counters, in the transaction that causes them."""
    rows = [
        {**key._asdict(), "count": change}
        for key, change in sorted(changes.items())  # one order for all: no deadlock
        if change
    ]
    put(connection, counter, rows, add=("count",))


def shift(
    changes: dict[Counted, int], before: Counted | None, after: Counted | None
) -> None:
    """Note that one thing left one counter and entered another."""
    if before is not None:
        changes[before] = changes.get(before, 0) - 1
    if after is not None:
        changes[after] = changes.get(after, 0) + 1


def chunks(ids: Iterable[int], size: int = 500) -> Iterable[list[int]]:
    """Return numbers in sorted groups that fit into one IN list."""
    ordered = sorted(set(ids))
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
