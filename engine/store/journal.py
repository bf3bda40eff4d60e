"""What was received: appended in groups by edge, read in order by workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.seal import Sealer
from engine.store.words import Verdict


@dataclass(frozen=True, slots=True)
class Arrival:
    """One block of bytes taken off the wire.

    ``dedupe_key`` names the message at its sender (listener, peer, MSH-3, MSH-4,
    MSH-10); ``""`` means that it is never a duplicate. ``content_hash`` leaves out the
    fields that may change in a resend. A first one older than ``first_after`` does not
    count any more. ``reuse_code`` answers another content under the same key: ``""``
    takes it with a finding, anything else quarantines it.
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


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one arrival; `append` returns one for each, in order.

    ``id`` is the message's number, in accept order. When ``duplicate`` is true nothing
    new was stored: ``id`` and ``ack_code`` are those of the first one.
    """

    id: int
    ack_code: str
    duplicate: bool = False
    control_id_reuse: bool = False


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


@dataclass(frozen=True, slots=True)
class Claimed:
    """One message for a worker: what was received, and how often it was tried.

    ``attempt`` numbers the processing from 1 and goes into its `Outcome`. ``deaths``
    counts workers that died while they had it in hand: from 2 on it is poison.
    """

    row: JournalRow
    data: bytes
    attempt: int = 1
    redo: bool = False
    deaths: int = 0


def append(
    connection: Connection, sealer: Sealer, arrivals: Sequence[Arrival]
) -> list[Appended]:
    """Write a group of arrivals with their duplicate keys; the caller commits once.

    The journal must be committed before any of the answers leaves.
    """
    raise NotImplementedError


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
    suspected ones are past.
    """
    raise NotImplementedError


def forget_starts(connection: Connection) -> None:
    """Forgive what was begun and not finished: the whole engine had stopped."""
    raise NotImplementedError


def row(connection: Connection, message_id: int) -> JournalRow | None:
    """Return one journalled message without its content."""
    raise NotImplementedError


def content(connection: Connection, sealer: Sealer, message_id: int) -> bytes | None:
    """Return the bytes as received; None when they are unknown or purged."""
    raise NotImplementedError


def link_sequence(connection: Connection, link: str) -> int | None:
    """Return the last sequence number (MSH-13) taken over a link."""
    raise NotImplementedError


def set_link_sequence(connection: Connection, link: str, number: int) -> None:
    """Keep the last sequence number of a link, in the transaction of its message."""
    raise NotImplementedError


def prune_duplicates(connection: Connection, before: datetime, limit: int) -> int:
    """Forget duplicate keys older than ``before``; return how many were deleted."""
    raise NotImplementedError
