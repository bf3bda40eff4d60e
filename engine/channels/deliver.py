"""The deliver loop: claim lane heads, send them, settle what ended, in shared commits.

The loop never waits for one receiver: whatever has ended is settled, whatever is due is
claimed, in one transaction; while that is on its way to the disk, sends go on.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from engine.channels.destinations import Document, Receipt
from engine.channels.labels import Label, label_of
from engine.channels.outbox import LEASE, Claim, Outcome, Pause, Round
from engine.channels.retry import (
    Consequence,
    FailureClass,
    Scope,
    class_of,
    consequence,
)
from engine.channels.route import InHand, Place, Route, failed
from engine.errors import DeliveryError, PermanentError
from engine.failpoint import reach
from engine.store.deliveries import Leased
from engine.store.delivery_state import Event
from engine.store.settlement import Settlement

MAX_SETTLED: Final = 256
GATHER_SECONDS: Final = 0.02
"""How long an end waits for others while its destination has more under way than has
ended: a transaction for each would cost more than the sending."""

LOOK_SECONDS: Final = 1.0
"""How often the outbox is looked at when no wake-up came: losing one loses nothing."""

EXTEND_SECONDS: Final = LEASE.total_seconds() / 3
Note = Callable[[str, int], None]


class Store(Protocol):
    """The outbox, run elsewhere than on the reactor."""

    def run(self, work: Round) -> Awaitable[Outcome]:
        """Settle, pause, extend and claim in one transaction."""


class DeliverLoop:
    """Sends what the outbox holds; one for each edge process.

    Attributes:
        extend_seconds: how long a delivery is in hand before its lease is lengthened.
    """

    _log = Logger()
    extend_seconds = EXTEND_SECONDS

    def __init__(
        self,
        store: Store,
        clock: IReactorTime,
        now: Callable[[], datetime],
        draw: Callable[[], float],
        note: Note,
    ) -> None:
        self._store = store
        self._clock = clock
        self._now = now
        self._draw = draw
        self._note = note
        self._routes: Mapping[Place, Route] = {}
        self._paused: frozenset[Place] = frozenset()
        self._ended: deque[Settlement] = deque()
        self._pauses: list[Pause] = []
        self._in_hand: dict[int, InHand] = {}
        self._tries: dict[int, tuple[FailureClass, int]] = {}
        self._busy_lanes: set[int] = set()  # those that had a next one at once
        self._running = False
        self._again = False
        self._stopping: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._extended_at = 0.0

    # ---- from outside

    def follow(self, routes: Mapping[Place, Route]) -> None:
        """Deliver to these destinations from now on; what is in hand ends first."""
        self._routes = routes
        self.wake()

    def pause(self, places: frozenset[Place]) -> None:
        """Claim nothing for these destinations until told otherwise."""
        resumed = self._paused - places
        self._paused = places
        if resumed:
            self.wake()

    def wake(self) -> None:
        """Look at once: there may be something new for any destination."""
        now = self._clock.seconds()
        for route in self._routes.values():
            route.due_at = min(route.due_at, now)
        self._look()

    def stop(self) -> Deferred[None]:
        """Claim nothing more; return when everything in hand has been settled."""
        if self._stopping is None:
            self._stopping = Deferred()
            for route in self._routes.values():
                route.destination.close()
            self._look()
        return self._stopping

    @property
    def in_hand(self) -> int:
        """How many deliveries are being sent."""
        return len(self._in_hand)

    def alarmed(self) -> list[Place]:
        """Return the destinations that have failed for long."""
        return [place for place, route in self._routes.items() if route.alarmed]

    # ---- the loop

    def _look(self) -> None:
        """Begin a round, or have the running one followed by another."""
        self._again = True
        if not self._running:
            self._running = True
            Deferred.fromCoroutine(self._rounds()).addErrback(self._broke)

    async def _rounds(self) -> None:
        while self._again:
            self._again = False
            work = self._round()
            if work is None:
                break
            try:
                outcome = await self._store.run(work)
            except Exception as error:  # noqa: BLE001 - the store is away: try again
                self._store_failed(work, error)
            else:
                self._lengthen(work, outcome)
                self._begin(work, outcome)
        self._running = False
        self._rest()

    def _round(self) -> Round | None:
        """Return what is worth a transaction at this moment, if anything."""
        now = self._clock.seconds()
        settlements = [
            self._ended.popleft() for _ in range(min(len(self._ended), MAX_SETTLED))
        ]
        pauses, self._pauses = self._pauses, []
        claims = [] if self._stopping else self._claims(now)
        in_hand = self._to_extend(now)
        if not (settlements or pauses or claims or in_hand):
            return None
        urgent = any(map(self._holds_up, settlements))
        return Round(settlements, claims, in_hand, pauses, urgent)

    def _holds_up(self, settlement: Settlement) -> bool:
        """Whether a receiver is idle until a lane that had more has moved on."""
        leased = settlement.leased
        route = self._routes.get((leased.channel, leased.destination))
        is_idle = route is not None and not route.in_hand
        return is_idle and leased.lane_id in self._busy_lanes

    def _claims(self, now: float) -> list[Claim]:
        claims = []
        for place, route in self._routes.items():
            room = 0 if place in self._paused else route.room(now)
            if room:
                claims.append(Claim(*route.place, room, route.room_bytes))
                route.due_at = now + LOOK_SECONDS
        return claims

    def _to_extend(self, now: float) -> dict[str, list[Leased]]:
        """Return what is in hand for long, by what it waits for."""
        found: dict[str, list[Leased]] = {}
        if now - self._extended_at < self.extend_seconds:
            return found
        self._extended_at = now
        for held in self._in_hand.values():
            if now - held.since >= self.extend_seconds or held.waits_for:
                found.setdefault(held.waits_for, []).append(held.leased)
        return found

    def _lengthen(self, work: Round, outcome: Outcome) -> None:
        """Note which leases go on, so that nothing leaves after its lease has ended."""
        until, ends_at = self._end_of_lease(outcome)
        for one in chain(*work.in_hand.values()):
            held = self._in_hand.get(one.id)
            if held is not None:
                lost = one.id in outcome.stale
                held.lengthen(until, -1.0 if lost else ends_at)

    def _end_of_lease(self, outcome: Outcome) -> tuple[datetime, float]:
        """Return the end of the leases of a round, by the wall and by our own clock."""
        wall = self._now()
        until = outcome.until or wall
        return until, self._clock.seconds() + (until - wall).total_seconds()

    def _begin(self, work: Round, outcome: Outcome) -> None:
        """Start what was claimed, and note when the rest is due."""
        now, wall = self._clock.seconds(), self._now()
        for place, due in outcome.due.items():
            if place in self._routes and due is not None:
                wait = (due - wall).total_seconds()
                wait = wait if wait > 0 else LOOK_SECONDS  # due, and yet not given
                self._routes[place].due_at = now + min(wait, LOOK_SECONDS)
        for claim in work.claims:
            place = claim.channel, claim.destination
            if place not in outcome.due and place in self._routes:
                self._routes[place].due_at = now
        for number in outcome.stale:
            self._note("delivery_taken_over", 1)
            self._tries.pop(number, None)
        settled = {one.leased.lane_id for one in work.settlements}
        self._busy_lanes -= settled
        self._busy_lanes |= settled & {one.lane_id for one in outcome.leased}
        until, ends_at = self._end_of_lease(outcome)
        for leased in outcome.leased:
            self._start(leased, until, ends_at)

    def _start(self, leased: Leased, until: datetime, ends_at: float) -> None:
        route = self._routes.get((leased.channel, leased.destination))
        if route is None:  # it was taken out of the channel a moment ago
            back = Settlement(leased, Event.RETRY, not_before=self._now())
            self._ended.append(back)
            self._again = True
            return
        known = self._in_hand.get(leased.id)
        if known is not None:  # our lease ended while we sent: this one goes on with it
            known.leased = leased
            known.lengthen(until, ends_at)
            return
        route.take(leased)
        held = InHand(leased, route, self._clock.seconds(), until, ends_at)
        self._in_hand[leased.id] = held
        Deferred.fromCoroutine(self._send(held)).addErrback(self._broke)

    async def _send(self, held: InHand) -> None:
        try:
            reach("send.before")
            receipt = await held.route.destination.send(self._document(held))
            reach("send.taken")
        except DeliveryError as error:
            settlement = self._failed(held, error)
        except Exception as error:  # noqa: BLE001 - our defect, for a person to see
            name = type(error).__name__
            self._log.error("delivery defect {name}", name=name)
            defect = PermanentError(f"defect in the destination: {name}", "defect")
            settlement = self._failed(held, defect)
        else:
            settlement = self._delivered(held, receipt)
        held.route.give_back(held.leased, self._clock.seconds())
        del self._in_hand[held.leased.id]
        self._ended.append(settlement)
        if held.route.in_hand <= len(self._ended):
            self._look()
        elif len(self._ended) == 1:
            self._clock.callLater(GATHER_SECONDS, self._look)

    def _document(self, held: InHand) -> Document:
        leased = held.leased
        if leased.content is None:
            raise PermanentError(
                "the stored document does not open: it is damaged, or sealed with "
                "another key; process its message again to render it anew",
                "damaged",
            )

        def is_ours() -> bool:
            return held.is_ours(self._clock.seconds(), self._now())

        def tell(words: str) -> None:
            held.waits_for, self._extended_at = words, -self.extend_seconds
            self._look()

        return Document(leased.content, leased.content_type, leased.name, is_ours, tell)

    def _delivered(self, held: InHand, receipt: Receipt) -> Settlement:
        held.route.recovered()
        self._tries.pop(held.leased.id, None)
        self._note("delivered", 1)
        return Settlement(
            held.leased, Event.ACCEPT, answer=receipt.answer, note=receipt.note
        )

    def _failed(self, held: InHand, error: DeliveryError) -> Settlement:
        named, tries = class_of(error), 1
        last = self._tries.get(held.leased.id)
        if last is not None and last[0] is named:
            tries += last[1]
        retry = held.route.settings.retry
        ended = consequence(error, tries, retry, self._draw())
        self._note(f"delivery_{named}", 1)
        if named is FailureClass.TRANSIENT and held.route.alarms(self._clock.seconds()):
            place = held.route.place
            text = "destination_failing {place} {code}"
            self._log.warn(text, place=place, code=error.code)
        self._hold(held.route, ended, error)
        if ended.wait_seconds is None:
            self._tries.pop(held.leased.id, None)
            label = label_of(held.route.settings, held.leased, error, self._now())
            return failed(held.leased, error, ended, label)
        self._tries[held.leased.id] = (named, tries)
        again = self._now() + timedelta(seconds=ended.wait_seconds)
        return failed(held.leased, error, ended, Label(), again)

    def _hold(self, route: Route, ended: Consequence, error: DeliveryError) -> None:
        """Let every lane of a destination wait while its receiver is away."""
        if ended.scope is not Scope.DESTINATION:
            return
        wait = ended.wait_seconds or 0.0
        route.hold_until = max(route.hold_until, self._clock.seconds() + wait)
        route.probing = True
        if ended.pause:
            text = "destination_paused {place} {code}"
            self._log.error(text, place=route.place, code=error.code)
            self._pauses.append(Pause(*route.place, str(error)))

    def _rest(self) -> None:
        """Wait for the next due moment, a wake-up, or the end of a send."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._stopping and not (self._in_hand or self._ended or self._running):
            if not self._stopping.called:
                self._stopping.callback(None)
            return
        now = self._clock.seconds()
        waits = [
            max(route.due_at, route.hold_until) - now
            for place, route in self._routes.items()
            if place not in self._paused
        ]
        wait = min([LOOK_SECONDS, *waits])
        self._timer = self._clock.callLater(max(wait, 0.01), self._look)

    def _store_failed(self, work: Round, error: Exception) -> None:
        """Keep what could not be settled, and try again a little later."""
        self._log.error("outbox: {kind}", kind=type(error).__name__)
        self._note("outbox_failure", 1)
        self._ended.extendleft(reversed(work.settlements))
        self._pauses.extend(work.pauses)
        self._again = False
        later = self._clock.seconds() + LOOK_SECONDS
        for route in self._routes.values():
            route.due_at = max(route.due_at, later)

    def _broke(self, failure: object) -> None:
        self._running = False
        self._log.error("deliver loop broke: {failure}", failure=failure)
