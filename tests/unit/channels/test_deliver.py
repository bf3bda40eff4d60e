"""The deliver loop, with lanes in memory and a clock that the test moves."""

from dataclasses import replace

from twisted.internet.task import Clock

from engine.channels.deliver import GATHER_SECONDS, LOOK_SECONDS, DeliverLoop
from engine.channels.format.channel import Destination, ErrorRule, Retry
from engine.channels.format.endpoints import FileDestination
from engine.channels.route import MAX_IN_HAND, Route
from engine.errors import (
    AmbiguousError,
    CredentialsError,
    PermanentError,
    TransientError,
)
from engine.store.deliveries import MAX_BYTES
from engine.store.delivery_state import Event
from engine.store.words import OnFailure
from tests.fakes import FakeDestination, FakeOutbox, Notes

STEADY = Retry(jitter=False)
REFUSED = TransientError("refused", "connection-refused")
NO_ANSWER = TransientError("no answer", "no-answer")


class Bench:
    """A loop with one destination, ``his``."""

    def __init__(self, **settings):
        self.clock = Clock()
        self.outbox, self.notes = FakeOutbox(self.clock), Notes()
        self.his = FakeDestination()
        self.loop = DeliverLoop(
            self.outbox, self.clock, self.outbox.now, lambda: 0.5, self.notes
        )
        his = Destination(
            name="his", file=FileDestination(path="/x"), retry=STEADY, **settings
        )
        self.route = Route("adt", his, self.his)

    def put(self, *lanes):
        for number, lane in enumerate(lanes, start=1):
            self.outbox.put(number, lane=lane)
        self.loop.follow({self.route.place: self.route})
        return self

    @property
    def settled(self):
        return [(number, event) for number, event, _ in self.outbox.settled]


def test_lanes_are_sent_at_the_same_time_and_each_in_order():
    bench = Bench().put("ann", "ann", "bob")
    assert bench.his.sent == [b"1", b"3"]

    bench.his.take(b"1")

    assert bench.his.sent == [b"1", b"3", b"2"]
    assert bench.settled == [(1, Event.ACCEPT)]


def test_answers_that_came_together_are_settled_in_one_transaction():
    bench = Bench().put("ann", "bob", "cat")
    before = len(bench.outbox.rounds)
    bench.loop._running = True  # a transaction is on its way to the disk

    for content in (b"1", b"2", b"3"):
        bench.his.take(content)
    bench.loop._running = False
    bench.loop._look()

    [work] = bench.outbox.rounds[before : before + 1]
    assert len(work.settlements) == 3


def test_an_end_waits_a_moment_for_others_while_most_are_under_way():
    bench = Bench().put("ann", "bob", "cat", "dan", "eve")
    before = len(bench.outbox.rounds)

    bench.his.take(b"1")
    bench.his.take(b"2")
    assert bench.settled == []
    bench.clock.advance(GATHER_SECONDS)

    assert [number for number, _ in bench.settled] == [1, 2]
    assert len(bench.outbox.rounds[before].settlements) == 2


def test_an_end_waits_for_no_other_once_half_have_ended():
    bench = Bench().put("ann", "bob", "cat", "dan")

    bench.his.take(b"1")
    bench.his.take(b"2")

    assert [number for number, _ in bench.settled] == [1, 2]


def test_an_end_waits_for_no_other_destination():
    bench = Bench().put(*range(20))
    hers = FakeDestination()
    settings = Destination(name="hers", file=FileDestination(path="/y"), retry=STEADY)
    route = Route("adt", settings, hers)
    bench.outbox.put(21, destination="hers", lane="zoe")
    bench.loop.follow({bench.route.place: bench.route, route.place: route})

    hers.take(b"21")

    assert bench.settled == [(21, Event.ACCEPT)]


def test_a_lane_that_holds_up_an_idle_receiver_is_urgent():
    bench = Bench().put("ann", "ann", "ann")

    for content in (b"1", b"2", b"3"):
        bench.his.take(content)

    rounds = [work.urgent for work in bench.outbox.rounds if work.settlements]
    assert rounds == [False, True, True]  # the first did not know that more would come


def test_a_lane_is_not_urgent_while_its_receiver_has_others_in_hand():
    bench = Bench().put("ann", "ann", "ann", "bob", "cat")

    for content in (b"1", b"4", b"2"):
        bench.his.take(content)

    assert [number for number, _ in bench.settled] == [1, 4, 2]
    assert not any(work.urgent for work in bench.outbox.rounds)


def test_a_failed_delivery_holds_its_own_lane_until_its_retry():
    bench = Bench().put("ann", "ann", "bob")

    bench.his.refuse(b"1", NO_ANSWER)
    bench.his.take(b"3")
    assert bench.his.sent == [b"1", b"3"]
    bench.clock.advance(1)

    assert bench.his.sent == [b"1", b"3", b"1"]
    bench.his.take(b"1")
    assert bench.his.sent[-1] == b"2"


def test_while_the_receiver_is_away_every_lane_waits_and_one_tries():
    bench = Bench().put("ann", "bob", "cat")

    for content in (b"1", b"2", b"3"):
        bench.his.refuse(content, REFUSED)
    assert len(bench.his.sent) == 3
    bench.clock.advance(1)
    assert len(bench.his.sent) == 4

    bench.his.take(bench.his.sent[-1])

    assert sorted(bench.his.sent[3:]) == [b"1", b"2", b"3"]


def test_a_permanent_failure_is_parked():
    bench = Bench().put("ann")

    bench.his.refuse(b"1", PermanentError("refused", "http-422", status=422))

    assert bench.outbox.settled == [(1, Event.PARK, "permanent")]


def test_what_the_receiver_said_is_kept_with_its_refusal():
    bench = Bench().put("ann")

    bench.his.refuse(b"1", PermanentError("answered AE", "x", answer=b"MSA|AE"))

    [settled] = [one for work in bench.outbox.rounds for one in work.settlements]
    assert settled.answer == b"MSA|AE"


def test_an_ambiguous_failure_is_parked_after_three_resends():
    bench = Bench().put("ann")

    for _ in range(4):
        bench.his.refuse(b"1", AmbiguousError("mismatch", "ack-mismatch"))
        bench.clock.advance(300)

    assert len(bench.his.sent) == 4
    assert bench.settled[-1] == (1, Event.PARK)


def test_wrong_credentials_pause_the_destination_and_keep_the_delivery():
    bench = Bench().put("ann", "ann")

    bench.his.refuse(b"1", CredentialsError("HTTP 401", "http-401", status=401))
    bench.clock.advance(10)

    assert bench.outbox.paused == [("adt", "his")]
    assert bench.settled == [(1, Event.RETRY)]
    assert bench.his.sent == [b"1"]


def test_a_defect_in_a_destination_goes_to_a_person():
    bench = Bench().put("ann")

    bench.his.refuse(b"1", ZeroDivisionError())

    assert bench.settled == [(1, Event.PARK)]


def test_no_more_is_claimed_than_can_be_in_hand():
    bench = Bench().put(*range(MAX_IN_HAND + 5))
    assert len(bench.his.sent) == MAX_IN_HAND

    bench.his.take(b"1")
    bench.clock.advance(GATHER_SECONDS)

    assert len(bench.his.sent) == MAX_IN_HAND + 1


def test_no_more_bytes_are_claimed_than_may_be_in_hand():
    bench = Bench()
    large = {name: bytes([name]) * (MAX_BYTES // 2) for name in (1, 2, 3)}
    for name, content in large.items():
        bench.outbox.put(name, lane=name, content=content)
    bench.put()
    assert bench.his.sent == [large[1], large[2]]

    bench.clock.advance(LOOK_SECONDS)
    assert len(bench.his.sent) == 2
    bench.his.take(large[1])
    bench.clock.advance(GATHER_SECONDS)

    assert bench.his.sent == [*large.values()]
    assert bench.route.bytes_in_hand == MAX_BYTES


def test_a_rate_limits_what_is_sent():
    bench = Bench(rate=2.0).put(*range(10))
    assert len(bench.his.sent) == 1

    for _ in range(10):
        bench.clock.advance(0.1)
    sent = len(bench.his.sent)

    assert sent in {2, 3}


def test_what_could_not_be_settled_is_settled_later():
    bench = Bench().put("ann")
    bench.outbox.failing = OSError("disk")
    bench.his.take(b"1")
    assert bench.settled == []

    bench.outbox.failing = None
    bench.clock.advance(1)

    assert bench.settled == [(1, Event.ACCEPT)]


def test_new_work_is_found_without_a_wake_up():
    bench = Bench().put()
    bench.outbox.put(1, lane="ann")

    bench.clock.advance(1)

    assert bench.his.sent == [b"1"]


def test_a_wake_up_is_answered_at_once():
    bench = Bench().put()
    bench.outbox.put(1, lane="ann")

    bench.loop.wake()

    assert bench.his.sent == [b"1"]


def test_long_sends_have_their_lease_extended():
    bench = Bench().put("ann")

    for _ in range(8):
        bench.clock.advance(1)

    extended = [work.in_hand for work in bench.outbox.rounds if work.in_hand]
    assert [one.id for one in extended[0][""]] == [1]


def test_stopping_waits_for_what_is_in_hand_and_claims_nothing_more():
    bench = Bench().put("ann", "ann")
    stopped = bench.loop.stop()
    assert (bench.his.closed, stopped.called) == (True, False)

    bench.his.take(b"1")

    assert stopped.called
    assert (bench.his.sent, bench.settled) == ([b"1"], [(1, Event.ACCEPT)])


def test_a_destination_taken_out_of_the_channel_is_no_longer_sent_to():
    bench = Bench().put("ann", "ann")

    bench.loop.follow({})
    bench.his.take(b"1")

    assert bench.settled == [(1, Event.ACCEPT)]
    assert bench.his.sent == [b"1"]


def test_a_person_is_told_once_when_a_destination_keeps_failing():
    bench = Bench().put("ann")

    for _ in range(60):
        bench.his.refuse(b"1", REFUSED)
        bench.clock.advance(300)

    assert bench.loop.alarmed() == [("adt", "his")]
    bench.his.take(b"1")
    assert bench.loop.alarmed() == []


def test_a_failed_delivery_is_labelled_by_the_first_rule_that_applies():
    rule = ErrorRule(label="first", assign="oncall", on_failure="continue")
    bench = Bench(on_error=(rule, ErrorRule(label="second"))).put("ann")

    bench.his.refuse(b"1", PermanentError("refused", "http-422", status=422))

    [settlement] = bench.outbox.rounds[-1].settlements
    assert (settlement.label, settlement.assignee) == ("first", "oncall")
    assert settlement.on_failure is OnFailure.CONTINUE


def test_a_paused_destination_gets_nothing_until_it_goes_on():
    bench = Bench()
    bench.loop.pause(frozenset({("adt", "his")}))
    bench.put("ann")
    bench.clock.advance(5)
    assert bench.his.sent == []

    bench.loop.pause(frozenset())

    assert bench.his.sent == [b"1"]


def test_a_store_that_gives_nothing_although_it_is_due_is_not_asked_at_once():
    bench = Bench()
    bench.outbox.paused.append(("adt", "his"))
    bench.put("ann")
    rounds = len(bench.outbox.rounds)

    for _ in range(50):
        bench.clock.advance(0.1)

    assert len(bench.outbox.rounds) - rounds <= 6


def test_a_lease_that_ended_and_came_back_goes_on_with_the_send_under_way():
    bench = Bench().put("ann", "ann")
    [first] = bench.outbox.leased.values()
    bench.outbox.queued.insert(0, replace(first, epoch=3))
    del bench.outbox.leased[first.id]
    bench.clock.advance(LOOK_SECONDS)
    assert bench.his.sent == [b"1"]

    bench.his.take(b"1")

    assert [one.epoch for one in bench.outbox.ended] == [3]
    assert bench.his.sent == [b"1", b"2"]
