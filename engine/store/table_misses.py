"""Codes without a row in a code table: counted, with a sample, and whom they stopped.

Spec:
    channel-format.md 7; console.md S10 and 4 (unmapped-code bench).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, Connection, bindparam, select

from engine.store.dialect import put
from engine.store.error_queue import Entry, entry_of
from engine.store.seal import Sealer
from engine.store.table_tables import missed
from engine.store.tables import error_entry, table_miss

TABLE_MISS: Final = "table-miss"


@dataclass(frozen=True, slots=True)
class NewMiss:
    """One miss of one message; ``stopped`` tells that the message ended there."""

    table: str
    sender: str
    code: str
    message_id: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class Miss:
    """A code that a table did not have: how often, and the message that had it last."""

    channel: str
    table: str
    sender: str
    code: str
    count: int
    message_id: int
    last_at: datetime


_KEYS: Final[BindParameter[bytes]] = bindparam("keys", expanding=True)
_STOPPED: Final = (
    select(error_entry)
    .join(missed, missed.c.message_id == error_entry.c.message_id)
    .where(
        missed.c.key.in_(_KEYS),
        error_entry.c.closed_at.is_(None),
        error_entry.c.code == TABLE_MISS,
    )
    .distinct()
    .order_by(error_entry.c.id)
)


def record(
    connection: Connection,
    sealer: Sealer,
    channel: str,
    misses: Iterable[NewMiss],
    now: datetime,
) -> None:
    """Count misses, and keep which messages stopped for them."""
    rows: dict[bytes, dict[str, object]] = {}
    stopped: set[tuple[bytes, int]] = set()
    for miss in misses:
        key = _key(sealer, channel, miss.table, miss.sender, miss.code)
        counted = rows.get(key)
        rows[key] = {
            "key": key,
            "channel": channel,
            "table_name": miss.table,
            "sender": miss.sender,
            "code": sealer.seal(miss.code.encode(), f"table_miss|{key.hex()}|"),
            "count": 1 + (int(str(counted["count"])) if counted else 0),
            "message_id": miss.message_id,
            "last_at": now,
        }
        if miss.stopped:
            stopped.add((key, miss.message_id))
    ordered = [rows[key] for key in sorted(rows)]
    replace = ("message_id", "last_at")
    put(connection, table_miss, ordered, replace=replace, add=("count",))
    put(
        connection,
        missed,
        [{"key": key, "message_id": number} for key, number in sorted(stopped)],
    )


def _key(sealer: Sealer, *place: str) -> bytes:
    return sealer.blind("|".join(("miss", *place)))


def misses(
    connection: Connection, sealer: Sealer, *, table: str = "", limit: int = 1000
) -> list[Miss]:
    """Return the codes without a row, those that came most often first."""
    statement = select(table_miss).order_by(table_miss.c["count"].desc()).limit(limit)
    if table:
        statement = statement.where(table_miss.c.table_name == table)
    return [
        Miss(
            row.channel,
            row.table_name,
            row.sender,
            sealer.open(row.code, f"table_miss|{row.key.hex()}|").decode(),
            row._mapping["count"],  # noqa: SLF001 - SQLAlchemy's documented accessor
            row.message_id,
            row.last_at,
        )
        for row in connection.execute(statement)
    ]


def stopped_for(
    connection: Connection, sealer: Sealer, found: Sequence[Miss]
) -> list[Entry]:
    """Return the open error-queue entries of messages that stopped for these misses.

    A message that stopped again since, for another code, is among them: it had this
    one too.
    """
    keys = [_key(sealer, m.channel, m.table, m.sender, m.code) for m in found]
    if not keys:
        return []
    return [entry_of(row) for row in connection.execute(_STOPPED, {"keys": keys})]
