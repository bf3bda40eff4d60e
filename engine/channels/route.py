"""One destination of one channel, and the deliveries that are on their way to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.channels.destinations import Destination
from engine.channels.destinations.mllp import MllpSender
from engine.channels.format.channel import Destination as Settings
from engine.channels.labels import Label
from engine.channels.retry import Consequence, Scope, is_alarming
from engine.errors import DeliveryError
from engine.store.deliveries import MAX_BYTES, Leased
from engine.store.delivery_state import Event
from engine.store.settlement import Settlement

MAX_IN_HAND: Final = 64
"""Deliveries of one destination that are claimed at a time."""

Place = tuple[str, str]
"""Channel and destination by name."""


@dataclass(slots=True)
class Route:
    """One destination of one channel, and what the loop knows about it just now.

    Attributes:
        hold_until: seconds of the loop's clock; nothing is claimed before.
        probing: the receiver was away: one delivery tries whether it is back.
        due_at: when there may be something to claim.
        failing_since: the first of the transient failures in a row; None while none.
        failures: how many there have been.
        alarmed: whether a person has been told of them.
    """

    channel: str
    settings: Settings
    destination: Destination
    hold_until: float = 0.0
    probing: bool = False
    due_at: float = 0.0
    in_hand: int = 0
    bytes_in_hand: int = 0
    tokens: float = 1.0
    filled_at: float = 0.0
    failing_since: float | None = None
    failures: int = 0
    alarmed: bool = False

    @property
    def place(self) -> Place:
        """Channel and destination by name."""
        return self.channel, self.settings.name

    def recovered(self) -> None:
        """Note that the receiver takes documents."""
        self.probing = self.alarmed = False
        self.failing_since, self.failures = None, 0

    def alarms(self, now: float) -> bool:
        """Note a transient failure; tell whether a person should hear of it now."""
        self.failures += 1
        self.failing_since = now if self.failing_since is None else self.failing_since
        due = is_alarming(self.failures, now - self.failing_since)
        first = due and not self.alarmed
        self.alarmed = self.alarmed or due
        return first

    @property
    def room_bytes(self) -> int:
        """How large the documents may be that are claimed at this moment."""
        return MAX_BYTES - self.bytes_in_hand

    def take(self, leased: Leased) -> None:
        """Note that a delivery begins."""
        self.in_hand += 1
        self.bytes_in_hand += len(leased.content or b"")
        self.tokens -= 1

    def give_back(self, leased: Leased, now: float) -> None:
        """Note that a delivery ended: another one may be due."""
        self.in_hand -= 1
        self.bytes_in_hand -= len(leased.content or b"")
        self.due_at = min(self.due_at, now)

    def room(self, now: float) -> int:
        """Return how many deliveries may be claimed at this moment."""
        if now < max(self.hold_until, self.due_at) or self.room_bytes <= 0:
            return 0
        room = (1 if self.probing else MAX_IN_HAND) - self.in_hand
        rate = self.settings.rate
        if rate is None:
            return max(room, 0)
        self.tokens = min(self.tokens + (now - self.filled_at) * rate, max(rate, 1.0))
        self.filled_at = now
        return max(min(room, int(self.tokens)), 0)


@dataclass(slots=True)
class InHand:
    """A delivery that is being sent, and the lease that allows it.

    Attributes:
        since: seconds of the loop's clock.
        until: the end of the lease as the store knows it.
        ends_at: the same by the loop's own clock, which nobody sets.
        waits_for: what the destination waits for, in words; often empty.
    """

    leased: Leased
    route: Route
    since: float
    until: datetime
    ends_at: float
    waits_for: str = field(default="", init=False)

    def lengthen(self, until: datetime, ends_at: float) -> None:
        """Note that the store has lengthened the lease."""
        self.until, self.ends_at = until, ends_at

    def is_ours(self, now: float, wall: datetime) -> bool:
        """Whether the lease still runs, by both clocks."""
        return now < self.ends_at and wall < self.until


def failed(
    leased: Leased,
    error: DeliveryError,
    ended: Consequence,
    label: Label,
    not_before: datetime | None = None,
) -> Settlement:
    """Return how an attempt ended that failed: again at ``not_before``, or parked."""
    return Settlement(
        leased,
        Event.PARK if not_before is None else Event.RETRY,
        answer=error.answer,
        class_=ended.failure_class.value,
        code=error.code,
        sentence=str(error),
        not_before=not_before,
        aside=ended.scope is Scope.NOBODY,
        on_failure=label.on_failure,
        label=label.name,
        assignee=label.assignee,
    )


def heard_by_one(routes: Iterable[Route], answer: bytes) -> bool:
    """Show an acknowledgment that came in by itself to the one sender that awaits it.

    One message may go to two receivers: an answer that could be either's is none.
    """
    senders = [route.destination for route in routes]
    waiting = [
        sender
        for sender in senders
        if isinstance(sender, MllpSender) and sender.awaits(answer) is not None
    ]
    return len(waiting) == 1 and waiting[0].hear_application(answer)
