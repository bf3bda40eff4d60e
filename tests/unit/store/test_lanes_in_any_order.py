"""Lanes under any sequence of events: nothing overtakes, nothing is forgotten."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import text
from typing_extensions import override

from engine.store import queues
from engine.store.delivery_moves import discard, resend
from engine.store.delivery_state import Event, State
from engine.store.settlement import expire
from engine.store.words import OnFailure
from tests.databases import empty_database
from tests.stored import NOON, ask, document, end, lease, order, queue

PERSONS = st.sampled_from(["ann", "bob"])
ON_FAILURE = st.sampled_from([OnFailure.PARK, OnFailure.PARK, OnFailure.CONTINUE])
ENDS = st.sampled_from([Event.ACCEPT, Event.RETRY, Event.PARK, Event.PARK])


class Lanes(RuleBasedStateMachine):
    """The model: each person's deliveries in order, with the state of each."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = empty_database("sqlite", Path(self.folder.name))
        self.now = NOON
        self.states = {}
        self.person = {}
        self.passing = set()
        self.waits = {}
        self.in_hand = []

    @override
    def teardown(self):
        self.store.close()
        self.folder.cleanup()

    def of(self, *wanted):
        return [number for number, state in self.states.items() if state in wanted]

    @rule(person=PERSONS, what=ON_FAILURE, count=st.integers(1, 3))
    def queue(self, person, what, count):
        documents = [document(person, on_failure=what)] * count
        for number in queue(self.store, *documents):
            self.states[number] = State.QUEUED
            self.person[number] = person
            self.passing |= {number} if what is OnFailure.CONTINUE else set()

    @rule()
    def lease(self):
        leased = lease(self.store, now=self.now)
        assert {one.id for one in leased} == self.expected_heads()
        for one in leased:
            self.states[one.id] = State.LEASED
        self.in_hand += leased

    def expected_heads(self):
        heads = set()
        for person in set(self.person.values()):
            lane = [one for one in self.states if self.person[one] == person]
            queued = [one for one in lane if self.states[one] is State.QUEUED]
            if any(self.holds(one) for one in lane) or not queued:
                continue
            if self.waits.get(min(queued), NOON) <= self.now:
                heads.add(min(queued))
        return heads

    def holds(self, number):
        failed = self.states[number] is State.FAILED and number not in self.passing
        return failed or self.states[number] is State.LEASED

    @precondition(lambda self: self.in_hand)
    @rule(event=ENDS)
    def settle(self, event):
        one = self.in_hand.pop(0)
        later = self.now + timedelta(seconds=10) if event is Event.RETRY else None
        assert end(self.store, one, event, now=self.now, not_before=later) == []
        after = {Event.ACCEPT: State.DELIVERED, Event.RETRY: State.QUEUED}
        self.states[one.id] = after.get(event, State.FAILED)
        self.waits[one.id] = later or NOON

    @precondition(lambda self: self.in_hand)
    @rule()
    def die(self):
        with self.store.engine() as connection:
            count = expire(connection, self.now, owner="node-1")
        assert count == len(self.in_hand)
        stale = self.in_hand
        self.in_hand = []
        for one in stale:
            self.states[one.id] = State.QUEUED
            assert end(self.store, one, now=self.now) == [one.id]

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.of(State.FAILED))
    @rule(data=st.data())
    def resend(self, data):
        number = data.draw(st.sampled_from(self.of(State.FAILED)))
        order(self.store, resend, number)
        self.states[number] = State.QUEUED
        self.waits[number] = NOON

    @precondition(lambda self: self.of(State.FAILED, State.QUEUED))
    @rule(data=st.data())
    def discard(self, data):
        number = data.draw(st.sampled_from(self.of(State.FAILED, State.QUEUED)))
        order(self.store, discard, number)
        self.states[number] = State.DISCARDED

    @invariant()
    def the_store_knows_every_state_and_counts_them(self):
        with self.store.reading() as connection:
            rows = connection.execute(text("SELECT id, state FROM engine.delivery"))
            assert {row.id: row.state for row in rows} == self.states
        counted = {
            one.state: one.count
            for one in ask(self.store, queues.counts)
            if one.subject == "delivery"
        }
        assert counted == {
            state: len(self.of(state)) for state in set(self.states.values())
        }


TestLanes = pytest.mark.slow(Lanes.TestCase)
TestLanes.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
