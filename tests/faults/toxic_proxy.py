"""A proxy that harms what it carries: cuts, slow and small segments, late answers.

It runs a reactor of its own in a thread, so that a test talks to it with plain sockets.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from typing_extensions import override

SETTLE_SECONDS = 0.004
"""Between the last byte let through and the reset: else the reset overtakes it."""


@dataclass(frozen=True)
class Toxic:
    """What happens to the next connections.

    Attributes:
        request_bytes: reset both sides after so many bytes of the request.
        answer_bytes: the same for the answer.
        segment: bytes of each piece that is passed on; 0 passes on what comes.
        delay: seconds before each piece.
        swallow: nothing of the answer is passed on, and nobody hangs up.
        hang: at the limit nobody is told: nothing more is passed on either way.
        deaf: nothing is read from who asks, so that its window fills.
    """

    request_bytes: int | None = None
    answer_bytes: int | None = None
    segment: int = 0
    delay: float = 0.0
    swallow: bool = False
    hang: bool = False
    deaf: bool = False


class Side(Protocol):
    """One of the two connections of a conversation."""

    transport: Any
    other: "Side | None" = None

    def __init__(self, proxy, toxic, limit):
        self.proxy, self.toxic, self.limit = proxy, toxic, limit
        self.early: list[bytes] = []
        self.passed, self.due, self.hung = 0, 0.0, False

    @override
    def dataReceived(self, data):
        if self.other is None:
            self.early.append(data)
            return
        if self.hung:
            return
        if self.limit is not None:
            data = data[: self.limit - self.passed]
        self.passed += len(data)
        self.carry(data)
        if self.passed == self.limit:
            self.proxy.reactor.callLater(SETTLE_SECONDS, self.end)

    def carry(self, data):
        """Pass bytes on, in pieces and late, as the toxic says."""
        size = self.toxic.segment or max(len(data), 1)
        now = self.proxy.reactor.seconds()
        for start in range(0, len(data), size):
            self.due = max(self.due, now) + self.toxic.delay
            piece = data[start : start + size]
            self.proxy.reactor.callLater(self.due - now, self.write_on, piece)

    def write_on(self, piece):
        if self.other is not None and self.other.transport.connected:
            self.other.transport.write(piece)

    def meet(self, other):
        self.other, other.other = other, self
        early, self.early = self.early, []
        if self.limit == 0:
            self.end()
        for data in early:
            self.dataReceived(data)

    def read_nothing(self):
        self.transport.pauseProducing()

    def end(self):
        """Do at the limit what the toxic says."""
        if not self.toxic.hang:
            self.reset()
        for side in (self, self.other):
            if side is not None:
                side.hung = True

    def reset(self):
        for side in (self, self.other):
            if side is not None and side.transport.connected:
                side.transport.abortConnection()

    @override
    def connectionLost(self, reason=None):
        if self.other is not None and self.other.transport.connected:
            self.other.transport.loseConnection()


class Answering(Side):
    """The side of whoever answers."""

    @override
    def dataReceived(self, data):
        if not self.toxic.swallow:
            super().dataReceived(data)


class Proxy:
    """Listens on ``port`` and carries to ``target``.

    Each connection meets the next of ``toxics``, and ``toxic`` when there are no more.
    """

    def __init__(self, target):
        self.target, self.toxic = target, Toxic()
        self.toxics: deque[Toxic] = deque()
        self.reactor: Any = EPollReactor()
        factory = ServerFactory()
        factory.buildProtocol = self.accept  # type: ignore[method-assign]
        listening = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.port = listening.getHost().port
        self.thread = threading.Thread(
            target=self.reactor.run, kwargs={"installSignalHandlers": False}
        )
        self.thread.start()

    def accept(self, _):
        toxic = self.toxics.popleft() if self.toxics else self.toxic
        asking = Side(self, toxic, toxic.request_bytes)
        answering = Answering(self, toxic, toxic.answer_bytes)
        out = ClientFactory()
        out.noisy = False
        out.buildProtocol = lambda _: answering  # type: ignore[method-assign,assignment]
        answering.connectionMade = lambda: asking.meet(answering)  # type: ignore[method-assign]
        if toxic.deaf:
            asking.connectionMade = asking.read_nothing  # type: ignore[method-assign]
        self.reactor.connectTCP(*self.target, out)
        return asking

    def close(self):
        self.reactor.callFromThread(self.reactor.stop)
        self.thread.join()
