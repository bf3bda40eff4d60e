"""Find messages: by channel, state, type, time, person and search keys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    select,
)

from engine.store import contexts
from engine.store.message_state import MessageState
from engine.store.queues import NOT_DONE, UNFINISHED
from engine.store.results import PERSON, SearchKey, key_number
from engine.store.schema import Found, is_word, read
from engine.store.seal import Sealer
from engine.store.tables import attempt as attempt_rows
from engine.store.tables import journal_message, search_key
from engine.store.tables import message as message_rows

CONTROL: Final = "control"
"""The kind of search key that names a message, and no patient."""


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages; what is empty does not restrict.

    ``channels`` are those that may be shown, None for all.
    ``keys`` must all match: ``SearchKey("identifier", "...")`` and so on, the control
    id as kind `CONTROL`.
    """

    channel: str = ""
    channels: frozenset[str] | None = None
    state: MessageState | None = None
    message_type: str = ""
    trigger_event: str = ""
    since: datetime | None = None
    until: datetime | None = None
    person: str = ""
    keys: tuple[SearchKey, ...] = ()

    @property
    def names_somebody(self) -> bool:
        """Whether it asks for the messages of one patient."""
        return bool(self.person) or any(each.kind != CONTROL for each in self.keys)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as a list shows it."""

    id: int
    channel: str
    state: MessageState
    received_at: datetime
    control_id: str
    message_type: str
    trigger_event: str
    size: int
    ack_code: str
    attempt: int
    revision: str
    stage: str
    code: str
    reason: str
    person: str
    behind: int | None
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One processing of a message; ``report`` is its loss report, JSON."""

    attempt: int
    state: MessageState
    revision: str
    stage: str
    code: str
    reason: str
    person: str
    processed_at: datetime
    duration_us: int
    report: bytes


_LOOK_AT: Final = 500
_MAX_ROUNDS: Final = 400
_NEWEST: Final = select(func.max(journal_message.c.id))

_SHOWN: Final = [
    column for column in journal_message.c if column.name in MessageRow.__slots__
]
_MESSAGES: Final = (
    select(
        *_SHOWN,
        func.coalesce(message_rows.c.state, MessageState.RECEIVED.value).label("state"),
        func.coalesce(message_rows.c.attempt, 0).label("attempt"),
        func.coalesce(message_rows.c.revision, "").label("revision"),
        func.coalesce(message_rows.c.stage, "").label("stage"),
        func.coalesce(message_rows.c.code, "").label("code"),
        func.coalesce(message_rows.c.reason, "").label("reason"),
        func.coalesce(message_rows.c.person, "").label("person"),
        message_rows.c.behind,
        message_rows.c.processed_at,
    )
    .select_from(journal_message)
    .join(message_rows, message_rows.c.id == journal_message.c.id, isouter=True)
    .where(journal_message.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(journal_message.c.id.desc())
)


def messages(
    connection: Connection,
    sealer: Sealer,
    wanted: MessageFilter,
    *,
    before: int = 0,
    limit: int = 100,
) -> list[MessageRow]:
    """Return messages, newest first, with numbers below ``before`` if it is given.

    Candidates come from the narrowest index and are looked at in groups, so a page
    costs what it shows; after 200,000 candidates the search gives up.
    """
    source, column = _candidates(sealer, wanted)
    found: list[MessageRow] = []
    below = before or 1 << 62
    for _ in range(_MAX_ROUNDS):
        group = source.where(column < below).order_by(column.desc()).limit(_LOOK_AT)
        ids = list(connection.execute(group).scalars())
        if ids:
            found += _matching(connection, wanted, ids)
        if len(ids) < _LOOK_AT or len(found) >= limit:
            break
        below = ids[-1]
    return found[:limit]


def _candidates(
    sealer: Sealer, wanted: MessageFilter
) -> tuple[Select[int], ColumnElement[int]]:
    """Return the narrowest list of message numbers, and its column."""
    keys = wanted.keys
    if wanted.person:
        keys = (*keys, SearchKey(PERSON, wanted.person))
    if keys:
        return _by_keys(sealer, keys)
    if wanted.state is MessageState.RECEIVED:
        return select(UNFINISHED.c.id), UNFINISHED.c.id
    if wanted.state in (MessageState.HELD, MessageState.ERROR):
        column = message_rows.c.id
        is_state = is_word(message_rows.c.state, wanted.state)
        return select(column).where(NOT_DONE, is_state), column
    source = select(journal_message.c.id)
    if wanted.channel:
        source = source.where(journal_message.c.channel == wanted.channel)
    return _in_time(source, wanted), journal_message.c.id


def _by_keys(
    sealer: Sealer, keys: Sequence[SearchKey]
) -> tuple[Select[int], ColumnElement[int]]:
    """Return the messages that have all of these search keys."""
    column = search_key.c.message_id
    source = select(column).where(search_key.c.value == key_number(sealer, keys[0]))
    for key in keys[1:]:
        other = search_key.alias()
        has_key = other.c.value == key_number(sealer, key)
        source = source.where(exists().where(has_key, other.c.message_id == column))
    return source, column


def _in_time(source: Select[int], wanted: MessageFilter) -> Select[int]:
    """Narrow by number where the time says so; `_matching` looks closer."""
    at, number = journal_message.c.received_at, journal_message.c.id
    if wanted.since is not None:
        first = select(number).where(at >= wanted.since).order_by(at).limit(1)
        source = source.where(number > first.scalar_subquery() - _LOOK_AT)
    if wanted.until is not None:
        last = select(number).where(at <= wanted.until).order_by(at.desc()).limit(1)
        source = source.where(number < last.scalar_subquery() + _LOOK_AT)
    return source


def _matching(
    connection: Connection, wanted: MessageFilter, ids: Sequence[int]
) -> list[MessageRow]:
    rows = connection.execute(_MESSAGES, {"ids": ids})
    shown = (
        read(MessageRow, MessageRow.__slots__, row, state=MessageState(row.state))
        for row in rows
    )
    return [one for one in shown if matches(wanted, one)]


def matches(wanted: MessageFilter, one: MessageRow) -> bool:
    """Whether a message is as wanted, its search keys aside."""
    words = ("channel", "state", "message_type", "trigger_event", "person")
    pairs = ((getattr(wanted, word), getattr(one, word)) for word in words)
    return (
        (wanted.channels is None or one.channel in wanted.channels)
        and all(not asked or asked == found for asked, found in pairs)
        and (wanted.since is None or one.received_at >= wanted.since)
        and (wanted.until is None or one.received_at <= wanted.until)
    )


def newest(connection: Connection) -> int:
    """Return the number of the latest message, 0 for none."""
    found: int | None = connection.execute(_NEWEST).scalar()
    return found or 0


def arrived(connection: Connection, after: int, limit: int) -> list[MessageRow]:
    """Return the messages that came after one, in accept order."""
    number = journal_message.c.id
    later = select(number).where(number > after).order_by(number).limit(limit)
    ids = list(connection.execute(later).scalars())
    return _matching(connection, MessageFilter(), ids)[::-1]


def count_since(connection: Connection, since: datetime) -> int:
    """Return how many messages were journalled since then."""
    at, number = journal_message.c.received_at, journal_message.c.id
    first = select(number).where(at >= since).order_by(at).limit(1).scalar_subquery()
    count: int = connection.execute(
        select(func.count()).where(number >= first, at >= since)
    ).scalar_one()
    return count


def message(connection: Connection, message_id: int) -> MessageRow | None:
    """Return one message."""
    return next(iter(_matching(connection, MessageFilter(), [message_id])), None)


def attempts(
    connection: Connection, sealer: Sealer, message_id: int
) -> list[AttemptRow]:
    """Return every processing of a message, oldest first."""
    rows = connection.execute(
        select(attempt_rows)
        .where(attempt_rows.c.message_id == message_id)
        .order_by(attempt_rows.c.attempt)
    )
    return [
        read(
            AttemptRow,
            AttemptRow.__slots__,
            row,
            state=MessageState(row.state),
            report=_report(sealer, row),
        )
        for row in rows
    ]


def reports(
    connection: Connection, sealer: Sealer, *, channel: str = "", last: int = 1000
) -> Iterator[tuple[str, bytes]]:
    """Yield channel and loss report of the newest processed messages.

    Of a message that was processed several times only the last attempt counts.
    """
    same = message_rows.c.id == attempt_rows.c.message_id
    latest = message_rows.c.attempt == attempt_rows.c.attempt
    statement = (
        select(attempt_rows, journal_message.c.channel)
        .join(message_rows, and_(same, latest))
        .join(journal_message, journal_message.c.id == attempt_rows.c.message_id)
        .order_by(attempt_rows.c.message_id.desc())
        .limit(last)
    )
    if channel:
        statement = statement.where(journal_message.c.channel == channel)
    for row in connection.execute(statement):
        yield row.channel, _report(sealer, row)


def _report(sealer: Sealer, row: Found) -> bytes:
    if row.report is None:
        return b""
    return sealer.open(row.report, *contexts.of_report(row))


def behind(connection: Connection, message_id: int) -> list[int]:
    """Return the messages that wait behind a held one, in accept order."""
    statement = (
        select(message_rows.c.id)
        .where(message_rows.c.behind == message_id)
        .order_by(message_rows.c.id)
    )
    return list(connection.execute(statement).scalars())
