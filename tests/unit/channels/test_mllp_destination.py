"""MllpSender: what counts as delivered, without socket, clock or waiting."""

from datetime import timedelta

import pytest
from twisted.internet.defer import fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from engine.channels.destinations import Document
from engine.channels.destinations.mllp import MllpSender, judge
from engine.channels.format.endpoints import MllpDestination
from engine.errors import (
    AmbiguousError,
    NotNowError,
    PermanentError,
    TransientError,
)
from engine.hl7.acknowledgment import read_header
from engine.hl7.framing import enclose
from tests.fakes import Wire, ends_of


def message(control_id="M1", tail=""):
    head = f"MSH|^~\\&|ENG|HOSP|REG|GEN|2030||ADT^A01|{control_id}|P|2.5.1{tail}"
    return f"{head}\rPID|1\r".encode()


def answer(code="AA", control_id="M1", err=""):
    head = "MSH|^~\\&|REG|GEN|ENG|HOSP|2030||ACK|9|P|2.5.1"
    tail = f"ERR|||{err}|F\r" if err else ""
    return f"{head}\rMSA|{code}|{control_id}\r{tail}".encode()


class Link:
    """A sender and the wires it opened."""

    def __init__(self, **settings):
        self.clock, self.lines, self.wires, self.down = Clock(), [], [], None
        way = MllpDestination(host="127.0.0.1", port=1, **settings)
        self.sender = MllpSender(self.connect, way, self.clock)

    def connect(self, factory):
        if self.down:
            return fail(self.down)
        line, wire = factory.buildProtocol(None), Wire()
        line.makeConnection(wire)
        self.lines.append(line)
        self.wires.append(wire)
        return succeed(line)

    def send(self, content):
        return ends_of(self.sender.send(Document(content)))

    def hear(self, data, line=-1):
        self.lines[line].dataReceived(data)

    def lose(self, line=-1):
        self.lines[line].connectionLost(Failure(ConnectionDone()))


def kind(ends):
    return ends[0].type if ends else None


def test_a_message_is_delivered_when_its_own_acknowledgment_came():
    link = Link()
    ends = link.send(message())
    assert (link.wires[0].value(), ends) == (enclose(message()), [])

    link.hear(enclose(answer()))

    assert ends[0].answer == answer()


def test_the_connection_is_kept_for_the_next_message():
    link = Link()
    link.send(message())
    link.hear(enclose(answer()))

    link.send(message("M2"))

    assert len(link.wires) == 1


def test_one_connection_has_one_message_in_flight():
    link = Link()
    link.send(message())
    ends = link.send(message("M2"))
    assert link.wires[0].value() == enclose(message())

    link.hear(enclose(answer()))
    link.hear(enclose(answer(control_id="M2")))

    assert ends[0].answer == answer(control_id="M2")


def test_several_connections_send_at_the_same_time():
    link = Link(connections=2)

    for number in range(3):
        link.send(message(f"M{number}"))

    sent = [wire.value() for wire in link.wires]
    assert sent == [enclose(message("M0")), enclose(message("M1"))]


def test_without_an_answer_the_socket_is_closed_and_the_message_was_not_sent():
    link = Link(ack_timeout=timedelta(seconds=30))
    ends = link.send(message())

    link.clock.advance(30)

    assert kind(ends) is TransientError
    assert link.wires[0].disconnecting
    link.send(message())
    assert link.wires[1].value() == enclose(message())


def test_an_answer_to_another_message_is_no_success():
    link = Link()
    ends = link.send(message())

    link.hear(enclose(answer(control_id="M0")))

    assert kind(ends) is AmbiguousError
    assert link.wires[0].disconnecting


def test_an_answer_nobody_waits_for_closes_the_connection():
    link = Link()
    link.send(message())
    link.hear(enclose(answer()))

    link.hear(enclose(answer()))

    assert link.wires[0].disconnecting


def test_a_broken_connection_means_not_delivered():
    link = Link()
    ends = link.send(message())

    link.lose()

    assert kind(ends) is TransientError


def test_a_connection_closed_while_idle_is_not_written_to():
    link = Link()
    link.send(message())
    link.hear(enclose(answer()))
    link.lose()

    link.send(message("M2"))

    assert link.wires[1].value() == enclose(message("M2"))


def test_nobody_waits_for_a_receiver_that_cannot_be_reached():
    link = Link()
    first = link.send(message())
    second = link.send(message("M2"))
    link.down = TransientError("refused", "connection-refused")

    link.lose()

    assert kind(first) is TransientError
    assert second[0].value.code == "connection-refused"


@pytest.mark.parametrize("cut", range(1, len(enclose(answer()))))
def test_an_answer_may_come_in_pieces(cut):
    link = Link()
    ends = link.send(message())

    link.hear(enclose(answer())[:cut])
    link.hear(enclose(answer())[cut:])

    assert ends[0].answer == answer()


@pytest.mark.parametrize(
    "junk", [b"\x0b\x06\x1c\r", b"\x0bhello\x1c\r", enclose(answer("ZZ"))]
)
def test_an_unreadable_answer_is_ambiguous(junk):
    link = Link()
    ends = link.send(message())

    link.hear(junk)

    assert kind(ends) is AmbiguousError


def test_an_answer_without_frame_is_ambiguous_when_time_is_up():
    link = Link()
    ends = link.send(message())

    link.hear(answer())
    link.clock.advance(30)

    assert kind(ends) is AmbiguousError


@pytest.mark.parametrize(
    ("code", "err", "kind"),
    [
        ("AE", "", PermanentError),
        ("CR", "", PermanentError),
        ("AR", "", NotNowError),
        ("CE", "", NotNowError),
        ("AR", "206", NotNowError),
        ("CE", "207", NotNowError),
        ("AR", "101", PermanentError),
        ("AE", "207", PermanentError),
    ],
)
def test_a_refusal_is_sorted_by_its_code_and_error(code, err, kind):
    with pytest.raises(kind) as refused:
        judge(answer(code, err=err), read_header(message()))

    assert refused.value.acknowledgment == code
    assert refused.value.answer == answer(code, err=err)


def test_an_empty_control_id_is_never_a_match():
    with pytest.raises(AmbiguousError):
        judge(answer(control_id=""), read_header(message("")))


def test_an_accept_acknowledgment_is_enough_where_nothing_more_was_asked():
    link = Link()
    ends = link.send(message(tail="|||AL|NE"))

    link.hear(enclose(answer("CA")))

    assert ends[0].answer == answer("CA")


def test_an_application_acknowledgment_is_waited_for_while_others_go_on():
    link = Link()
    ends = link.send(message(tail="|||AL|AL"))
    link.hear(enclose(answer("CA")))
    others = link.send(message("M2"))
    link.hear(enclose(answer("AA", "M2")))
    assert (ends, len(others)) == ([], 1)

    link.hear(enclose(answer("AA")))

    assert ends[0].answer == answer("AA")


def test_a_missing_application_acknowledgment_is_ambiguous():
    link = Link(app_ack_timeout=timedelta(minutes=10))
    ends = link.send(message(tail="|||AL|AL"))
    link.hear(enclose(answer("CA")))

    link.clock.advance(600)

    assert kind(ends) is AmbiguousError
