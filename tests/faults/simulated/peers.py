"""Both ends of the network: senders with a ledger, receivers with a memory."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from engine.hl7.framing import enclose
from tests.fakes import Wire
from tests.listening import codes

POSITIVE = {"AA", "CA"}


def message(name, person, service="MED"):
    """Return one message; service BAD cannot be processed, NONE is dropped."""
    return (
        f"MSH|^~\\&|S|H|E|S|20300101||ADT^A04|{name}|P|2.5.1\r"
        f"PID|1||{person}^^^H^MR||DOE^{person}\rPV1|1|I||||||||{service}\r"
    ).encode()


def digest(data):
    return hashlib.sha256(data).digest()


@dataclass
class Peer:
    """A sender: messages in order, each again until it is answered."""

    host: str
    chance: Random
    to_send: deque[tuple[str, bytes]] = field(default_factory=deque)
    outstanding: deque[tuple[str, bytes]] = field(default_factory=deque)
    answered: dict[str, bytes] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    line: Any = None
    wire: Any = None
    chunks: deque[bytes] = field(default_factory=deque)
    read: int = 0

    def connect(self, factory):
        self.wire = Wire()
        self.line = factory.buildProtocol(IPv4Address("TCP", self.host, 40_000))
        self.read = 0
        self.line.makeConnection(self.wire)

    def send(self, window):
        """Put the next message on the wire, cut anywhere; False with nothing to do."""
        if self.line is None or len(self.outstanding) >= window or not self.to_send:
            return False
        name, body = self.to_send.popleft()
        self.outstanding.append((name, body))
        framed = enclose(body)
        cut = self.chance.randint(0, len(framed))
        self.chunks.extend(filter(None, (framed[:cut], framed[cut:])))
        return True

    def travel(self):
        """Let one chunk arrive, and read what came back."""
        if self.line is None:
            return False
        moved = bool(self.chunks)
        if moved and not self.wire.disconnecting:
            self.line.dataReceived(self.chunks.popleft())
        self.hear()
        if self.wire.disconnecting:
            self.lose()
        return moved

    def hear(self):
        for code, name in codes(self.wire.value()[self.read :]):
            if not self.outstanding or self.outstanding[0][0] != name:
                self.faults.append(f"an answer named {name} out of its turn")
                return
            _, body = self.outstanding.popleft()
            if code in POSITIVE:
                self.answered[name] = digest(body)
            else:
                self.refused[code] += 1
        self.read = len(self.wire.value())

    def lose(self):
        """Hang up."""
        if self.line is None:
            return
        line = self.line
        self.forget()
        line.connectionLost(Failure(ConnectionDone()))

    def forget(self):
        """Be without a connection; what was not answered is sent again."""
        self.line = None
        self.to_send.extendleft(reversed(self.outstanding))
        self.outstanding.clear()
        self.chunks.clear()

    @property
    def done(self):
        return not (self.to_send or self.outstanding)


@dataclass
class Taken:
    """One message that a receiver took: from whom, and whether it still had a lease."""

    name: str
    digest: bytes
    owner: str
    stale: bool


@dataclass
class Link:
    """One connection of an engine to a receiver."""

    owner: str
    line: Any
    wire: Wire
    read: int = 0

    @property
    def closed(self):
        return self.wire.disconnecting

    def block(self):
        """Return the next whole message, or None."""
        start = self.wire.value()[self.read :]
        end = start.find(b"\x1c\r")
        return start[1:end] if end >= 0 else None

    def consume(self, block):
        self.read += len(enclose(block))


def name_of(block):
    return block.split(b"|", 10)[9].decode()


def answer(name, code="AA"):
    return enclose(
        f"MSH|^~\\&|H|H|E|E|2030||ACK|1|P|2.5.1\rMSA|{code}|{name}\r".encode()
    )


@dataclass
class Receiver:
    """One destination system; the world says how each message ends."""

    name: str
    holds_lease: Callable[[str, str, str], bool]
    taken: list[Taken] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    last: str = ""

    def connect_for(self, owner):
        """Return what opens connections of one node."""

        def connect(factory):
            line, wire = factory.buildProtocol(None), Wire()
            line.makeConnection(wire)
            self.links.append(Link(owner, line, wire))
            return succeed(line)

        return connect

    def forget(self, owner):
        """A node died: its connections are gone, and nobody is there to hear of it."""
        self.links = [link for link in self.links if link.owner != owner]

    def act(self, how, chance, paused=()):
        """Let something happen on one connection; False with nothing to do."""
        for link in [one for one in self.links if one.closed]:
            self.links.remove(link)
            link.line.connectionLost(Failure(ConnectionDone()))
        waiting = [one for one in self.links if one.block() and one.owner not in paused]
        if not waiting:
            return False
        link = chance.choice(waiting)
        block = link.block()
        link.consume(block)
        how(self, link, block)
        return f"{link.owner} {name_of(block)}"

    def take(self, link, block):
        stale = not self.holds_lease(self.name, name_of(block), link.owner)
        self.taken.append(Taken(name_of(block), digest(block), link.owner, stale))

    # ---- how one message may end

    def accept(self, link, block):
        self.take(link, block)
        self.last = name_of(block)
        link.line.dataReceived(answer(self.last))

    def accept_unheard(self, link, block):
        self.take(link, block)
        self.drop(link, block)

    def drop(self, link, _):
        self.links.remove(link)
        link.line.connectionLost(Failure(ConnectionDone()))

    def refuse(self, link, block):
        link.line.dataReceived(answer(name_of(block), "AE"))

    def not_now(self, link, block):
        link.line.dataReceived(answer(name_of(block), "AR"))

    def name_another(self, link, block):
        """The answer to an earlier message, as from a receiver that lags behind."""
        other = self.last if self.last != name_of(block) else ""
        link.line.dataReceived(answer(other or "EARLIER"))

    def talk_nonsense(self, link, _):
        link.line.dataReceived(b"\x0bHTTP/1.1 200 OK\x1c\r")

    def say_nothing(self, link, _):
        """No answer: the engine must give up by itself."""


End = Callable[[Receiver, Link, bytes], None]
ENDS: tuple[End, ...] = (
    *(Receiver.accept,) * 10,
    *(Receiver.accept_unheard,) * 3,
    *(Receiver.drop,) * 2,
    Receiver.refuse,
    Receiver.not_now,
    *(Receiver.name_another,) * 2,
    Receiver.talk_nonsense,
    Receiver.say_nothing,
)
