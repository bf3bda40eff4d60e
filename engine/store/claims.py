"""Messages in the order a worker takes them, and what happens when it dies."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from engine.store import batches, contents, contexts, fragments
from engine.store.contexts import MESSAGE_COLUMNS
from engine.store.dialect import put
from engine.store.fragments import Chain
from engine.store.journal import JournalRow, read_row
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.tables import journal_message, message, progress, redo


@dataclass(frozen=True, slots=True)
class Claimed:
    """One message for a worker: what was received, and how often it was tried.

    ``attempt`` numbers the processing from 1 and goes into its `Outcome`. ``deaths``
    counts workers that died while they had it in hand: from 2 on it is poison.
    ``damaged`` says that what is stored does not open any more; ``data`` is empty then.
    ``chain`` is there for a part of a message. ``head`` is the first message of the
    batch that it came in, or 0.
    """

    row: JournalRow
    data: bytes
    attempt: int = 1
    redo: bool = False
    deaths: int = 0
    chain: Chain | None = None
    head: int = 0
    damaged: bool = False


MAX_BYTES: Final = 16 * 1024 * 1024
"""A claim ends with the message that reaches this size; each takes several times its
own in memory while it is processed."""

FRAGMENT: Final = "fragment"
"""The finding of messages that are parts of one."""

_AGAIN: Final = (
    select(
        *MESSAGE_COLUMNS,
        *contents.small(journal_message.c.content),
        redo.c.tries,
        func.coalesce(message.c.attempt, 0).label("attempt"),
    )
    .select_from(journal_message)
    .join(redo, redo.c.message_id == journal_message.c.id)
    .join(message, message.c.id == journal_message.c.id, isouter=True)
    .where(redo.c.channel == bindparam("channel"))
    .order_by(redo.c.message_id)
    .limit(bindparam("limit"))
)
"""The oldest messages of a channel that are to be processed again."""
_EARLIER: Final = (
    select(redo.c.message_id)
    .join(journal_message, journal_message.c.id == redo.c.message_id)
    .where(
        redo.c.channel == bindparam("channel"), redo.c.message_id < bindparam("last")
    )
    .order_by(redo.c.message_id)
    .limit(bindparam("most"))
)

_NEW: Final = (
    select(*MESSAGE_COLUMNS, *contents.small(journal_message.c.content))
    .where(
        journal_message.c.channel == bindparam("channel"),
        journal_message.c.id > bindparam("last_id"),
    )
    .order_by(journal_message.c.id)
    .limit(bindparam("limit"))
)
"""The next messages of a channel that no worker has finished."""

_CONTENT: Final = select(journal_message.c.content).where(
    journal_message.c.id == bindparam("number")
)
_ONE: Final = (
    select(
        *MESSAGE_COLUMNS,
        func.coalesce(message.c.attempt, 1).label("attempt"),
    )
    .select_from(journal_message)
    .join(message, message.c.id == journal_message.c.id, isouter=True)
    .where(journal_message.c.id == bindparam("number"))
)
_PROGRESS: Final = select(progress).where(
    progress.c.channel == bindparam("channel"),
    progress.c.partition == bindparam("partition"),
)
_TRIED: Final = (
    update(redo)
    .where(redo.c.message_id.in_(bindparam("ids", expanding=True)))
    .values(tries=redo.c.tries + 1)
)
_NOT_TRIED: Final = (
    update(redo)
    .where(redo.c.message_id.in_(bindparam("ids", expanding=True)))
    .values(tries=bindparam("before"))
)


def claim(
    connection: Connection,
    sealer: Sealer,
    channel: str,
    limit: int,
    *,
    partition: int = 0,
) -> list[Claimed]:
    """Return the next messages of a channel in order, noting that they are begun.

    Messages to be processed again come first, then new ones, quarantined ones
    included. To be committed before processing starts: it is how a message that kills
    its worker is found. After such a death messages come one by one until the
    suspected ones are past. Large messages come few at a time: see `MAX_BYTES`.
    """
    again = _claim_again(connection, sealer, channel, limit) if not partition else []
    found = again or _claim_new(connection, sealer, (channel, partition), limit)
    return _with_batches(connection, _with_chains(connection, sealer, found))


def _with_batches(connection: Connection, found: list[Claimed]) -> list[Claimed]:
    heads = batches.heads(connection, {each.row.batch for each in found} - {""})
    return (
        [replace(each, head=heads.get(each.row.batch, 0)) for each in found]
        if heads
        else found
    )


def _with_chains(
    connection: Connection, sealer: Sealer, found: list[Claimed]
) -> list[Claimed]:
    parts = [each.row.id for each in found if FRAGMENT in each.row.findings]
    if not parts:
        return found
    chains = fragments.load(connection, sealer, parts)
    return [replace(each, chain=chains.get(each.row.id)) for each in found]


def are_overtaking(
    connection: Connection, channel: str, numbers: Collection[int]
) -> bool:
    """Whether an earlier message came back since these were claimed.

    It is claimed first, so given back, these come after it.
    """
    asked = {"channel": channel, "last": max(numbers), "most": len(numbers) + 1}
    earlier = connection.execute(_EARLIER, asked).scalars()
    return any(number not in numbers for number in earlier)


def _claim_again(
    connection: Connection, sealer: Sealer, channel: str, limit: int
) -> list[Claimed]:
    rows = connection.execute(_AGAIN, {"channel": channel, "limit": limit}).all()
    if not rows:
        return []
    suspect = next((at for at, row in enumerate(rows) if row.tries), len(rows))
    claimed = _opened(connection, sealer, rows[: max(1, suspect)])
    connection.execute(_TRIED, {"ids": [each.row.id for each in claimed]})
    return [
        replace(each, attempt=row.attempt + 1, redo=True, deaths=row.tries)
        for each, row in zip(claimed, rows, strict=False)
    ]


def _claim_new(
    connection: Connection, sealer: Sealer, place: tuple[str, int], limit: int
) -> list[Claimed]:
    where = {"channel": place[0], "partition": place[1]}
    now = connection.execute(_PROGRESS, where).one_or_none()
    last_id, started_to = (now.last_id, now.started_to) if now else (0, 0)
    careful = started_to > last_id
    rows: Sequence[Found] = connection.execute(
        _NEW,
        {"channel": place[0], "last_id": last_id, "limit": 1 if careful else limit},
    ).all()
    if not rows:
        return []
    deaths, trying_id = 0, 0
    if now and careful and rows[0].id <= started_to:
        trying_id = rows[0].id
        deaths = 1 + (now.tries if now.trying_id == trying_id else 0)
    claimed = _opened(connection, sealer, rows, deaths)
    begun = where | {
        "last_id": last_id,
        "started_to": max(started_to, claimed[-1].row.id),
        "trying_id": trying_id,
        "tries": deaths,
    }
    put(connection, progress, [begun], replace=("started_to", "trying_id", "tries"))
    return claimed


def again(connection: Connection, sealer: Sealer, number: int) -> Claimed | None:
    """Return a message as it was last processed; None when its content is gone."""
    row = connection.execute(_ONE, {"number": number}).one_or_none()
    content = connection.execute(_CONTENT, {"number": number}).scalar()
    if row is None or content is None:
        return None
    found = replace(_claimed(sealer, row, content, 0), attempt=row.attempt)
    return _with_batches(connection, _with_chains(connection, sealer, [found]))[0]


def _opened(
    connection: Connection, sealer: Sealer, rows: Sequence[Found], deaths: int = 0
) -> list[Claimed]:
    """Return the first of these messages, until they are large enough together."""
    claimed: list[Claimed] = []
    size = 0
    for row in rows:
        content = contents.sealed(connection, row, _CONTENT, row.id)
        claimed.append(_claimed(sealer, row, content, deaths))
        size += len(claimed[-1].data)
        if size >= MAX_BYTES:
            break
    return claimed


def _claimed(sealer: Sealer, row: Found, content: bytes | None, deaths: int) -> Claimed:
    if content is None:  # purged; nobody may ask for it again, see `reprocess`
        return Claimed(read_row(row), b"", deaths=deaths)
    data = sealer.open_undamaged(content, *contexts.of_message(row))
    return Claimed(read_row(row), data or b"", deaths=deaths, damaged=data is None)


def give_back(
    connection: Connection, channel: str, *several: Sequence[Claimed]
) -> None:
    """Take back that these were begun: the store went away, and nobody died of them.

    Nobody need know whether a claim was committed: what was not is as it was.
    """
    for claimed in filter(None, several):
        _give_back(connection, channel, claimed)


def _give_back(
    connection: Connection, channel: str, claimed: Sequence[Claimed]
) -> None:
    again = [each.row.id for each in claimed if each.redo]
    deaths = claimed[0].deaths
    if again:
        connection.execute(_NOT_TRIED, {"ids": again, "before": deaths})
        return
    place = progress.c.channel == channel
    if deaths:  # it came alone, and those behind it are still suspected
        connection.execute(update(progress).where(place).values(tries=deaths - 1))
    else:
        begun = progress.c.last_id
        connection.execute(update(progress).where(place).values(started_to=begun))


def forget_starts(connection: Connection) -> None:
    """Forgive what was begun and not finished: the whole engine had stopped."""
    connection.execute(update(progress).values(started_to=progress.c.last_id))
    connection.execute(update(redo).values(tries=0))
