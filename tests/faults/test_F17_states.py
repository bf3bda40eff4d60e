"""F17: any sequence of what may happen to messages and deliveries; a dict knows better.

More and longer ones: ``python -m tests.faults.states --examples 2000 --steps 50``.
"""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from engine.errors import IllegalTransitionError
from engine.store import audit, delivery_moves, holding, journal, messages, retention
from engine.store.audit import Order
from tests.edge_ledger import seeded
from tests.faults.simulated.peers import Receiver
from tests.faults.simulated.verdict import counters_disagree, entries_misfit
from tests.faults.simulated.world import World

PERSONS = st.sampled_from(["ANN", "BOB"])
SERVICES = st.sampled_from(["MED", "MED", "MED", "BAD", "NONE"])
SEVERAL = st.lists(st.tuples(PERSONS, SERVICES), min_size=1, max_size=4)
PLACES = st.sampled_from(["his", "lab"])
NOT_TAKEN = [
    Receiver.accept_unheard,
    Receiver.drop,
    Receiver.name_another,
    Receiver.not_now,
    Receiver.say_nothing,
    Receiver.talk_nonsense,
]
UNSENT = {"waiting", "failed"}


class Hospital(RuleBasedStateMachine):
    """The model: each message's state, each delivery's state, who waits for whom."""

    def __init__(self):
        super().__init__()
        self.world = World(seeded(1), crashes=0.0, full_disk=0.0)
        self.states: dict[str, str] = {}
        self.deliveries: dict[tuple[str, str, int], str] = {}
        self.attempts: dict[str, int] = {}
        self.blocks: dict[str, set[str]] = {"ANN": set(), "BOB": set()}
        self.redo: set[str] = set()
        self.to_hold: set[str] = set()
        self.purged: set[str] = set()
        self.waits_for: dict[str, str] = {}
        self.opened: dict[str, tuple[object, ...]] = {}

    # ---- messages

    @initialize(several=SEVERAL)
    def receive_and_process(self, several):
        self.receive(several)
        self.process()

    @rule(several=SEVERAL)
    def receive(self, several):
        for person, service in several:
            name = f"M{len(self.states)}"
            self.world.add(name, person, service)
            self.send()
            assert name in self.world.peers[0].answered
            self.states[name], self.attempts[name] = "received", 0

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def send_again(self, data):
        name = data.draw(st.sampled_from(sorted(self.states)))
        self.world.peers[0].to_send.append((name, self.world.sent[name]))
        self.send()

        held = self.world.query(
            "SELECT id FROM journal.message WHERE control_id = ?", name
        )
        assert len(held) == 1

    def send(self):
        peer, node = self.world.peers[0], self.world.nodes["n1"]
        while not peer.done:
            if peer.line is None:
                peer.connect(node.factory)
            peer.send(1)
            while peer.travel() or node.journal.commit(10):
                peer.hear()
        assert (peer.faults, peer.refused) == ([], {})

    @rule()
    def process(self):
        again = sorted(self.redo, key=self.number)
        new = [name for name in self.states if not self.attempts[name]]
        while self.world.work(self.world.workers[0], 3):
            pass
        for name in (*again, *new):
            self.end(name)
        self.redo.clear()
        self.to_hold.clear()

    def end(self, name):
        """What processing makes of one message."""
        person, service = self.world.person[name], self.world.sent[name][-4:-1]
        self.attempts[name] += 1
        self.drop_unsent(name)
        if service == b"ONE":
            self.states[name] = "filtered"
        elif name in self.to_hold:
            self.states[name] = "held"
            self.blocks[person].add(name)
            self.waits_for.pop(name, None)
        elif service == b"BAD":
            self.states[name] = "error"
            self.blocks[person].add(name)
        elif earlier := self.before(name):
            self.states[name], self.waits_for[name] = "held", earlier[0]
        else:
            self.states[name] = "processed"
            for place in self.world.receivers:
                self.deliveries[name, place, self.attempts[name]] = "waiting"

    def number(self, name):
        return int(name[1:])

    # ---- deliveries

    @rule(place=PLACES, most=st.integers(1, 6))
    def accept(self, place, most):
        while most and (told := self.deliver(place, Receiver.accept)) is not None:
            self.deliveries[told] = "delivered"
            most -= 1

    @rule(place=PLACES)
    def refuse(self, place):
        told = self.deliver(place, Receiver.refuse)
        if told is not None:
            self.deliveries[told] = "failed"

    @rule(place=PLACES, how=st.sampled_from(NOT_TAKEN))
    def answer_badly(self, place, how):
        told = self.deliver(place, how)
        self.world.advance(6.0)
        self.rounds()
        if told is not None and self.real()[told] == "failed":
            self.deliveries[told] = "failed"  # the tries are used up

    def deliver(self, place, how):
        """Let a receiver act on what is sent to it; return which delivery that was."""
        self.rounds()
        told = self.world.receivers[place].act(how, self.world.chance)
        self.rounds()
        if not told:
            return None
        name = told.split()[1]
        numbers = [one[2] for one, state in self.deliveries.items()
                   if one[:2] == (name, place) and state == "waiting"]  # fmt: skip
        return name, place, min(numbers)

    def rounds(self):
        node = self.world.nodes["n1"]
        node.loop.wake()
        while node.outbox.step():
            pass

    @rule(seconds=st.sampled_from([1.0, 10.0, 600.0]))
    def wait(self, seconds):
        self.world.advance(seconds)
        self.rounds()

    @rule()
    def crash(self):
        self.world.begin_anew()

    # ---- what persons do

    @precondition(lambda self: self.named_states("error", "processed", "filtered"))
    @rule(data=st.data())
    def reprocess(self, data):
        names = self.named_states("error", "processed", "filtered")
        name = data.draw(st.sampled_from(names))
        if name not in self.purged:
            self.order(messages.reprocess, self.id_of(name))
            self.drop_unsent(name)
            self.bring_back(name, *self.behind(name))

    @precondition(lambda self: self.named_states("held"))
    @rule(data=st.data())
    def release(self, data):
        name = data.draw(st.sampled_from(self.named_states("held")))
        waiting = self.behind(name)
        self.order(messages.release, self.id_of(name))
        self.bring_back(name, *waiting)

    @precondition(lambda self: self.named_states("received", "error", "processed"))
    @rule(data=st.data())
    def hold(self, data):
        names = self.named_states("received", "error", "processed")
        name = data.draw(st.sampled_from(names))
        received = self.states[name] == "received"
        later = [] if received else self.after(name)
        gone = any(map(self.has_gone, (name, *later))) or (
            received and self.is_on_the_wire(name)
        )
        nothing = self.states[name] == "processed" and "queued" not in self.sent(name)
        if name in self.to_hold or gone or nothing:
            self.refused(holding.hold, name)
        else:
            waiting = self.behind(name)
            self.order(holding.hold, self.id_of(name))
            self.to_hold.add(name)
            for one in (name, *later):
                self.drop_unsent(one)
            if not received:
                self.bring_back(name, *waiting, *later)

    @precondition(lambda self: self.named_states("held", "error"))
    @rule(data=st.data())
    def discard_message(self, data):
        name = data.draw(st.sampled_from(self.named_states("held", "error")))
        waiting = self.behind(name)
        self.order(messages.discard, self.id_of(name))
        self.bring_back(*waiting)
        self.unblock(name)
        self.states[name] = "filtered"

    @precondition(lambda self: "failed" in self.deliveries.values())
    @rule(data=st.data(), again=st.booleans())
    def settle_by_hand(self, data, again):
        failed = [one for one, state in self.deliveries.items() if state == "failed"]
        one = data.draw(st.sampled_from(failed))
        move = delivery_moves.resend if again else delivery_moves.discard
        self.order(move, self.ids()[one])
        self.deliveries[one] = "waiting" if again else "discarded"

    @rule()
    def prune(self):
        world, now = self.world, self.world.now()
        order = Order("kim", now, "retention")
        with world.store.engine() as connection:
            retention.decide(
                connection, world.store.sealer, now + timedelta(days=1), order
            )
        with world.store.journal() as connection:
            gone = retention.purge(connection)
        with world.store.engine() as connection:
            retention.confirm(connection, gone)
        expected = {name for name in self.states if self.is_done(name)}
        self.purged |= expected
        assert {self.name_of(number) for number in gone} <= expected

    # ---- the model's own words

    def named_states(self, *wanted):
        return [name for name, state in self.states.items() if state in wanted]

    def is_done(self, name):
        unsent = [s for one, s in self.deliveries.items() if one[0] == name]
        done = self.states[name] in {"processed", "filtered"}
        return done and UNSENT.isdisjoint(unsent)

    def before(self, name):
        """What stops this message: earlier ones of its person, the first one first."""
        blocks = sorted(self.blocks[self.world.person[name]], key=self.number)
        return [one for one in blocks if self.number(one) < self.number(name)]

    def sent(self, name):
        """What became of the documents of this message's latest processing."""
        latest = self.attempts[name]
        return {row.state for (one, _, attempt), row in self.rows().items()
                if (one, attempt) == (name, latest)}  # fmt: skip

    def has_gone(self, name):
        return self.states[name] != "received" and not self.sent(name).isdisjoint(
            {"leased", "delivered"}
        )

    def is_on_the_wire(self, name):
        return any(row.state == "leased" for (one, *_), row in self.rows().items()
                   if one == name)  # fmt: skip

    def after(self, name):
        """The later messages of its person that wait in its lanes, unsent."""
        rows = {one: row for one, row in self.rows().items() if row.state == "queued"}
        own = {one[1]: row.id for one, row in rows.items() if one[0] == name}
        return [] if not own else sorted({
            one[0] for one, row in rows.items()
            if one[1] in own and row.id > min(own.values())
            and self.world.person[one[0]] == self.world.person[name]
            and self.number(one[0]) > self.number(name)
        }, key=self.number)  # fmt: skip

    def behind(self, name):
        """The messages that were held because of this one."""
        held = self.named_states("held")
        return [one for one in held if self.waits_for.get(one) == name]

    def bring_back(self, *names):
        for name in names:
            self.states[name] = "received"
            self.redo.add(name)
            self.unblock(name)

    def unblock(self, name):
        self.blocks[self.world.person[name]].discard(name)

    def drop_unsent(self, name):
        leased = {
            one for one, row in self.rows().items() if row.state == "leased"
        }  # what is on the wire ends by itself
        for one, state in self.deliveries.items():
            if one[0] == name and state in UNSENT and one not in leased:
                self.deliveries[one] = "discarded"

    def order(self, move, number):
        world = self.world
        order = Order("kim", world.now(), "asked for by the ward")
        with world.store.engine() as connection:
            move(connection, world.store.sealer, [number], order)

    def refused(self, move, name):
        with pytest.raises(IllegalTransitionError):
            self.order(move, self.id_of(name))

    # ---- the store's

    def name_of(self, number):
        [row] = self.world.query(
            "SELECT control_id FROM journal.message WHERE id = ?", number
        )
        return row.control_id

    def numbers(self):
        rows = self.world.query("SELECT control_id, id FROM journal.message")
        return {row.control_id: row.id for row in rows}

    def id_of(self, name):
        return self.numbers()[name]

    def rows(self):
        names = {number: name for name, number in self.numbers().items()}
        return {
            (names[row.message_id], row.destination, row.attempt): row
            for row in self.world.deliveries().values()
        }

    def ids(self):
        return {one: row.id for one, row in self.rows().items()}

    def real(self):
        under_way = {"queued": "waiting", "leased": "waiting"}
        return {
            one: under_way.get(row.state, row.state) for one, row in self.rows().items()
        }

    @invariant()
    def every_message_and_delivery_is_where_the_model_says(self):
        held = self.world.query(
            "SELECT j.control_id, m.state FROM journal.message j"
            " LEFT JOIN engine.message m ON m.id = j.id"
        )
        assert {r.control_id: r.state or "received" for r in held} == self.states
        assert self.real() == self.deliveries

    @invariant()
    def the_queues_and_counters_fit(self):
        assert [*entries_misfit(self.world), *counters_disagree(self.world)] == []
        assert self.world.faults == []

    @invariant()
    def what_is_not_done_can_be_opened_and_every_act_is_in_the_chain(self):
        sealer = self.world.store.sealer
        with self.world.store.reading() as connection:
            for row in self.world.query("SELECT * FROM journal.message"):
                name = row.control_id
                if name not in self.purged and self.opened.get(name) != row:
                    content = journal.content(connection, sealer, row.id)
                    assert content == self.world.sent[name]
                    self.opened[name] = row  # the same row opens to the same bytes
            assert not audit.verify(connection, sealer).fault


TestHospital = pytest.mark.slow(Hospital.TestCase)
TestHospital.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
