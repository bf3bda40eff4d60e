"""Send HL7 v2 over MLLP: kept-open connections, and answers that must belong.

Spec:
    protocol.md E81 to E88 and section 5.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHandshakeListener,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from engine.channels.destinations import Document, Receipt
from engine.channels.dial import tls_failure
from engine.channels.format.endpoints import MllpDestination
from engine.errors import (
    AmbiguousError,
    DeliveryError,
    FrameError,
    NotNowError,
    ParseError,
    PermanentError,
    TransientError,
)
from engine.failpoint import reach
from engine.hl7.acknowledgment import Answer, Header, parse_acknowledgment, read_header
from engine.hl7.delimiters import STANDARD
from engine.hl7.framing import Block, BlockReader, enclose

HANDSHAKE_SECONDS: Final = 10.0
MAX_ANSWER_BYTES: Final = 1_000_000
_REFUSALS: Final = frozenset({"AE", "AR", "CE", "CR"})
_APPLICATION: Final = frozenset({"AA", "AE", "AR"})
_MAYBE_LATER: Final = frozenset({"AR", "CE"})
_PASSING: Final = frozenset({"206", "207"})

NO_REASON: Final = Failure(ConnectionError())  # type: ignore[no-untyped-call]

Connect = Callable[[Factory], Awaitable[Protocol]]
"""Open one connection to the receiver; raises DeliveryError."""


def judge(answer: bytes, sent: Header) -> str:
    """Return ``AA`` or ``CA`` of an answer that takes the message ``sent``.

    Raises:
        AmbiguousError: the answer says nothing about that message.
        NotNowError: refused for a reason that passes.
        PermanentError: refused for what it says.
    """
    if code := _quick(answer, sent):
        return code
    read = _read(answer)
    if read.code not in _REFUSALS and not read.positive:
        raise AmbiguousError("the answer has no known code", "unknown-answer")
    if not read.acknowledges(sent):
        raise AmbiguousError("the answer names another message", "ack-mismatch")
    if read.positive:
        return read.code
    if read.code in _MAYBE_LATER and _passes(read):
        raise NotNowError(
            f"answered {read.code}",
            "not-now",
            acknowledgment=read.code,
            answer=answer,
        )
    faults = ", ".join(sorted({fault.code for fault in read.errors if fault.code}))
    raise PermanentError(
        f"answered {read.code}" + (f" with {faults}" if faults else ""),
        f"answered-{read.code.lower()}",
        acknowledgment=read.code,
        answer=answer,
    )


def _quick(answer: bytes, sent: Header) -> str:
    """Return the code of the usual positive answer without taking it apart."""
    start = answer.find(b"\rMSA|")
    if start < 0 or not answer.startswith(b"MSH|^~\\&|"):
        return ""
    fields = answer[start + 5 :].split(b"\r", 1)[0].split(b"|", 2)
    if len(fields) < 2 or fields[0] not in {b"AA", b"CA"}:  # noqa: PLR2004 - MSA-2
        return ""
    usual = sent.delimiters == STANDARD and fields[1] == sent.control_id != b""
    return fields[0].decode() if usual else ""


def _read(answer: bytes) -> Answer:
    try:
        return parse_acknowledgment(answer)
    except ParseError:
        raise AmbiguousError(
            "the answer is no HL7 message", "unreadable-answer"
        ) from None


def _passes(answer: Answer) -> bool:
    """Whether a refusal names no lasting reason: none at all, or a locked record."""
    return all(
        fault.code in _PASSING and fault.severity == "F" for fault in answer.errors
    )


@implementer(IHandshakeListener)
class Line(Protocol):
    """One open connection to the receiver, with at most one message in flight."""

    transport: ITCPTransport

    def __init__(self, unasked: Callable[[bytes], bool], *, secure: bool) -> None:
        self.ready: Deferred[None] = Deferred()
        self.usable = False
        self._secure = secure
        self._unasked = unasked
        self._reader = BlockReader(MAX_ANSWER_BYTES, MAX_ANSWER_BYTES)
        self._answer: Deferred[bytes] | None = None

    @override
    def connectionMade(self) -> None:
        """Be ready at once, or after the TLS handshake."""
        self.transport.setTcpNoDelay(True)
        if not self._secure:
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:  # noqa: N802 - zope's name
        """Be ready: the receiver is who it should be."""
        self.usable = True
        self.ready.callback(None)

    def exchange(self, block: bytes) -> Deferred[bytes]:
        """Write one block; return the next one that comes back."""
        self._answer = Deferred()
        self.transport.write(block)
        reach("mllp.written")
        return self._answer

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take the answer; anything nobody waits for ends the conversation."""
        self._reader.feed(data)
        bodies: list[bytes] = []
        try:
            while (event := self._reader.next_event()) is not None:
                if isinstance(event, Block):
                    bodies.append(event.body)
        except FrameError:
            self.drop(AmbiguousError("the answer has no frame", "unreadable-answer"))
        if self._reader.awaits_cr and self._answer is not None:
            event = self._reader.flush()
            bodies.append(event.body if event else b"")
        self._hear([body for body in bodies if not self._unasked(body)])

    def _hear(self, bodies: list[bytes]) -> None:
        """Give one answer to the message in flight.

        What came with it cannot answer a message that is not sent yet: some devices
        always send control id 1, so a second answer would be taken for the next one's.
        """
        reach("mllp.answered")
        waiting = self._answer
        if len(bodies) > (waiting is not None):
            self._answer = None
            self.drop(TransientError("an answer nobody waited for", "ack-mismatch"))
        if waiting is not None and bodies and not waiting.called:
            self._answer = None
            waiting.callback(bodies[0])

    @override
    def connectionLost(self, reason: Failure = NO_REASON) -> None:
        """Tell whoever waits: without an answer, nothing was delivered."""
        lost = TransientError("the connection broke before the answer", "no-answer")
        self._fail(tls_failure(reason) or lost)

    def drop(self, error: DeliveryError) -> None:
        """Close; the next message gets a new connection."""
        self._fail(error)
        self.transport.abortConnection()

    def junk_seen(self) -> bool:
        """Whether bytes arrived that are no whole answer."""
        return bool(self._reader.peek(1))

    def _fail(self, error: DeliveryError) -> None:
        self.usable = False
        waiting, self._answer = self._answer, None
        for deferred in (waiting, self.ready):
            if deferred is not None and not deferred.called:
                deferred.errback(error)


class LineFactory(Factory):
    """Makes one line."""

    noisy = False

    def __init__(self, make: Callable[[], Line]) -> None:
        self._make = make

    @override
    def buildProtocol(self, addr: IAddress | None) -> Line:
        """Return the line of one connection."""
        return self._make()


@dataclass(slots=True)
class MllpSender:
    """Sends messages over up to ``settings.connections`` kept-open connections.

    Each connection has one message in flight; an answer that is late, unreadable or
    names another message closes it, so that no answer can be taken for another's.
    """

    connect: Connect
    settings: MllpDestination
    clock: IReactorTime
    _lines: deque[Line] = field(default_factory=deque)
    _open: int = 0
    _turns: deque[Deferred[None]] = field(default_factory=deque)
    _applications: dict[bytes, tuple[Header, Deferred[bytes]]] = field(
        default_factory=dict
    )
    _enhanced: set[bytes] = field(default_factory=set)

    async def send(self, document: Document) -> Receipt:
        """Return the acknowledgment of a message that was taken.

        Raises:
            DeliveryError: it was not taken; the type says what happens next.
        """
        try:
            sent = read_header(document.content)
        except ParseError:
            raise PermanentError("the document has no MSH", "not-hl7") from None
        if sent.application_ack in {"", "NE"}:
            return Receipt((await self._accepted(document, sent))[0])
        if sent.control_id in self._enhanced:
            raise TransientError(
                "another message with this control id awaits its answer",
                "control-id-in-use",
            )
        self._enhanced.add(sent.control_id)
        try:
            answer, code = await self._accepted(document, sent)
            if code != "CA":
                return Receipt(answer)
            document.tell("awaiting application acknowledgment")
            return await self._application(sent)
        finally:
            self._enhanced.discard(sent.control_id)

    async def _accepted(self, document: Document, sent: Header) -> tuple[bytes, str]:
        """Send when it is one's turn; return the first answer and its code."""
        line = await self._line()
        try:
            document.require_ours()  # its turn may have come after a long pause
            return await self._exchange(line, document.content, sent)
        finally:
            self._give_back(line)

    async def _exchange(
        self, line: Line, content: bytes, sent: Header
    ) -> tuple[bytes, str]:
        timer = self._timer(line, self.settings.ack_timeout.total_seconds())
        try:
            answer = await line.exchange(enclose(content))
            return answer, judge(answer, sent)
        except AmbiguousError as error:
            line.drop(error)
            raise
        finally:
            if timer.active():
                timer.cancel()

    def _timer(self, line: Line, seconds: float) -> IDelayedCall:
        return self.clock.callLater(seconds, self._give_up, line)

    def _give_up(self, line: Line) -> None:
        """E81: close the socket; the same bytes go out again on another."""
        if line.junk_seen():
            line.drop(AmbiguousError("the answer has no frame", "unreadable-answer"))
        else:
            line.drop(TransientError("no answer in time", "no-answer"))

    # ---- connections

    async def _line(self) -> Line:
        """Return a connection of one's own, when it is one's turn."""
        if self._open >= self.settings.connections and not self._lines:
            turn: Deferred[None] = Deferred()
            self._turns.append(turn)
            await turn
        while self._lines:
            line = self._lines.popleft()
            if line.usable:
                return line
            self._open -= 1
        self._open += 1
        try:
            return await self._connected()
        except DeliveryError as error:
            self._open -= 1
            self._fail_turns(error)
            raise

    async def _connected(self) -> Line:
        line = await self.connect(LineFactory(self._new_line))
        assert isinstance(line, Line)
        timer = self.clock.callLater(
            HANDSHAKE_SECONDS,
            line.drop,
            TransientError("the TLS handshake takes too long", "tls-timeout"),
        )
        try:
            await line.ready
        finally:
            if timer.active():
                timer.cancel()
        return line

    def _new_line(self) -> Line:
        return Line(self.hear_application, secure=self.settings.tls != "none")

    def _give_back(self, line: Line) -> None:
        if line.usable:
            self._lines.append(line)
        else:
            self._open -= 1
        self._next_turn()

    def _next_turn(self) -> None:
        if self._turns:
            self._turns.popleft().callback(None)

    def _fail_turns(self, error: DeliveryError) -> None:
        """Let nobody wait for a receiver that cannot be reached."""
        turns, self._turns = self._turns, deque()
        for turn in turns:
            turn.errback(error)

    def close(self) -> None:
        """Close kept connections; what is in flight ends as a failure."""
        stopping = TransientError("the engine is stopping", "stopping")
        self._fail_turns(stopping)
        for line in self._lines:
            line.drop(stopping)

    # ---- enhanced mode: the answer that comes later

    async def _application(self, sent: Header) -> Receipt:
        """E85: wait for the application answer, on this or another connection."""
        waiting: Deferred[bytes] = Deferred()
        self._applications[sent.control_id] = sent, waiting
        waiting.addTimeout(self.settings.app_ack_timeout.total_seconds(), self.clock)
        try:
            answer = await waiting
        except defer.TimeoutError:
            raise AmbiguousError(
                "accepted, and then no application answer", "no-application-answer"
            ) from None
        finally:
            del self._applications[sent.control_id]
        judge(answer, sent)
        return Receipt(answer, note="application acknowledgment")

    def hear_application(self, answer: bytes) -> bool:
        """Take a later answer to a message of ours; False when it belongs to none."""
        waiting = self.awaits(answer)
        if waiting is not None:
            waiting.callback(answer)
        return waiting is not None

    def awaits(self, answer: bytes) -> Deferred[bytes] | None:
        """Return what waits for this application answer, if anything of ours does."""
        if not self._applications:
            return None
        try:
            read = parse_acknowledgment(answer)
        except ParseError:
            return None
        for sent, waiting in self._applications.values():
            if read.acknowledges(sent) and not waiting.called:
                return waiting if read.code in _APPLICATION else None
        return None
