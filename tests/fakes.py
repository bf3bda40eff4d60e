"""Stand-ins that implement our own protocols; no test patches anything."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.testing import StringTransport
from typing_extensions import override

from engine.channels.destinations import Receipt
from engine.channels.outbox import LEASE, Outcome
from engine.store.deliveries import Leased
from engine.store.delivery_state import Event
from engine.store.journal import Appended
from engine.store.words import OnFailure

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class FakeJournal:
    """Remembers what it was given; commits when the test says so, or at once."""

    def __init__(self, *, at_once=True):
        self.at_once = at_once
        self.arrivals = []
        self.commits = []
        self.known = {}

    def append(self, arrival):
        committed: Deferred[Appended] = Deferred()
        self.arrivals.append(arrival)
        self.commits.append(committed)
        if self.at_once:
            self.commit(len(self.arrivals) - 1)
        return committed

    def append_all(self, arrivals):
        """Append a group; the first that fails fails all."""
        together: Any = DeferredList(
            [self.append(each) for each in arrivals],
            fireOnOneErrback=True,
            consumeErrors=True,
        )
        together.addErrback(lambda failure: failure.value.subFailure)
        return together.addCallback(lambda ends: [end for _, end in ends])

    def commit(self, place):
        arrival = self.arrivals[place]
        name = (arrival.dedupe_key, arrival.content_hash)
        first = self.known.get(name) if arrival.dedupe_key else None
        done = Appended(place + 1, arrival.ack_code)
        self.known.setdefault(name, done)
        if first is not None:
            done = Appended(first.id, first.ack_code, duplicate=True)
        self.commits[place].callback(done)

    def fail(self, place, error):
        self.commits[place].errback(error)


class Wire(StringTransport):
    """A transport in memory that can also be aborted, and asked for small packets."""

    @override
    def abortConnection(self):
        self.loseConnection()

    socket: Any = None
    keepalive = False

    def setTcpNoDelay(self, enabled):  # noqa: N802 - Twisted's name
        pass

    def setTcpKeepAlive(self, enabled):  # noqa: N802 - Twisted's name
        self.keepalive = enabled


def ends_of(coroutine):
    """Run a coroutine; return a list that gets its result, or its failure."""
    ends: list[Any] = []
    running: Deferred[Any] = Deferred.fromCoroutine(coroutine)
    running.addBoth(ends.append)
    return ends


class Notes(Counter[str]):
    """Counts what is noted."""

    def __call__(self, event, count):
        self[event] += count


class FakeOutbox:
    """Lanes in memory: enough of the store to see what the deliver loop asks of it."""

    def __init__(self, clock):
        self.clock, self.queued, self.settled, self.rounds = clock, [], [], []
        self.leased, self.due, self.paused, self.failing = {}, {}, [], None
        self.parked, self.ended = set(), []

    def put(self, number, *, lane, destination="his", content=b""):
        self.queued.append(
            Leased(
                id=number,
                epoch=1,
                message_id=number,
                channel="adt",
                destination=destination,
                lane_id=lane,
                attempts=0,
                content=str(number).encode() if content == b"" else content,
                content_type="",
                name="",
                person="",
                on_failure=OnFailure.PARK,
                queued_at=NOON,
            )
        )

    def now(self):
        return NOON + timedelta(seconds=self.clock.seconds())

    def run(self, work):
        self.rounds.append(work)
        if self.failing:
            return fail(self.failing)
        for settlement in work.settlements:
            self._settle(settlement)
        self.paused += [(pause.channel, pause.destination) for pause in work.pauses]
        outcome = Outcome(until=self.now() + LEASE)
        for claim in work.claims:
            self._claim(claim, outcome)
        return succeed(outcome)

    def _settle(self, settlement):
        leased = settlement.leased
        del self.leased[leased.id]
        self.ended.append(leased)
        self.settled.append((leased.id, settlement.event, settlement.class_))
        if settlement.event is Event.RETRY:
            self.queued.insert(0, leased)
            self.queued.sort(key=lambda delivery: delivery.id)
            self.due[leased.id] = settlement.not_before
        elif settlement.event is Event.PARK:
            self.parked.add(leased.lane_id)

    def _claim(self, claim, outcome):
        place = claim.channel, claim.destination
        busy = self.parked | {held.lane_id for held in self.leased.values()}
        waiting, size = None, 0
        for delivery in list(self.queued):
            if delivery.destination != claim.destination or delivery.lane_id in busy:
                continue
            busy.add(delivery.lane_id)
            due = self.due.get(delivery.id, NOON)
            if due > self.now():
                waiting = min(waiting or due, due)
            elif place in self.paused:
                waiting = due  # due, and yet not given
            elif len(outcome.leased) < claim.limit and size < claim.max_bytes:
                size += len(delivery.content or b"")
                self.queued.remove(delivery)
                self.leased[delivery.id] = delivery
                outcome.leased.append(delivery)
        if len(outcome.leased) < claim.limit:
            outcome.due[place] = waiting


class FakeDestination:
    """Remembers what it was sent; the test says how each send ends."""

    def __init__(self):
        self.sent, self.ends, self.closed = [], {}, False

    def send(self, document):
        self.sent.append(document.content)
        self.ends[document.content] = Deferred()
        return self.ends[document.content]

    def take(self, content):
        self.ends.pop(content).callback(Receipt(b"AA"))

    def refuse(self, content, error):
        self.ends.pop(content).errback(error)

    def close(self):
        self.closed = True
