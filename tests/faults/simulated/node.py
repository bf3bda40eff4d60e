"""One life of an engine process in memory: the real loops, no threads, no sockets."""

from collections import deque
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from engine.channels.arriving import Intake
from engine.channels.clock import Ulids
from engine.channels.deliver import DeliverLoop
from engine.channels.destinations.mllp import MllpSender
from engine.channels.listeners import MllpFactory, Places
from engine.channels.outbox import Outbox, Outcome, Round
from engine.channels.route import Route
from engine.errors import JournalError
from engine.store import journal
from engine.store.journal import Appended, Arrival
from tests.fakes import Notes


class SteppedJournal:
    """The journal writer without its thread: a group is committed when told."""

    def __init__(self, store):
        self._store = store
        self._waiting: deque[tuple[list[Arrival], Deferred[list[Appended]]]] = deque()

    def append(self, arrival):
        return self.append_all([arrival]).addCallback(lambda done: done[0])

    def append_all(self, arrivals):
        committed: Deferred[list[Appended]] = Deferred()
        self._waiting.append((arrivals, committed))
        return committed

    def commit(self, most):
        """Commit what waits, then let the answers go; False with nothing to do."""
        group = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if not group:
            return False
        try:
            with self._store.journal() as connection:
                arrivals = [arrival for some, _ in group for arrival in some]
                done = journal.append(connection, self._store.sealer, arrivals)
        except JournalError as error:
            for _, committed in group:
                committed.errback(error)
        else:
            ends = iter(done)
            for some, committed in group:
                committed.callback(list(islice(ends, len(some))))
        return True


class SteppedOutbox:
    """The outbox without its thread: a round is run when told."""

    def __init__(self, outbox, fence):
        self.outbox = outbox
        self._fence = fence
        self._waiting: deque[tuple[Round, Deferred[Outcome]]] = deque()

    def run(self, work):
        done: Deferred[Outcome] = Deferred()
        self._waiting.append((work, done))
        return done

    def step(self):
        if not self._waiting:
            return False
        work, done = self._waiting.popleft()
        taken_over = self._fence(self.outbox.owner, work.settlements)
        outcome = self.outbox.run(work)
        self._fence.check(taken_over, outcome.stale)
        done.callback(outcome)
        return True


class Node:
    """An edge: listener, journal, deliver loop, senders."""

    def __init__(self, world, owner, store):
        self.owner, self.store, self.clock = owner, store, Clock()
        self.journal = SteppedJournal(store)
        intake = Intake(
            world.channel, "adt", self.journal, world.now, Ulids(world.now), Notes()
        )
        self.factory = MllpFactory(intake, self.clock, Places(100))
        outbox = Outbox(store, owner, world.now)
        outbox.recover()
        self.outbox = SteppedOutbox(outbox, world.fence)
        self.loop = DeliverLoop(
            self.outbox, self.clock, world.now, world.chance.random, Notes()
        )
        self.loop.follow(
            {
                (world.channel.name, settings.name): Route(
                    world.channel.name,
                    settings,
                    MllpSender(
                        world.receivers[settings.name].connect_for(owner),
                        settings.mllp,
                        self.clock,
                    ),
                )
                for settings in world.channel.destinations
            }
        )
