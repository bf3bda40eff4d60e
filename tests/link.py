"""One destination in memory: the real deliver loop and MLLP sender, wires by hand."""

from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock

from engine.channels.deliver import DeliverLoop
from engine.channels.destinations.mllp import MllpSender
from engine.channels.format.channel import Destination, Retry
from engine.channels.format.endpoints import MllpDestination
from engine.channels.route import Route
from tests.fakes import FakeOutbox, Notes, Wire

STEADY = Retry(jitter=False)


class Link:
    """A lane of messages, a loop, a sender and the wires it opens."""

    def __init__(
        self, *messages, retry=STEADY, on_error=(), lanes=None, damaged=(), **settings
    ):
        self.clock, self.lines, self.wires = Clock(), [], []
        self.outbox, self.notes, self.refusal = FakeOutbox(self.clock), Notes(), None
        way = MllpDestination(host="127.0.0.1", port=1, **settings)
        self.sender = MllpSender(self._connect, way, self.clock)
        self.loop = DeliverLoop(
            self.outbox, self.clock, self.outbox.now, lambda: 0.5, self.notes
        )
        his = Destination(name="his", mllp=way, retry=retry, on_error=on_error)
        route = Route("adt", his, self.sender)
        for number, content in enumerate(messages, start=1):
            lane = lanes[number - 1] if lanes else "ann"
            whole = None if number in damaged else content
            self.outbox.put(number, lane=lane, content=whole)
        self.routes = [route]
        self.loop.follow({route.place: route})

    def refuse(self, error):
        """Let every new connection fail like this; None lets them succeed."""
        self.refusal = error

    def _connect(self, factory):
        if self.refusal is not None:
            return fail(self.refusal)
        line, wire = factory.buildProtocol(None), Wire()
        line.makeConnection(wire)
        self.lines.append(line)
        self.wires.append(wire)
        return succeed(line)

    def hear(self, data, line=-1):
        self.lines[line].dataReceived(data)

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
