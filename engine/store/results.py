"""The processing transaction: everything a batch of messages led to, at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.audit import Act
from engine.store.deliveries import NewDelivery
from engine.store.leases import Lease
from engine.store.message_state import MessageState
from engine.store.resources import KnownResource, NewDocument
from engine.store.seal import Sealer


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message became ``error`` or ``held``, for the error queue.

    ``stage`` is a stage of `channel-format.md` 3.8, ``class_`` a retry class (or
    ``frame``), ``code`` the stable cause, ``sentence`` one sentence without PHI,
    ``cause`` the same without values that differ from message to message: it groups.
    """

    stage: str
    class_: str
    code: str
    sentence: str
    cause: str = ""
    label: str = ""
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class SearchKey:
    """One way to find the message: ``kind`` such as ``identifier`` or ``family``.

    Kept as a keyed hash only. Values are compared without case and outer space.
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class TableMiss:
    """A code that a code table did not have."""

    table: str
    code: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What processing made of one message.

    ``state`` is filtered (``reason``: the rule), processed, held or error (with
    ``failure``; a hold for an identity doubt has none, its entry is in the mismatch
    queue). ``report`` is the loss report with the findings, ready as JSON. ``holds``
    are the person keys (see `results.blocked`) that must wait for this held message;
    ``behind`` is the held message that this one waits for.
    """

    message_id: int
    state: MessageState
    attempt: int = 1
    redo: bool = False
    revision: str = ""
    stage: str = ""
    reason: str = ""
    person: str = ""
    duration_us: int = 0
    failure: Failure | None = None
    behind: int | None = None
    holds: tuple[str, ...] = ()
    keys: tuple[SearchKey, ...] = ()
    report: bytes = b""
    deliveries: tuple[NewDelivery, ...] = ()
    resources: tuple[KnownResource, ...] = ()
    documents: tuple[NewDocument, ...] = ()
    misses: tuple[TableMiss, ...] = ()
    acts: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """The outcomes of messages of one channel, in the order they were claimed.

    ``lease`` is the worker's hold on the channel's partition: when another worker has
    taken it over, nothing of the batch may be written. None where nobody competes.
    """

    channel: str
    outcomes: Sequence[Outcome]
    partition: int = 0
    lease: Lease | None = None


def record(
    connection: Connection, sealer: Sealer, batch: Batch, now: datetime
) -> list[list[int]]:
    """Write a batch: states, attempts, progress, search keys, deliveries, entries.

    Return the delivery numbers of each outcome.

    Raises:
        IllegalTransitionError: the lease is not ours any more, or a message is not
            *received*; nothing may be committed.
    """
    raise NotImplementedError


def blocked(
    connection: Connection, sealer: Sealer, keys: Sequence[str]
) -> dict[str, int]:
    """Return, for each person key that waits, the held message it waits for.

    A key is whatever names the person in messages, such as ``system|identifier``.
    """
    raise NotImplementedError
