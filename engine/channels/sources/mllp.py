"""The MLLP listener: Twisted on one side, `BlockReader` on the other."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from typing import Protocol as Seam

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from engine.channels.accept import Accept, Reply, Then
from engine.channels.arriving import Note
from engine.channels.verdict import TooLong
from engine.errors import FrameError
from engine.failpoint import reach
from engine.hl7.framing import START, BlockReader, Event, Junk, enclose

MAX_WAITING: Final = 32
"""Events of one connection that may wait for their turn before reading stops."""

MAX_WAITING_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 4096
"""How much of a message that is too long is kept to answer it."""

DRAIN_SECONDS: Final = 5.0
"""How long a refused peer may go on sending, so that it can still read its answer."""

NO_REASON: Final = Failure(ConnectionError())  # type: ignore[no-untyped-call]
TLS_HELLO: Final = b"\x16\x03"
COMMIT: Final = enclose(b"\x06")
NOT_STORED: Final = enclose(b"\x15")


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a listener is, in bytes and seconds; None means for ever."""

    max_bytes: int = 64_000_000
    max_junk: int = 64_000
    eb_wait: float = 2.0
    frame_timeout: float = 60.0
    idle_timeout: float | None = None
    preauth_idle: float = 60.0
    answer_write_timeout: float = 60.0
    storage_failure_close: float = 5.0
    accept_missing_sb: bool = False
    commit_blocks: bool = False


class IWire(ITCPTransport, IConsumer, IPushProducer):
    """A TCP transport that can be held back and tells when its buffer is full."""


class Doorkeeper(Seam):
    """Who comes and goes at a listener."""

    def opened(self, transport: ITCPTransport) -> None:
        """A connection begins."""

    def admit(self, certificate: object) -> bool:
        """Whether the peer with this certificate (None: without one) may speak."""

    def closed(self) -> None:
        """A connection has ended."""


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class MllpListener(Protocol):
    """One peer connection; its events are accepted one at a time, in order.

    An acknowledgment is written only after ``accept`` returns, so a sender never hears
    AA for a message that is not on disk. After a failure nothing later is accepted:
    the sender sends again from the first message it got no answer for.
    """

    transport: IWire
    _log = Logger()

    def __init__(
        self,
        accept: Accept,
        limits: Limits,
        clock: IReactorTime,
        note: Note,
        keeper: Doorkeeper | None = None,
    ) -> None:
        self._accept = accept
        self._limits = limits
        self._clock = clock
        self._note = note
        self._keeper = keeper
        self._reader = BlockReader(limits.max_bytes, limits.max_junk)
        self._waiting: deque[Event | TooLong] = deque()
        self._waiting_bytes = 0
        self._busy = False
        self._deaf = False  # whatever arrives from now on is thrown away
        self._ending = False  # close as soon as everything taken has been answered
        self._closed = False  # we have closed our side
        self._lost = False
        self._used = False  # a block was seen
        self._holds: set[str] = set()  # reasons for not reading at the moment
        self._timers: dict[str, IDelayedCall] = {}
        self._heard_at = 0.0

    # ---- what the transport tells us

    @override
    def connectionMade(self) -> None:
        """Take the connection, with a bound on what is kept for a slow reader."""
        if self._keeper is not None:
            self._keeper.opened(self.transport)
        self.transport.registerProducer(self, True)
        self._heard_at = self._clock.seconds()
        self._start("preauth", self._limits.preauth_idle, self._close_if_unused)
        if self._limits.idle_timeout is not None:
            self._start("idle", self._limits.idle_timeout, self._close_if_idle)

    def handshakeCompleted(self) -> None:  # noqa: N802 - zope's name
        """Let in whom the TLS profile names; nothing has been read before this."""
        certificate = self.transport.getPeerCertificate()  # type: ignore[attr-defined]
        if self._keeper is not None and not self._keeper.admit(certificate):
            self._deaf = True
            self._abort("peer_refused")

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take one chunk from the transport."""
        if self._deaf:
            return
        self._heard_at = self._clock.seconds()
        if self._limits.accept_missing_sb:
            data = self._with_start(data)
        self._reader.feed(data)
        try:
            while (event := self._next_event()) is not None:
                self._take(event)
        except FrameError:
            self._refuse_stream()
        else:
            self._watch_open_block()

    def readConnectionLost(self) -> None:  # noqa: N802 - zope's name
        """Answer what the peer sent before it closed its side, then close ours."""
        self._take_rest()
        self._end()

    def writeConnectionLost(self) -> None:  # noqa: N802 - zope's name
        """Close: the peer does not want to hear our answers."""
        self.transport.loseConnection()

    @override
    def connectionLost(self, reason: Failure = NO_REASON) -> None:
        """Keep what was taken; its sender will send it again and hear its answer."""
        self._lost = True
        if self._keeper is not None:
            self._keeper.closed()
        if isinstance(reason.value, SSL.Error) and not self._used:
            self._note("tls_handshake_failed", 1)
        for name in list(self._timers):
            self._stop(name)
        self._take_rest()
        self._deaf = True

    def pauseProducing(self) -> None:  # noqa: N802 - zope's name
        """Read nothing while the peer does not read its answers."""
        self._hold("writing")
        timeout = self._limits.answer_write_timeout
        self._start("writing", timeout, self._abort, "ack_write_timeout")

    def resumeProducing(self) -> None:  # noqa: N802 - zope's name
        """Go on: the peer reads again."""
        self._stop("writing")
        self._release("writing")

    def stopProducing(self) -> None:  # noqa: N802 - zope's name
        """Nothing to do: `connectionLost` follows."""

    def speak(self, answer: bytes) -> None:
        """Write an answer that comes later than its accept answer."""
        if self._lost or self._closed:
            self._note("ack_undelivered", 1)
        else:
            self.transport.write(enclose(answer))

    def finish(self) -> None:
        """Take nothing more, answer what was taken, then close."""
        self._end()

    # ---- events and their turns

    def _take(self, event: Event | TooLong) -> None:
        """Queue an event for its turn, and stop reading when too many wait."""
        self._stop("eb")
        self._stop("frame")
        self._used = self._used or not isinstance(event, Junk)
        self._waiting.append(event)
        self._waiting_bytes += _size(event)
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work()).addErrback(self._hang_up)
        if len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._hold("crowded")

    async def _work(self) -> None:
        """Accept and answer what waits, one event after the other."""
        while self._waiting:
            event = self._waiting.popleft()
            self._waiting_bytes -= _size(event)
            self._answer(await self._accept(event))
        self._busy = False
        self._release("crowded")
        if self._ending:
            self._end()

    def _answer(self, reply: Reply) -> None:
        if self._lost:
            self._note("ack_undelivered", int(reply.acknowledgment is not None))
            return
        if self._limits.commit_blocks and reply.kept is not None:
            self.transport.write(COMMIT if reply.kept else NOT_STORED)
        if reply.acknowledgment is not None:
            reach("ack.before-write")
            self.transport.write(enclose(reply.acknowledgment))
        for answer in reply.also:
            self.transport.write(enclose(answer))
        reach("ack.written")
        if reply.then is not Then.KEEP:
            self._stop_accepting(reply.then)

    def _stop_accepting(self, then: Then) -> None:
        """Take nothing more; close when the peer has had time to read its answer."""
        self._deaf = True
        self._waiting.clear()
        if then is Then.FREEZE:
            self._hold("storage")
            self._start("close", self._limits.storage_failure_close, self._close)
        else:
            self._start("close", DRAIN_SECONDS, self._close)

    def _hang_up(self, failure: Failure) -> None:
        """Close without an answer: the sender sends again, which is the safe side."""
        self._deaf = True
        self._waiting.clear()
        self._log.failure("closing the connection", failure)
        self._close()

    # ---- what is still open

    def _with_start(self, data: bytes) -> bytes:
        """Return ``data`` with the start block that one old peer leaves out."""
        at_rest = not self._reader.peek(1)
        return START + data if at_rest and data.startswith(b"MSH") else data

    def _next_event(self) -> Event | None:
        """Return the next event, unless an answer has ended the conversation."""
        return None if self._deaf else self._reader.next_event()

    def _watch_open_block(self) -> None:
        """Time what is open: a whole block soon, the CR after an EB very soon."""
        first = self._reader.peek(2)
        if first == TLS_HELLO and not self._used:
            self._refuse_stream()
        elif first.startswith(START):
            if "frame" not in self._timers:
                timeout = self._limits.frame_timeout
                self._start("frame", timeout, self._give_up_block)
            if self._reader.awaits_cr:
                self._start("eb", self._limits.eb_wait, self._take_rest)
            else:
                self._stop("eb")

    def _take_rest(self) -> None:
        """Take what the reader still holds; nothing more is worth waiting for."""
        while not self._deaf and (event := self._reader.flush()) is not None:
            self._take(event)

    def _give_up_block(self) -> None:
        self._note("frame_timeout", 1)
        self._take_rest()
        self._end()

    def _refuse_stream(self) -> None:
        """Answer a message that is too long; close a stream that is not MLLP."""
        held = self._reader.peek(HEAD_BYTES)
        self._reader = BlockReader(self._limits.max_bytes, self._limits.max_junk)
        self._deaf = True
        if held.startswith(START):
            self._take(TooLong(held[1:]))
        else:
            self._note(f"not_mllp_{guess(held)}", 1)
            self._end()

    # ---- closing, holding, timing

    def _end(self) -> None:
        """Close once everything taken has been answered."""
        self._deaf = self._ending = True
        if not self._busy:
            self._close()

    def _close(self) -> None:
        if not (self._lost or self._closed):
            self._closed = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _close_if_unused(self) -> None:
        if not self._used and self._reader.peek(1) != START:
            self._note("preauth_idle", 1)
            self._end()

    def _close_if_idle(self) -> None:
        patience = self._limits.idle_timeout or 0.0
        left = self._heard_at + patience - self._clock.seconds()
        if left > 0 or self._busy:
            self._start("idle", max(left, 1.0), self._close_if_idle)
        else:
            self._note("idle_timeout", 1)
            self._take_rest()
            self._end()

    def _abort(self, event: str) -> None:
        self._note(event, 1)
        self.transport.abortConnection()

    def _hold(self, reason: str) -> None:
        if not self._holds and not self._lost:
            self.transport.pauseProducing()
        self._holds.add(reason)

    def _release(self, reason: str) -> None:
        if reason in self._holds:
            self._holds.discard(reason)
            if not self._holds and not self._lost:
                self.transport.resumeProducing()

    def _start(
        self, name: str, seconds: float, call: Callable[..., None], *arguments: str
    ) -> None:
        self._stop(name)
        self._timers[name] = self._clock.callLater(
            seconds, self._fire, name, call, *arguments
        )

    def _fire(self, name: str, call: Callable[..., None], *arguments: str) -> None:
        del self._timers[name]
        call(*arguments)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


def guess(start: bytes) -> str:
    """Return a word for what a stream without blocks looks like, by its first bytes."""
    if start.startswith(TLS_HELLO):
        return "tls"
    if start[:4] in {b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN"}:
        return "http"
    if start.startswith(b"SSH-"):
        return "ssh"
    return "hl7_without_start_block" if start.startswith(b"MSH") else "unknown"


def _size(event: Event | TooLong) -> int:
    return 0 if isinstance(event, TooLong) else len(event.body)
