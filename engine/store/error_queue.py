"""The error queue: what needs a person, grouped by cause."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy import update as sql_update

from engine.store.audit import Order
from engine.store.counters import chunks, reserve
from engine.store.dialect import bulk, put
from engine.store.schema import Found, is_word, read
from engine.store.seal import Sealer
from engine.store.tables import comment as comments_table
from engine.store.tables import error_entry, error_group, lane
from engine.store.words import EntryKind, LaneState


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something that failed; ``cause`` is the sentence with its values taken out."""

    kind: EntryKind
    message_id: int
    channel: str
    stage: str
    class_: str
    code: str
    sentence: str
    cause: str = ""
    destination: str = ""
    delivery_id: int = 0
    label: str = ""
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is shown."""

    id: int
    kind: EntryKind
    message_id: int
    delivery_id: int
    channel: str
    destination: str
    stage: str
    class_: str
    code: str
    sentence: str
    group_key: str
    label: str
    assignee: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    resolution: str


@dataclass(frozen=True, slots=True)
class Group:
    """Open entries with one cause; ``parked`` counts lanes that wait behind them.

    ``newest`` is the number of the last entry: an order for what was seen names it.
    """

    key: str
    cause: str
    channel: str
    destination: str
    stage: str
    class_: str
    code: str
    open: int
    oldest: datetime
    last_at: datetime
    parked: int
    label: str
    assignee: str
    newest: int


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person wrote beside an entry."""

    at: datetime
    author: str
    text: str


_INSERT: Final = insert(error_entry)
_COUNT_OPEN: Final = (
    sql_update(error_group)
    .where(error_group.c.key == bindparam("group"))
    .values(open=error_group.c.open + bindparam("change"))
)
_OPEN: Final = error_entry.c.closed_at.is_(None)


def open_entries(
    connection: Connection, entries: Sequence[NewEntry], now: datetime
) -> list[int]:
    """Write new entries with their groups; return their numbers."""
    if not entries:
        return []
    ids = list(reserve(connection, "error_entry", len(entries)))
    keys = [group_key(entry) for entry in entries]
    rows = [
        _entry_row(number, key, entry, now)
        for number, key, entry in zip(ids, keys, entries, strict=True)
    ]
    bulk(connection, _INSERT, rows)
    groups = dict(zip(keys, entries, strict=True))
    counted = Counter(keys)
    put(
        connection,
        error_group,
        [_group_row(key, groups[key], counted[key], now) for key in sorted(groups)],
        replace=("last_at",),
        add=("open",),
    )
    return ids


def group_key(entry: NewEntry) -> str:
    """Return the short name of the cause: equal causes have equal ones."""
    parts = (
        entry.channel,
        entry.destination,
        entry.stage,
        entry.code,
        entry.label,
        entry.cause or entry.sentence,
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:10]


def _entry_row(
    number: int, key: str, entry: NewEntry, now: datetime
) -> dict[str, object]:
    return {
        "id": number,
        "kind": entry.kind.value,
        "message_id": entry.message_id,
        "delivery_id": entry.delivery_id,
        "channel": entry.channel,
        "destination": entry.destination,
        "stage": entry.stage,
        "class": entry.class_,
        "code": entry.code,
        "sentence": entry.sentence,
        "group_key": key,
        "label": entry.label,
        "assignee": entry.assignee,
        "opened_at": now,
    }


def _group_row(
    key: str, entry: NewEntry, count: int, now: datetime
) -> dict[str, object]:
    return {
        "key": key,
        "channel": entry.channel,
        "destination": entry.destination,
        "stage": entry.stage,
        "class": entry.class_,
        "code": entry.code,
        "cause": entry.cause or entry.sentence,
        "open": count,
        "first_at": now,
        "last_at": now,
    }


def close_for_messages(
    connection: Connection, ids: Collection[int], order: Order, why: str
) -> int:
    """Close the open entries about these messages themselves; return how many."""
    about = error_entry.c.delivery_id == 0
    return sum(
        _close(connection, about & error_entry.c.message_id.in_(some), order, why)
        for some in chunks(ids)
    )


def close_for_deliveries(
    connection: Connection, ids: Collection[int], order: Order, why: str
) -> int:
    """Close the open entries about these deliveries; return how many."""
    return sum(
        _close(connection, error_entry.c.delivery_id.in_(some), order, why)
        for some in chunks(ids)
    )


def _close(
    connection: Connection, which: ColumnElement[bool], order: Order, why: str
) -> int:
    closed = connection.execute(
        sql_update(error_entry)
        .where(which, _OPEN)
        .values(closed_at=order.now, closed_by=order.actor, resolution=why)
        .returning(error_entry.c.group_key)
    )
    counted = Counter(closed.scalars())
    if counted:
        changes = [
            {"group": key, "change": -number} for key, number in sorted(counted.items())
        ]
        connection.execute(_COUNT_OPEN, changes)
    return counted.total()


_one = error_entry.alias("one")
_number = select(_one.c.id).where(
    _one.c.group_key == error_group.c.key, _one.c.closed_at.is_(None)
)
_FIRST: Final = (
    _number.with_only_columns(func.min(_one.c.id))
    .correlate(error_group)
    .scalar_subquery()
)
_NEWEST: Final = (
    _number.with_only_columns(func.max(_one.c.id))
    .correlate(error_group)
    .scalar_subquery()
)
_GROUPS: Final = (
    select(
        error_group,
        _NEWEST.label("newest"),
        error_entry.c.opened_at.label("oldest"),
        error_entry.c.label,
        error_entry.c.assignee,
    )
    .select_from(error_group)
    .join(error_entry, error_entry.c.id == _FIRST)
    .where(error_group.c.open > 0)
    .order_by(error_group.c.open.desc(), error_group.c.key)
)
_PLACES: Final = select(error_group.c.channel, error_group.c.destination).where(
    error_group.c.open > 0, error_group.c.destination != literal_column("''")
)
_PARKED: Final = (
    select(error_entry.c.group_key, func.count().label("lanes"))
    .select_from(error_entry)
    .join(lane, lane.c.head_id == error_entry.c.delivery_id)
    .where(
        tuple_(lane.c.channel, lane.c.destination).in_(_PLACES),
        is_word(lane.c.state, LaneState.PARKED),
        _OPEN,
    )
    .group_by(error_entry.c.group_key)
)
"""By place, so that the index of lanes is used: there are as many lanes as persons."""


def groups(connection: Connection) -> list[Group]:
    """Return the causes with open entries, most entries first."""
    rows = connection.execute(_GROUPS).all()
    parked = {row.group_key: row.lanes for row in connection.execute(_PARKED)}
    return [_group(row, parked.get(row.key, 0)) for row in rows]


def _group(row: Found, parked: int) -> Group:
    return read(Group, Group.__slots__, row, parked=parked)


def entries(
    connection: Connection,
    *,
    group: str = "",
    message: int = 0,
    after: int = 0,
    limit: int = 100,
    include_closed: bool = False,
) -> list[Entry]:
    """Return entries by number, beyond ``after``; of a group, or of a message."""
    statement = (
        select(error_entry)
        .where(error_entry.c.id > after)
        .order_by(error_entry.c.id)
        .limit(limit)
    )
    if group:
        statement = statement.where(error_entry.c.group_key == group)
    if message:
        statement = statement.where(error_entry.c.message_id == message)
    if not include_closed:
        statement = statement.where(_OPEN)
    return [entry_of(row) for row in connection.execute(statement)]


def open_among(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return those of some entries that are open."""
    return {
        number
        for some in chunks(ids)
        for number in connection.execute(_OPEN_AMONG, {"ids": some}).scalars()
    }


_OPEN_AMONG: Final = select(error_entry.c.id).where(
    error_entry.c.id.in_(bindparam("ids", expanding=True)), _OPEN
)


def entry(connection: Connection, entry_id: int) -> Entry | None:
    """Return one entry, open or closed."""
    statement = select(error_entry).where(error_entry.c.id == entry_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else entry_of(row)


def entry_of(row: Found) -> Entry:
    """Return a row of `error_entry` as it is shown."""
    return read(Entry, Entry.__slots__, row, kind=EntryKind(row.kind))


def assign(connection: Connection, ids: Collection[int], assignee: str) -> int:
    """Give open entries to a person or team; return how many."""
    return sum(
        connection.execute(
            sql_update(error_entry)
            .where(error_entry.c.id.in_(some), _OPEN)
            .values(assignee=assignee)
        ).rowcount
        for some in chunks(ids)
    )


def add_comment(
    connection: Connection, sealer: Sealer, entry_id: int, comment: Comment
) -> None:
    """Keep what a person wrote; sealed, since people write names."""
    [number] = reserve(connection, "comment", 1)
    row: dict[str, object] = {
        "id": number,
        "entry_id": entry_id,
        "at": comment.at,
        "author": comment.author,
        "content": sealer.seal(comment.text.encode(), f"comment|{number}|"),
    }
    connection.execute(insert(comments_table), row)


def comments(connection: Connection, sealer: Sealer, entry_id: int) -> list[Comment]:
    """Return the comments of an entry, oldest first."""
    return comments_of(connection, sealer, [entry_id])


def comments_of(
    connection: Connection, sealer: Sealer, ids: Collection[int]
) -> list[Comment]:
    """Return the comments of some entries, oldest first."""
    statement = (
        select(comments_table)
        .where(comments_table.c.entry_id.in_(ids))
        .order_by(comments_table.c.id)
    )
    return [
        Comment(
            row.at,
            row.author,
            sealer.open(row.content, f"comment|{row.id}|").decode(),
        )
        for row in connection.execute(statement)
    ]
