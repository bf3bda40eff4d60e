"""protocol.md 3.4 and 5: the deliver loop and the MLLP sender together."""

from datetime import timedelta

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from engine.channels.route import heard_by_one
from engine.hl7.framing import enclose
from engine.store.delivery_state import Event
from tests.link import Link, ack
from tests.listening import adt


def test_E81_without_an_answer_the_same_bytes_go_out_on_another_connection():
    link = Link(adt(), ack_timeout=timedelta(seconds=30))

    link.pass_time(32)

    assert link.wires[0].disconnecting
    assert link.sent == [enclose(adt()), enclose(adt())]
    assert link.classes == ["transient"]


def test_E82_a_late_answer_to_the_message_before_is_no_success():
    link = Link(adt(), adt("M2"))
    link.hear(enclose(ack()))

    link.hear(enclose(ack(name="M1")))

    assert link.settled == [(1, Event.ACCEPT), (2, Event.RETRY)]
    assert link.wires[0].disconnecting
    link.pass_time(2)
    assert link.sent[1] == enclose(adt("M2"))


@pytest.mark.parametrize(
    "answer",
    [
        ack(name=""),
        ack(code="ZZ"),
        b"MSH|^~\\&|A|B|C|D|2030||ACK|9|P|2.5.1\r",
        b"hello",
        b"\x06",
        b"",
    ],
)
def test_E83_an_answer_that_says_nothing_is_never_a_delivery(answer):
    link = Link(adt())

    for _ in range(4):
        link.hear(enclose(answer))
        link.pass_time(5)

    assert link.classes == ["ambiguous"] * 4
    assert link.settled[-1] == (1, Event.PARK)
    assert Event.ACCEPT not in dict(link.settled).values()


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_E84_a_matching_answer_is_the_delivery(code):
    link = Link(adt())

    link.hear(enclose(ack(code)))

    assert link.settled == [(1, Event.ACCEPT)]
    assert link.outbox.rounds[-1].settlements[0].answer == ack(code)


def test_E85_an_application_answer_is_waited_for_and_matched():
    link = Link(adt(f15="AL", f16="AL"))
    link.hear(enclose(ack("CA")))
    assert link.settled == []

    link.hear(enclose(ack("AA")))

    assert link.settled == [(1, Event.ACCEPT)]


def test_E85_an_application_answer_may_refuse():
    link = Link(adt(f15="AL", f16="AL"))
    link.hear(enclose(ack("CA")))

    link.hear(enclose(ack("AE")))

    assert link.settled == [(1, Event.PARK)]


ENHANCED = {"f15": "AL", "f16": "AL"}


def test_E85_the_delivery_stays_leased_and_says_what_it_waits_for():
    link = Link(adt(**ENHANCED))

    link.hear(enclose(ack("CA")))

    assert link.settled == []
    held = link.outbox.rounds[-1].in_hand
    assert [one.id for one in held["awaiting application acknowledgment"]] == [1]


def test_E85_an_answer_to_an_earlier_message_is_not_taken_for_the_one_in_flight():
    link = Link(adt(**ENHANCED), adt("M2"), lanes=["ann", "bob"], connections=1)
    link.hear(enclose(ack("CA")))
    assert link.sent == [enclose(adt(**ENHANCED)) + enclose(adt("M2"))]

    link.hear(enclose(ack("AA", "M1")))
    link.hear(enclose(ack("AA", "M2")))

    assert link.settled == [(1, Event.ACCEPT), (2, Event.ACCEPT)]
    assert len(link.wires) == 1


def test_E85_the_answer_may_come_on_another_connection():
    link = Link(adt(**ENHANCED))
    link.hear(enclose(ack("CA")))

    assert not link.sender.hear_application(ack("AA", "another"))
    assert link.sender.hear_application(ack("AA"))

    assert link.settled == [(1, Event.ACCEPT)]


def test_E85_an_answer_that_two_senders_await_is_neither_s():
    link, twin = Link(adt(**ENHANCED)), Link(adt(**ENHANCED))
    routes = [*link.routes, *twin.routes]
    link.hear(enclose(ack("CA")))
    twin.hear(enclose(ack("CA")))

    assert not heard_by_one(routes, ack("AA"))
    assert heard_by_one(link.routes, ack("AA"))
    assert heard_by_one(routes, ack("AA"))  # the other one alone awaits it now


def test_E85_a_second_accept_answer_is_no_application_answer():
    link = Link(adt(**ENHANCED))
    link.hear(enclose(ack("CA")))

    link.hear(enclose(ack("CA")))

    assert link.settled == []


def test_E85_without_an_application_answer_the_same_bytes_go_out_again():
    link = Link(adt(**ENHANCED), app_ack_timeout=timedelta(minutes=10))
    link.hear(enclose(ack("CA")))

    link.pass_time(605)

    assert link.classes == ["ambiguous"]
    assert b"".join(link.sent) == enclose(adt(**ENHANCED)) * 2


def test_E85_an_accept_answer_is_enough_only_where_nothing_more_was_asked():
    link = Link(adt(f15="AL", f16="NE"))

    link.hear(enclose(ack("CA")))

    assert link.settled == [(1, Event.ACCEPT)]


def test_E85_two_messages_with_one_control_id_do_not_wait_at_the_same_time():
    link = Link(adt(**ENHANCED), adt(**ENHANCED), lanes=["ann", "bob"], connections=2)
    assert link.sent == [enclose(adt(**ENHANCED))]

    link.hear(enclose(ack("CA")))
    link.hear(enclose(ack("AA")))
    link.pass_time(2)
    link.hear(enclose(ack("CA")))
    link.hear(enclose(ack("AA")))

    ends = [event for number, event in link.settled if number == 2]
    assert ends == [Event.RETRY, Event.ACCEPT]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ack("AE"), "permanent"),
        (ack("CR"), "permanent"),
        (ack("AR", err="ERR|||101|E\r"), "permanent"),
        (ack("AR"), "not-now"),
        (ack("CE"), "not-now"),
        (ack("AR", err="ERR|||206|F\r"), "not-now"),
        (ack("CE", err="ERR|||207|F\r"), "not-now"),
    ],
)
def test_E86_every_refusal_has_its_class(answer, kind):
    link = Link(adt(), adt("M2"))

    link.hear(enclose(answer))

    assert link.classes == [kind]
    assert link.sent == [enclose(adt())]


def test_E87_a_connection_closed_while_idle_is_not_written_to():
    link = Link(adt())
    link.hear(enclose(ack()))
    link.lines[0].connectionLost(Failure(ConnectionDone()))

    link.outbox.put(2, lane="bob", content=adt("M2"))
    link.loop.wake()

    assert link.sent == [enclose(adt()), enclose(adt("M2"))]
    assert link.settled == [(1, Event.ACCEPT)]


def test_E87_a_write_into_a_dead_socket_is_not_sent():
    link = Link(adt())

    link.lines[0].connectionLost(Failure(ConnectionDone()))

    assert link.settled == [(1, Event.RETRY)]


@pytest.mark.parametrize("cut", range(1, len(enclose(ack())), 7))
def test_E88_an_answer_may_come_in_pieces(cut):
    link = Link(adt())

    link.hear(enclose(ack())[:cut])
    link.hear(enclose(ack())[cut:])

    assert link.settled == [(1, Event.ACCEPT)]


def test_E88_an_answer_with_line_feeds_and_noise_around_it_is_read():
    link = Link(adt())

    link.hear(b"\r\n" + enclose(ack().replace(b"\r", b"\n")) + b"\n")

    assert link.settled == [(1, Event.ACCEPT)]


def test_E88_an_answer_in_another_charset_is_read():
    link = Link(adt())

    link.hear(enclose(ack() + "NTE|1||Größe\r".encode("latin-1")))

    assert link.settled == [(1, Event.ACCEPT)]


def test_E88_answers_sent_together_belong_to_one_message_each():
    link = Link(adt("1"), adt("1"))  # as devices do that count nothing

    link.hear(enclose(ack(name="1")) + enclose(ack(name="1")))
    link.pass_time(2)

    assert link.settled == [(1, Event.ACCEPT)]
    assert link.sent == [enclose(adt("1"))] * 2
