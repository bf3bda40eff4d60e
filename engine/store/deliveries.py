"""Documents on their way out: lanes, their heads, and how each attempt ends.

A lane is (channel, destination, order key). Its row exists while it has undelivered
work and names its head, so finding what to send costs the same with one delivery
waiting and with a million.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.delivery_state import Event
from engine.store.seal import Sealer
from engine.store.words import OnFailure


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One rendered document for one destination.

    Lanes are told apart by ``order_key``, which may be PHI and is only kept as a keyed
    hash; ``person`` is the enterprise identifier shown to operators, or empty.
    ``name`` is a file path or whatever the destination calls the document.
    """

    channel: str
    destination: str
    order_key: str
    content: bytes
    content_type: str
    name: str = ""
    person: str = ""
    on_failure: OnFailure = OnFailure.PARK
    note: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who claims for which destination, at what time, and until when."""

    channel: str
    destination: str
    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Leased:
    """A lane head to be sent now; ``attempts`` counts this one already."""

    id: int
    epoch: int
    message_id: int
    channel: str
    destination: str
    lane_id: int
    attempts: int
    content: bytes
    content_type: str
    name: str
    person: str
    on_failure: OnFailure
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt ended: `Event.ACCEPT`, `Event.RETRY` or `Event.PARK`.

    ``class_`` is a retry class of `protocol.md` 5, ``code`` the stable cause,
    ``sentence`` words without PHI, ``answer`` the bytes that came back. With ``aside``
    the lane goes on while this delivery waits for its retry. ``on_failure``, ``label``
    and ``assignee`` are what an ``on-error`` rule said.
    """

    leased: Leased
    event: Event
    answer: bytes = b""
    class_: str = ""
    code: str = ""
    sentence: str = ""
    note: str = ""
    not_before: datetime | None = None
    aside: bool = False
    on_failure: OnFailure | None = None
    label: str = ""
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator asks for, and why: it is audited."""

    actor: str
    now: datetime
    reason: str = ""


def enqueue(
    connection: Connection,
    sealer: Sealer,
    message_id: int,
    attempt: int,
    documents: Sequence[NewDelivery],
    now: datetime,
) -> list[int]:
    """Queue documents behind what their lanes already hold; return their numbers."""
    raise NotImplementedError


def claim_heads(
    connection: Connection, sealer: Sealer, turn: Turn, limit: int
) -> list[Leased]:
    """Lease the heads of this destination's lanes that are due, longest due first.

    The attempt counts from here, so commit before sending. A destination that is
    paused or stopped gives nothing.
    """
    raise NotImplementedError


def next_due(connection: Connection, channel: str, destination: str) -> datetime | None:
    """Return when the next lane head of a destination is due; None when none waits."""
    raise NotImplementedError


def settle(
    connection: Connection,
    sealer: Sealer,
    settlements: Sequence[Settlement],
    now: datetime,
) -> list[int]:
    """Write how attempts ended and move their lanes on; return the stale ones.

    A settlement whose lease was taken over meanwhile (another epoch) writes nothing:
    the number of its delivery is returned, and the other settlements count.
    """
    raise NotImplementedError


def extend(
    connection: Connection, leased: Sequence[Leased], until: datetime, note: str = ""
) -> list[int]:
    """Lengthen leases, with a note such as "awaiting application acknowledgment".

    Return the numbers of those that are lost.
    """
    raise NotImplementedError


def expire(connection: Connection, now: datetime, *, owner: str = "") -> int:
    """Queue again what was leased and whose lease ended; return how many.

    With ``owner`` every lease of that owner ends: a node calls it when it starts.
    """
    raise NotImplementedError


def resend(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Queue failed or delivered deliveries again, in order; return how many.

    Raises:
        IllegalTransitionError: one of them is in another state.
    """
    raise NotImplementedError


def discard(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Give up queued or failed deliveries for good; return how many.

    Raises:
        IllegalTransitionError: one of them is in another state.
    """
    raise NotImplementedError


def content(
    connection: Connection, sealer: Sealer, delivery_id: int
) -> tuple[bytes, str] | None:
    """Return the document and its name; None when unknown or purged."""
    raise NotImplementedError


def answer(connection: Connection, sealer: Sealer, delivery_id: int) -> bytes:
    """Return the bytes of the last answer, or nothing."""
    raise NotImplementedError
