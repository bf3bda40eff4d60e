"""The error queue: what needs a person, grouped by cause."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.seal import Sealer
from engine.store.words import EntryKind


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
    group: str
    label: str
    assignee: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    resolution: str


@dataclass(frozen=True, slots=True)
class Group:
    """Open entries with one cause; ``parked`` counts lanes that wait behind them."""

    key: str
    cause: str
    channel: str
    destination: str
    stage: str
    class_: str
    code: str
    open: int
    oldest: datetime
    last: datetime
    parked: int
    label: str
    assignee: str


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person wrote beside an entry."""

    at: datetime
    author: str
    text: str


def open_entries(
    connection: Connection, entries: Sequence[NewEntry], now: datetime
) -> list[int]:
    """Write new entries with their groups; return their numbers."""
    raise NotImplementedError


def close_for_messages(
    connection: Connection, ids: Collection[int], by: str, now: datetime, why: str
) -> int:
    """Close the open entries about these messages; return how many."""
    raise NotImplementedError


def close_for_deliveries(
    connection: Connection, ids: Collection[int], by: str, now: datetime, why: str
) -> int:
    """Close the open entries about these deliveries; return how many."""
    raise NotImplementedError


def groups(connection: Connection) -> list[Group]:
    """Return the causes with open entries, most entries first."""
    raise NotImplementedError


def entries(
    connection: Connection,
    *,
    group: str = "",
    after: int = 0,
    limit: int = 100,
    include_closed: bool = False,
) -> list[Entry]:
    """Return entries by number, beyond ``after``."""
    raise NotImplementedError


def entry(connection: Connection, entry_id: int) -> Entry | None:
    """Return one entry, open or closed."""
    raise NotImplementedError


def assign(connection: Connection, ids: Collection[int], assignee: str) -> int:
    """Give open entries to a person or team; return how many."""
    raise NotImplementedError


def add_comment(
    connection: Connection, sealer: Sealer, entry_id: int, comment: Comment
) -> None:
    """Keep what a person wrote; sealed, since people write names."""
    raise NotImplementedError


def comments(connection: Connection, sealer: Sealer, entry_id: int) -> list[Comment]:
    """Return the comments of an entry, oldest first."""
    raise NotImplementedError
