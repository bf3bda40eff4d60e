"""Batches that messages came in: which, and what their headers and trailers said.

Spec:
    protocol.md E73 and E74.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from engine.store.dialect import put
from engine.store.message_state import MessageState
from engine.store.schema import is_word
from engine.store.tables import batch as batches
from engine.store.tables import journal_message, message


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, or one file whose own trailer is wrong.

    ``name`` is made of its bytes, so that it is the same when they are read again.
    ``control_id`` is BHS-11, ``file_control_id`` FHS-11, ``declared`` what the trailer
    counts, ``""`` where it is missing.
    """

    name: str
    control_id: str = ""
    file_control_id: str = ""
    declared: str = ""
    found: int = 0
    agrees: bool = True


_BATCH: Final = select(batches).where(batches.c.name == bindparam("batch"))
_HEADS: Final = (
    select(journal_message.c.batch, func.min(journal_message.c.id).label("head"))
    .where(
        journal_message.c.batch.in_(bindparam("names", expanding=True)),
        journal_message.c.batch != "",
    )
    .group_by(journal_message.c.batch)
)
_HELD: Final = (
    select(journal_message.c.id)
    .join(batches, batches.c.name == journal_message.c.batch)
    .join(message, message.c.id == journal_message.c.id)
    .where(
        journal_message.c.id.in_(bindparam("ids", expanding=True)),
        batches.c.agrees == 0,
        is_word(message.c.state, MessageState.HELD),
    )
)
"""Messages that are held because their batch is not what its trailer says."""

_MESSAGES: Final = (
    select(
        journal_message.c.id,
        journal_message.c.listener,
        journal_message.c.peer,
        journal_message.c.sha256,
        message.c.state,
    )
    .join(message, message.c.id == journal_message.c.id, isouter=True)
    .where(journal_message.c.batch == bindparam("name"), journal_message.c.batch != "")
    .order_by(journal_message.c.id)
)
_WRONG: Final = (
    select(batches.c.name)
    .where(
        batches.c.channel == bindparam("of_channel"),
        batches.c.control_id == bindparam("of_control_id"),
        batches.c.agrees == 0,
    )
    .order_by(batches.c.name)
)
"""The batches of a channel that were wrong and carry this control id (BHS-11)."""


def keep(
    connection: Connection, arrived: Mapping[str, tuple[Batch, str, datetime]]
) -> None:
    """Note batches in the transaction of their messages.

    Args:
        connection: a transaction that writes the journal.
        arrived: the batch, its channel and when it came, by name.
    """
    rows: list[dict[str, object]] = [
        {
            "name": name,
            "channel": channel,
            "control_id": batch.control_id,
            "file_control_id": batch.file_control_id,
            "declared": batch.declared,
            "found": batch.found,
            "agrees": int(batch.agrees),
            "received_at": at,
        }
        for name, (batch, channel, at) in sorted(arrived.items())
    ]
    put(connection, batches, rows)


def batch(connection: Connection, name: str) -> Batch | None:
    """Return what is known of a batch."""
    row = connection.execute(_BATCH, {"batch": name}).one_or_none()
    if row is None:
        return None
    return Batch(
        row.name,
        row.control_id,
        row.file_control_id,
        row.declared,
        row.found,
        row.agrees == 1,
    )


def heads(connection: Connection, names: set[str]) -> dict[str, int]:
    """Return the first message of each of these batches."""
    found = connection.execute(_HEADS, {"names": sorted(names)}) if names else ()
    return {row.batch: row.head for row in found}


def corrected(connection: Connection, name: str) -> list[int]:
    """Return the first message of each held batch that ``name`` brings again, whole.

    Nothing unless every message of it was processed. It carries the same control id,
    came from the same peer, and has every message of the held one, byte for byte: some
    senders give every batch the same control id.
    """
    right = connection.execute(_BATCH, {"batch": name}).one()
    if not right.agrees or not right.control_id:
        return []
    brought = connection.execute(_MESSAGES, {"name": name}).all()
    if len(brought) != right.found or any(row.state is None for row in brought):
        return []
    there = Counter((row.listener, row.peer, row.sha256) for row in brought)
    where = {"of_channel": right.channel, "of_control_id": right.control_id}
    found: list[int] = []
    for wrong in connection.execute(_WRONG, where).scalars().all():
        theirs = connection.execute(_MESSAGES, {"name": wrong}).all()
        here = Counter((row.listener, row.peer, row.sha256) for row in theirs)
        all_held = all(row.state == MessageState.HELD for row in theirs)
        if theirs and all_held and here <= there:
            found.append(theirs[0].id)
    return found


def held(connection: Connection, ids: Sequence[int]) -> frozenset[int]:
    """Return those of these messages that are held because their batch is wrong."""
    found = connection.execute(_HELD, {"ids": list(ids)}).scalars() if ids else ()
    return frozenset(found)
