"""A small HTTP/1.1 client: POST over kept-open connections. It follows no redirects."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from typing_extensions import override

from engine.channels.dial import tls_failure
from engine.errors import AmbiguousError, DeliveryError, TransientError
from engine.failpoint import reach

MAX_HEAD_BYTES: Final = 65_536
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_IDLE_LINES: Final = 64
"""As many as there may be requests at once: a busy destination opens none anew."""

NO_REASON: Final = Failure(ConnectionError())  # type: ignore[no-untyped-call]
_BODILESS: Final = frozenset({204, 304})

Connect = Callable[[Factory], Awaitable[Protocol]]
"""Open one connection to the server; raises DeliveryError."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class AnswerReader:
    """Cuts one answer out of a byte stream. Pure: no socket, no clock.

    Spec:
        RFC 9112, sections 4 to 7.
    """

    __slots__ = ("_buffer", "_chunked", "_headers", "_left", "_parts", "_status")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._chunked = False
        self._left: int | None = None

    def feed(self, data: bytes) -> HttpAnswer | None:
        """Add bytes; return the answer when it is whole.

        Raises:
            AmbiguousError: the bytes are no HTTP/1.1 answer.
        """
        self._buffer += data
        while not self._status:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                _bounded(len(self._buffer), MAX_HEAD_BYTES)
                return None
            self._take_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        return self._chunks() if self._chunked else self._plain()

    def end(self) -> HttpAnswer | None:
        """The server closed: return an answer that ends there, if there is one."""
        if self._status and self._left is None and not self._chunked:
            return self._finish(bytes(self._buffer))
        return None

    def _take_head(self, head: bytes) -> None:
        first, *rest = head.decode("latin-1").split("\r\n")
        version, _, tail = first.partition(" ")
        status = tail[:3]
        if not version.startswith("HTTP/1.") or not status.isdecimal():
            raise AmbiguousError("the answer is no HTTP/1.1", "unreadable-answer")
        if status[0] == "1":  # an interim answer; the real one follows
            return
        for line in rest:
            name, _, value = line.partition(":")
            self._headers[name.strip().lower()] = value.strip()
        self._status = int(status)
        coding = self._headers.get("transfer-encoding", "").lower()
        self._chunked = coding.endswith("chunked")
        self._left = self._length()

    def _length(self) -> int | None:
        if self._status in _BODILESS:
            return 0
        told = self._headers.get("content-length")
        if told is None:
            return None
        if not told.isdecimal():
            raise AmbiguousError("the answer has no known length", "unreadable-answer")
        _bounded(int(told), MAX_BODY_BYTES)
        return int(told)

    def _plain(self) -> HttpAnswer | None:
        _bounded(len(self._buffer), MAX_BODY_BYTES)
        if self._left is None or len(self._buffer) < self._left:
            return None
        body = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        return self._finish(body)

    def _chunks(self) -> HttpAnswer | None:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            size = _chunk_size(bytes(self._buffer[:end]))
            whole = end + 2 + size + 2
            _bounded(whole + sum(map(len, self._parts)), MAX_BODY_BYTES)
            if size == 0:
                return self._last_chunk(end)
            if len(self._buffer) < whole:
                return None
            self._parts.append(bytes(self._buffer[end + 2 : whole - 2]))
            del self._buffer[:whole]
        return None

    def _last_chunk(self, end: int) -> HttpAnswer | None:
        """Take the trailer section, of which nothing is wanted."""
        rest = bytes(self._buffer[end:])
        stop = 4 if rest.startswith(b"\r\n\r\n") else rest.find(b"\r\n\r\n") + 4
        if len(rest) < 4 or stop < 4:  # noqa: PLR2004 - CR LF CR LF
            return None
        del self._buffer[: end + stop]
        return self._finish(b"".join(self._parts))

    def _finish(self, body: bytes) -> HttpAnswer:
        return HttpAnswer(self._status, self._headers, body)


def _bounded(size: int, most: int) -> None:
    if size > most:
        raise AmbiguousError("the answer is too large", "unreadable-answer")


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        return int(digits, 16)
    except ValueError:
        raise AmbiguousError(
            "the answer has a broken chunk", "unreadable-answer"
        ) from None


class HttpLine(Protocol):
    """One open connection to the server, with at most one request in flight."""

    transport: ITCPTransport

    def __init__(self) -> None:
        self.usable = True
        self._reader = AnswerReader()
        self._answer: Deferred[HttpAnswer] | None = None

    @override
    def connectionMade(self) -> None:
        """Send small requests at once."""
        self.transport.setTcpNoDelay(True)

    def exchange(self, request: bytes) -> Deferred[HttpAnswer]:
        """Write one request; return its answer."""
        self._answer = Deferred()
        self.transport.write(request)
        reach("http.written")
        return self._answer

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take a part of the answer; whatever nobody asked for ends the connection."""
        if self._answer is None:
            self.drop(TransientError("an answer nobody waited for", "no-answer"))
            return
        try:
            answer = self._reader.feed(data)
        except AmbiguousError as error:
            self.drop(error)
            return
        if answer is not None:
            self._hear(answer)

    def _hear(self, answer: HttpAnswer) -> None:
        reach("http.answered")
        waiting, self._answer = self._answer, None
        if answer.headers.get("connection", "").lower() == "close":
            self.usable = False
            self.transport.loseConnection()
        self._reader = AnswerReader()
        if waiting is not None:
            waiting.callback(answer)

    @override
    def connectionLost(self, reason: Failure = NO_REASON) -> None:
        """Tell whoever waits: without an answer, nothing was delivered."""
        answer = self._reader.end()
        self.usable = False
        if answer is not None:
            self._hear(answer)
        lost = TransientError("the connection broke before the answer", "no-answer")
        self._fail(tls_failure(reason) or lost)

    def drop(self, error: DeliveryError) -> None:
        """Close; the next request gets a new connection."""
        self._fail(error)
        self.transport.abortConnection()

    def _fail(self, error: DeliveryError) -> None:
        self.usable = False
        waiting, self._answer = self._answer, None
        if waiting is not None:
            waiting.errback(error)


@dataclass(slots=True)
class HttpClient:
    """Posts to one server; keeps its connections open between requests."""

    connect: Connect
    clock: IReactorTime
    timeout_seconds: float
    _idle: deque[HttpLine] = field(default_factory=deque)

    async def exchange(
        self, request: bytes, may_leave: Callable[[], None] = lambda: None
    ) -> HttpAnswer:
        """Send one whole request, return the answer.

        ``may_leave`` is called just before the request leaves, and raises if it must
        not any more: connecting may have taken long.

        Raises:
            TransientError: no connection, or no answer in time.
            AmbiguousError: the answer is no HTTP.
        """
        line = self._idle_line()
        if line is None:
            connected = await self.connect(Factory.forProtocol(HttpLine))
            assert isinstance(connected, HttpLine)
            line = connected
        try:
            may_leave()
            return await self._answered(line, request)
        finally:
            self._keep(line)

    async def _answered(self, line: HttpLine, request: bytes) -> HttpAnswer:
        late = TransientError("no answer in time", "no-answer")
        timer = self.clock.callLater(self.timeout_seconds, line.drop, late)
        try:
            return await line.exchange(request)
        finally:
            if timer.active():
                timer.cancel()

    def _keep(self, line: HttpLine) -> None:
        if line.usable and len(self._idle) < MAX_IDLE_LINES:
            self._idle.append(line)
        elif line.usable:
            line.transport.loseConnection()

    def _idle_line(self) -> HttpLine | None:
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                return line
        return None

    def close(self) -> None:
        """Close the connections nobody uses."""
        for line in self._idle:
            line.transport.loseConnection()
