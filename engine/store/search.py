"""What console and CLI ask: messages, deliveries, parked persons, counts, ages.

Every listing is paged by a cursor, newest first for messages.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.delivery_state import State
from engine.store.message_state import MessageState
from engine.store.results import SearchKey
from engine.store.seal import Sealer
from engine.store.words import OnFailure


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages; what is empty does not restrict.

    ``keys`` must all match: ``SearchKey("identifier", "...")`` and so on, the control
    id as kind ``control``.
    """

    channel: str = ""
    state: MessageState | None = None
    message_type: str = ""
    trigger_event: str = ""
    since: datetime | None = None
    until: datetime | None = None
    person: str = ""
    keys: tuple[SearchKey, ...] = ()


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


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; what is empty does not restrict."""

    channel: str = ""
    destination: str = ""
    state: State | None = None
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as a list shows it."""

    id: int
    message_id: int
    attempt: int
    channel: str
    destination: str
    state: State
    attempts: int
    not_before: datetime | None
    content_type: str
    sha256: bytes
    class_: str
    code: str
    sentence: str
    note: str
    on_failure: OnFailure
    queued_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parked:
    """A lane that waits behind a failed delivery, and how many wait in it."""

    person: str
    channel: str
    destination: str
    delivery_id: int
    message_id: int
    since: datetime
    class_: str
    code: str
    sentence: str
    behind: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages or deliveries of a channel are in a state."""

    subject: str
    channel: str
    destination: str
    state: str
    count: int


@dataclass(frozen=True, slots=True)
class ChannelIntake:
    """What a channel has taken in, what waits to be processed, and since when."""

    channel: str
    messages: int
    repeats: int
    last_at: datetime
    waiting: int
    oldest_waiting: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a destination has to send, in lanes: how many, and since when."""

    channel: str
    destination: str
    ready: int
    leased: int
    parked: int
    oldest: datetime | None
    next_due: datetime | None


def messages(
    connection: Connection,
    sealer: Sealer,
    wanted: MessageFilter,
    *,
    before: int = 0,
    limit: int = 100,
) -> list[MessageRow]:
    """Return messages, newest first, with numbers below ``before`` if it is given."""
    raise NotImplementedError


def message(connection: Connection, message_id: int) -> MessageRow | None:
    """Return one message."""
    raise NotImplementedError


def attempts(
    connection: Connection, sealer: Sealer, message_id: int
) -> list[AttemptRow]:
    """Return every processing of a message, oldest first."""
    raise NotImplementedError


def deliveries(
    connection: Connection,
    wanted: DeliveryFilter,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[DeliveryRow]:
    """Return deliveries by number, beyond ``after``."""
    raise NotImplementedError


def delivery(connection: Connection, delivery_id: int) -> DeliveryRow | None:
    """Return one delivery."""
    raise NotImplementedError


def parked(connection: Connection, *, person: str = "") -> list[Parked]:
    """Return the lanes that wait behind a failed delivery, longest first."""
    raise NotImplementedError


def behind(connection: Connection, message_id: int) -> list[int]:
    """Return the messages that wait behind a held one, in accept order."""
    raise NotImplementedError


def counts(connection: Connection) -> list[Count]:
    """Return the counters of messages and deliveries by channel and state."""
    raise NotImplementedError


def intake(connection: Connection) -> list[ChannelIntake]:
    """Return what each channel has taken in and what waits."""
    raise NotImplementedError


def waiting(connection: Connection) -> list[Waiting]:
    """Return what each destination has to send."""
    raise NotImplementedError


def table_misses(
    connection: Connection, sealer: Sealer, *, table: str = "", limit: int = 1000
) -> list[tuple[str, str, str, str, int]]:
    """Return (channel, table, sender, code, count) of codes without a row."""
    raise NotImplementedError
