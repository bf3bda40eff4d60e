"""protocol.md 3.4 and 5: the deliver loop and the MLLP sender together."""

from datetime import timedelta

import pytest
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from engine.channels.deliver import DeliverLoop, Route
from engine.channels.destinations.mllp import MllpSender
from engine.channels.format.channel import Destination, Retry
from engine.channels.format.endpoints import MllpDestination
from engine.hl7.framing import enclose
from engine.store.delivery_state import Event
from tests.fakes import FakeOutbox, Notes, Wire
from tests.listening import adt

STEADY = Retry(jitter=False)


class Link:
    """A lane of messages, a loop, a sender and the wires it opens."""

    def __init__(self, *messages, **settings):
        self.clock, self.lines, self.wires = Clock(), [], []
        self.outbox = FakeOutbox(self.clock)
        way = MllpDestination(host="127.0.0.1", port=1, **settings)
        sender = MllpSender(self._connect, way, self.clock)
        self.loop = DeliverLoop(
            self.outbox, self.clock, self.outbox.now, lambda: 0.5, Notes()
        )
        route = Route("adt", Destination(name="his", mllp=way, retry=STEADY), sender)
        for number, content in enumerate(messages, start=1):
            self.outbox.put(number, lane="ann", content=content)
        self.loop.follow({route.place: route})

    def _connect(self, factory):
        line, wire = factory.buildProtocol(None), Wire()
        line.makeConnection(wire)
        self.lines.append(line)
        self.wires.append(wire)
        return succeed(line)

    def hear(self, data):
        self.lines[-1].dataReceived(data)

    def pass_time(self, seconds):
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    @property
    def sent(self):
        return [wire.value() for wire in self.wires]

    @property
    def settled(self):
        return [(number, event) for number, event, _ in self.outbox.settled]

    @property
    def classes(self):
        return [kind for _, _, kind in self.outbox.settled]


def ack(code="AA", name="M1", err=""):
    head = b"MSH|^~\\&|REG|GEN|ENG|HOSP|2030||ACK|9|P|2.5.1\r"
    return head + f"MSA|{code}|{name}\r{err}".encode()


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
