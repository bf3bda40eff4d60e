"""protocol.md 5: what each class of failure does to its lane and its destination."""

import pytest

from engine.channels.format.channel import ErrorRule, Retry
from engine.channels.posting import classify
from engine.errors import CredentialsError, TransientError
from engine.hl7.framing import enclose
from engine.store.delivery_state import Event
from tests.link import Link, ack
from tests.listening import adt

ANN_ANN_BOB = ["ann", "ann", "bob"]


def three(**settings):
    """Two messages of Ann's and one of Bob's, each lane with a line of its own."""
    return Link(adt("M1"), adt("M2"), adt("M3"), lanes=ANN_ANN_BOB, **settings)


def test_a_transient_failure_of_one_document_holds_its_lane_alone():
    link = three(connections=2)

    link.lines[0].drop(TransientError("no answer", "no-answer"))
    link.hear(enclose(ack(name="M3")), line=1)
    link.pass_time(2)

    assert link.settled == [(1, Event.RETRY), (3, Event.ACCEPT)]
    assert b"".join(link.sent).count(b"|M1|") == 2
    assert b"".join(link.sent).count(b"|M2|") == 0


def test_while_the_connection_is_down_all_lanes_wait_and_one_tries():
    link = three(connections=2)
    before = len(link.wires)
    link.refuse(TransientError("his:1 refused the connection", "connection-refused"))
    for line in link.lines:
        line.drop(TransientError("no answer", "no-answer"))

    link.pass_time(60)

    tries = [kind for _, _, kind in link.outbox.settled[2:]]
    assert set(tries) == {"transient"}
    assert len(tries) < 14  # two lanes at 1, 2, 4, ... s; not each lane by itself
    assert len(link.wires) == before


def test_a_transient_failure_is_tried_for_ever_and_told_to_a_person():
    link = Link(adt())
    link.refuse(TransientError("his:1 refused the connection", "connection-refused"))
    link.lines[0].drop(TransientError("no answer", "no-answer"))

    link.pass_time(3600)

    assert {event for _, event in link.settled} == {Event.RETRY}
    assert link.loop.alarmed() == [("adt", "his")]


def test_retry_after_is_waited_for_by_the_whole_destination():
    link = three(connections=2)
    busy = classify(429, retry_after_seconds=120)
    link.refuse(busy)

    link.lines[0].drop(busy)
    link.lines[1].drop(busy)
    link.pass_time(118)
    waited = len(link.settled)
    link.refuse(None)
    link.pass_time(4)

    assert waited == 2
    assert len(link.wires) == 3


def test_not_now_waits_with_its_lane_and_is_parked_after_an_hour():
    link = Link(adt("M1"), adt("M2"))

    for tries in range(1, 12):
        while b"".join(link.sent).count(b"|M1|") < tries:
            link.pass_time(1)
        link.hear(enclose(ack("AR", "M1")))

    assert link.classes == ["not-now"] * 11
    assert link.settled[-1] == (1, Event.PARK)
    assert b"|M2|" not in b"".join(link.sent)


def test_not_now_skip_lets_the_lane_go_on_while_the_document_waits():
    link = three(connections=2, retry=Retry(not_now="skip", jitter=False))

    link.hear(enclose(ack("AR", "M1")), line=0)

    first = link.outbox.rounds[-1].settlements or link.outbox.rounds[-2].settlements
    assert [(one.leased.id, one.aside) for one in first] == [(1, True)]


def test_an_ambiguous_answer_is_resent_three_times_and_then_parked():
    link = Link(adt())

    for _ in range(4):
        link.hear(enclose(ack(name="another")))
        link.pass_time(10)

    assert link.classes == ["ambiguous"] * 4
    assert link.settled[-1] == (1, Event.PARK)
    assert len(link.wires) == 4


@pytest.mark.parametrize("chosen", ["park", "continue", "stop"])
def test_on_failure_says_what_a_permanent_failure_does(chosen):
    rule = ErrorRule(on_failure=chosen)
    link = three(connections=2, on_error=(rule,))

    link.hear(enclose(ack("AE", "M1")), line=0)

    rounds = [one for work in link.outbox.rounds for one in work.settlements]
    assert [(one.event, one.on_failure) for one in rounds] == [(Event.PARK, chosen)]


def test_credentials_pause_the_destination_alarm_and_send_nothing_plain():
    link = three(connections=2)
    untrusted = CredentialsError("the certificate was not accepted", "tls-certificate")
    link.refuse(untrusted)
    wires = len(link.wires)

    for line in list(link.lines):
        line.drop(untrusted)
    link.pass_time(600)

    assert ("adt", "his") in link.outbox.paused
    assert {event for _, event in link.settled} == {Event.RETRY}
    assert len(link.wires) == wires
    assert link.notes["delivery_credentials"] == 2


def test_a_damaged_document_is_parked_with_a_sentence_and_the_others_go_on():
    link = three(connections=2, damaged={1})

    link.hear(enclose(ack(name="M3")))

    [parked, taken] = link.outbox.settled
    assert parked == (1, Event.PARK, "permanent")
    assert taken[:2] == (3, Event.ACCEPT)
    assert b"|M1|" not in b"".join(link.sent)
    sentence = link.outbox.rounds[1].settlements[0].sentence
    assert "does not open" in sentence


def test_what_has_lost_its_lease_while_it_waited_is_not_sent():
    """E90: another node has the lane, and may have sent what comes after."""
    link = three(connections=1)

    vars(link.clock)["rightNow"] = 60.0  # stopped, not slow
    link.hear(enclose(ack(name="M1")))

    assert b"|M3|" not in b"".join(link.sent)
    assert (3, Event.RETRY) in link.settled
