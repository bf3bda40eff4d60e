"""What was received: appended in groups by edge, read in order by workers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)

from engine.failpoint import reach
from engine.store import batches, contexts
from engine.store.batches import Batch
from engine.store.contexts import MESSAGE_COLUMNS
from engine.store.counters import reserve_journal
from engine.store.dialect import bulk, put
from engine.store.fragments import Chains, Fragment, chains_of
from engine.store.schema import Found
from engine.store.seal import Sealer, fingerprint
from engine.store.sequences import Links, Numbered, links_of
from engine.store.tables import dedupe, intake, journal_message
from engine.store.words import Verdict


@dataclass(frozen=True, slots=True)
class Arrival:
    """One block of bytes taken off the wire.

    ``dedupe_key`` names the message at its sender (listener, peer, MSH-3, MSH-4,
    MSH-10); ``""`` means that it is never a duplicate. ``content_hash`` leaves out the
    fields that may change in a resend. A first one older than ``first_after`` does not
    count any more. ``reuse_code`` answers another content under the same key: ``""``
    takes it with a finding, anything else quarantines it. ``numbered`` makes it count
    on its link, ``fragment`` a part of one; ``batch`` is what it came in.
    ``refusal_code`` answers it where only the journal can see that it must not be
    taken.
    """

    channel: str
    listener: str
    peer: str
    received_at: datetime
    data: bytes
    verdict: Verdict = Verdict.ACCEPTED
    control_id: str = ""
    message_type: str = ""
    trigger_event: str = ""
    dedupe_key: str = ""
    content_hash: bytes = b""
    first_after: datetime | None = None
    reuse_code: str = ""
    ack_code: str = "AA"
    cause: str = ""
    findings: tuple[str, ...] = ()
    numbered: Numbered | None = None
    fragment: Fragment | None = None
    batch: Batch | None = None
    refusal_code: str = ""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one arrival; `append` returns one for each, in order.

    ``id`` is the message's number, in accept order. When ``duplicate`` is true nothing
    new was stored: ``id`` and ``ack_code`` are those of the first one. ``refused`` is
    the cause for which the journal quarantined it; ``sequence`` is MSA-4; ``first`` is
    MSH-10 of the first fragment, where it is one.
    """

    id: int
    ack_code: str
    duplicate: bool = False
    control_id_reuse: bool = False
    refused: str = ""
    sequence: str = ""
    first: str = ""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A journalled message without its content."""

    id: int
    channel: str
    listener: str
    peer: str
    received_at: datetime
    control_id: str
    message_type: str
    trigger_event: str
    size: int
    sha256: bytes
    verdict: Verdict
    cause: str
    ack_code: str
    findings: tuple[str, ...]
    batch: str = ""


ORPHAN: Final = "fragment-orphan"
"""The cause of a fragment that no chain awaits."""

_HASH_BYTES: Final = 16

_KNOWN: Final = select(
    dedupe.c.key,
    dedupe.c.content_hash,
    dedupe.c.message_id,
    dedupe.c.ack_code,
    dedupe.c.received_at,
).where(dedupe.c.key.in_(bindparam("keys", expanding=True)))
"""The messages that were taken under these duplicate keys."""

_INSERT: Final = insert(journal_message)

_VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}
"""A word that is none of them is damage: content in its row does not open either."""

_BY_ID: Final = journal_message.c.id == bindparam("message_id")
_ROW: Final = select(*MESSAGE_COLUMNS).where(_BY_ID)
_REPEATED: Final = (
    update(dedupe)
    .where(dedupe.c.key == bindparam("of"), dedupe.c.content_hash == bindparam("hash"))
    .values(repeats=dedupe.c.repeats + literal_column("1"))
)
_CONTENT: Final = select(*MESSAGE_COLUMNS, journal_message.c.content).where(_BY_ID)

Seen = tuple[int, str]
"""Number and answer of a first message."""


def append(
    connection: Connection, sealer: Sealer, arrivals: Sequence[Arrival]
) -> list[Appended]:
    """Write a group of arrivals with their duplicate keys; the caller commits once.

    The journal must be committed before any of the answers leaves.
    """
    if not arrivals:
        return []
    keys = [_dedupe_key(sealer, arrival) for arrival in arrivals]
    seen, used = _first_ones(connection, arrivals, keys)
    links = links_of(connection, [a.numbered.link for a in arrivals if a.numbered])
    chains = chains_of(connection, sealer, [each.fragment for each in arrivals])
    ids = iter(reserve_journal(connection, len(arrivals)))
    reach("journal.numbers-reserved")
    group = _Group(ids, seen, used, links, chains)
    pairs = list(zip(arrivals, keys, strict=True))
    appended = [group.judge(arrival, key) for arrival, key in pairs]
    fresh: list[tuple[int, Arrival, bytes]] = []
    repeated: list[dict[str, object]] = []
    for one, (arrival, key) in zip(appended, pairs, strict=True):
        if one.duplicate:
            repeated.append({"of": key, "hash": arrival.content_hash[:_HASH_BYTES]})
        else:
            fresh.append((one.id, arrival, b"" if one.refused else key))
    _write(connection, sealer, fresh, appended)
    links.write(connection)
    chains.write(connection)
    bulk(connection, _REPEATED, repeated)
    _count(connection, arrivals, appended)
    return appended


@dataclass(slots=True)
class _Group:
    """Judges the arrivals of one group in order, each in the light of those before."""

    ids: Iterator[int]
    seen: dict[tuple[bytes, bytes], Seen]
    used: set[bytes]
    links: Links
    chains: Chains

    def judge(self, arrival: Arrival, key: bytes) -> Appended:
        """Return what becomes of the next arrival."""
        name = key, arrival.content_hash[:_HASH_BYTES]
        known = self.seen.get(name) if key else None
        reused = known is None and key in self.used
        rejected = reused and bool(arrival.reuse_code)
        orphan = known is None and not self.chains.awaits(arrival.fragment)
        fault, sequence = ORPHAN if orphan else "", ""
        if arrival.numbered is not None and not (rejected or orphan):
            step = self.links.step(arrival.numbered, repeated=known is not None)
            fault, sequence = step.fault or "", step.expected
        if fault:  # it is to be sent again, and must not count as known then
            code = arrival.refusal_code
            return Appended(next(self.ids), code, refused=fault, sequence=sequence)
        if known is not None:
            return Appended(*known, duplicate=True, sequence=sequence)
        code = arrival.reuse_code if rejected else arrival.ack_code
        number = next(self.ids)
        if key:
            self.used.add(key)
            self.seen[name] = number, code
        first = ""
        if arrival.fragment is not None and not rejected:
            first = self.chains.join(arrival.fragment, number, arrival.control_id)
        return Appended(
            number, code, control_id_reuse=reused, sequence=sequence, first=first
        )


def _dedupe_key(sealer: Sealer, arrival: Arrival) -> bytes:
    return sealer.blind(arrival.dedupe_key) if arrival.dedupe_key else b""


def _first_ones(
    connection: Connection, arrivals: Sequence[Arrival], keys: Sequence[bytes]
) -> tuple[dict[tuple[bytes, bytes], Seen], set[bytes]]:
    """Return what was taken before under these keys, and the keys in use."""
    after, corrected = {}, set()
    for key, arrival in zip(keys, arrivals, strict=True):
        if key:
            after[key] = arrival.first_after
        if key and arrival.batch is not None and arrival.batch.agrees:
            corrected.add(key)
    seen: dict[tuple[bytes, bytes], Seen] = {}
    used: set[bytes] = set()
    if not after:
        return seen, used
    rows = connection.execute(_KNOWN, {"keys": list(after)}).all()
    known = [row.message_id for row in rows if row.key in corrected]
    held = batches.held(connection, known)
    for row in rows:
        if row.message_id in held and row.key in corrected:
            continue  # what was held went nowhere, and now it comes in a whole batch
        oldest = after[row.key]
        if oldest is None or row.received_at >= oldest:
            used.add(row.key)
            seen[row.key, row.content_hash] = (row.message_id, row.ack_code)
    return seen, used


def _write(
    connection: Connection,
    sealer: Sealer,
    fresh: Sequence[tuple[int, Arrival, bytes]],
    appended: Sequence[Appended],
) -> None:
    """Insert the new messages and their duplicate keys."""
    if not fresh:
        return
    new = {one.id: one for one in appended if not one.duplicate}
    rows = [
        _message_row(sealer, number, arrival, new[number])
        for number, arrival, _ in fresh
    ]
    bulk(connection, _INSERT, rows)
    reach("journal.messages-inserted")
    batches.keep(
        connection,
        {
            arrival.batch.name: (arrival.batch, arrival.channel, arrival.received_at)
            for _, arrival, _ in fresh
            if arrival.batch
        },
    )
    keys: list[dict[str, object]] = [
        {
            "key": key,
            "content_hash": arrival.content_hash[:_HASH_BYTES],
            "message_id": number,
            "received_at": arrival.received_at,
            "ack_code": new[number].ack_code,
            "repeats": 0,
        }
        for number, arrival, key in fresh
        if key
    ]
    put(connection, dedupe, keys, replace=("message_id", "received_at", "ack_code"))
    reach("journal.duplicates-noted")


def _message_row(
    sealer: Sealer, number: int, arrival: Arrival, appended: Appended
) -> dict[str, object]:
    """Return the columns of one new message; the plain ones first, in their order."""
    verdict, cause, findings = arrival.verdict, arrival.cause, arrival.findings
    if appended.control_id_reuse:
        findings = (*findings, "control_id_reuse")
        if arrival.reuse_code:
            verdict, cause = Verdict.QUARANTINED, "control-id-reuse"
    if appended.refused:
        verdict, cause = Verdict.QUARANTINED, appended.refused
    data = arrival.data
    row: dict[str, object] = {
        "id": number,
        "channel": arrival.channel,
        "listener": arrival.listener,
        "peer": arrival.peer,
        "received_at": arrival.received_at,
        "control_id": arrival.control_id,
        "message_type": arrival.message_type,
        "trigger_event": arrival.trigger_event,
        "size": len(data),
        "sha256": fingerprint(data),
        "verdict": verdict.value,
        "cause": cause,
        "ack_code": appended.ack_code,
        "findings": " ".join(findings),
        "batch": arrival.batch.name if arrival.batch else "",
    }
    context, _ = contexts.of_message(tuple(row.values()))
    return row | {"content": sealer.seal(data, context)}


def _count(
    connection: Connection, arrivals: Sequence[Arrival], appended: Sequence[Appended]
) -> None:
    """Keep how much each channel took in, and how often it heard a repetition."""
    new: Counter[str] = Counter()
    repeated: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    for arrival, one in zip(arrivals, appended, strict=True):
        (repeated if one.duplicate else new)[arrival.channel] += 1
        last[arrival.channel] = arrival.received_at
    rows: list[dict[str, object]] = [
        {
            "channel": channel,
            "messages": new[channel],
            "repeats": repeated[channel],
            "last_at": last[channel],
        }
        for channel in sorted(last)
    ]
    put(connection, intake, rows, replace=("last_at",), add=("messages", "repeats"))


def read_row(found: Found) -> JournalRow:
    """Return a journalled message from a row that begins with `MESSAGE_COLUMNS`."""
    last = len(MESSAGE_COLUMNS)
    verdict, cause, ack_code, findings, batch = found[last - 5 : last]
    known = (
        _VERDICTS.get(verdict, Verdict.QUARANTINED),
        cause,
        ack_code,
        tuple(findings.split()),
        batch,
    )
    return JournalRow(*(*found[: last - 5], *known))


def row(connection: Connection, message_id: int) -> JournalRow | None:
    """Return one journalled message without its content."""
    found = connection.execute(_ROW, {"message_id": message_id}).one_or_none()
    return None if found is None else read_row(found)


def content(connection: Connection, sealer: Sealer, message_id: int) -> bytes | None:
    """Return the bytes as received; None when they are unknown or purged."""
    found = connection.execute(_CONTENT, {"message_id": message_id}).one_or_none()
    if found is None or found.content is None:
        return None
    return sealer.open(found.content, *contexts.of_message(found))


def last(connection: Connection) -> tuple[int, datetime | None]:
    """Return the number of the last message that is there, and when it came."""
    found = connection.execute(_LAST).one_or_none()
    return (0, None) if found is None else (found.id, found.received_at)


_LAST: Final = (
    select(journal_message.c.id, journal_message.c.received_at)
    .order_by(journal_message.c.id.desc())
    .limit(1)
)


def prune_duplicates(connection: Connection, before: datetime, limit: int) -> int:
    """Forget duplicate keys older than ``before``; return how many were deleted."""
    old = (
        select(dedupe.c.message_id, dedupe.c.key, dedupe.c.content_hash)
        .where(dedupe.c.received_at < before)
        .order_by(dedupe.c.received_at)
        .limit(limit)
    )
    rows: list[dict[str, object]] = [
        {"old_key": row.key, "old_hash": row.content_hash}
        for row in connection.execute(old)
    ]
    bulk(connection, _FORGET, rows)
    return len(rows)


_FORGET: Final = delete(dedupe).where(
    dedupe.c.key == bindparam("old_key"), dedupe.c.content_hash == bindparam("old_hash")
)
