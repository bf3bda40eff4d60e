"""Stand-ins that implement our own protocols; no test patches anything."""

from collections import Counter
from datetime import UTC, datetime

from twisted.internet.defer import Deferred

from engine.store.journal import Appended

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class FakeJournal:
    """Remembers what it was given; commits when the test says so, or at once."""

    def __init__(self, *, at_once=True):
        self.at_once = at_once
        self.arrivals = []
        self.commits = []
        self.known = {}

    def append(self, arrival):
        committed = Deferred()
        self.arrivals.append(arrival)
        self.commits.append(committed)
        if self.at_once:
            self.commit(len(self.arrivals) - 1)
        return committed

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


class Notes(Counter):
    """Counts what is noted."""

    def __call__(self, event, count):
        self[event] += count
