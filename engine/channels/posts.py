"""What is posted to one channel: a request held in memory, journaled, then answered.

200 with the acknowledgment of a message that is on disk, 422 with that of one that was
refused (and is kept), 503 when nothing could be stored. Nothing of a body is ever
written to a temporary file.

Spec:
    channel-format.md 3.2, ``http.path`` and ``http.credential``; RFC 9110.
"""

from hmac import compare_digest
from io import BytesIO
from itertools import chain
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from typing_extensions import override

from engine.channels.accept import Conversation, Reply
from engine.channels.arriving import Intake
from engine.channels.batches import Walk, is_batch
from engine.hl7.acknowledgment import parse_acknowledgment
from engine.hl7.framing import Block

OK: Final = 200
UNREADABLE: Final = 400
REFUSED: Final = 422
FAILED: Final = 500
UNAVAILABLE: Final = 503
TOO_LARGE: Final = (
    b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)
RETRY_AFTER_SECONDS: Final = b"5"
HL7: Final = b"application/hl7-v2"
_log = Logger()
_POSITIVE: Final = frozenset({"AA", "CA"})


class Posted(Request):
    """One request, held in memory up to a limit.

    ``refusal`` is why what was posted is on disk and yet refused; mostly empty.
    """

    taken = 0
    gone = False
    refusal = ""

    def __init__(self, max_bytes: int, channel: HTTPChannel, queued: object) -> None:
        super().__init__(channel, queued)
        self.max_bytes = max_bytes
        self.body = BytesIO()

    @override
    def gotLength(self, length: int | None) -> None:
        """Hold the body in memory: by default twisted writes long ones to a file."""
        self.content = self.body

    @override
    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body; end the connection when it grows too long."""
        before, self.taken = self.taken, self.taken + len(data)
        if self.taken <= self.max_bytes:
            self.body.write(data)
        elif before <= self.max_bytes:
            self._refuse()

    def _refuse(self) -> None:
        """Answer before the end of the body has come, and read no more."""
        channel: HTTPChannel = self.channel
        if channel.transport is not None:
            channel.transport.write(TOO_LARGE)
        channel.loseConnection()

    @override
    def connectionLost(self, reason: Failure) -> None:
        """Nobody listens for the answer any more; what was posted is kept."""
        self.gone = True
        super().connectionLost(reason)

    @property
    def peer(self) -> str:
        """The address it came from."""
        address = self.getClientAddress()
        return address.host if isinstance(address, IPv4Address | IPv6Address) else ""


class Post(Resource):
    """Where messages of one channel are posted.

    ``places`` are added to the channel's path; ``methods`` are the ways to send, of
    which the first has a body.
    """

    isLeaf = True  # noqa: N815 - the word of twisted
    places: tuple[str, ...] = ("",)
    methods: tuple[bytes, ...] = (b"POST",)

    def __init__(self, intake: Intake, secret: bytes) -> None:
        super().__init__()
        self.intake = intake
        self._secret = secret

    @override
    def render(self, request: Posted) -> bytes | int:
        """Answer one request, now or once its message is on disk."""
        if refused := self.unwelcome(request, self.methods):
            return refused
        if request.taken > request.max_bytes:
            return NOT_DONE_YET  # it was answered, and its end is not held
        body = request.body.getvalue()
        if not body:
            return self.say(request, UNREADABLE, "the body is empty")
        return self.take(request, body)

    def unwelcome(self, request: Posted, methods: tuple[bytes, ...]) -> bytes:
        """Refuse other methods and another sender; return the answer, or nothing."""
        if request.method not in methods:
            request.setHeader(b"Allow", b", ".join(methods))
            sentence = f"send by {b' or '.join(methods).decode()} here"
            return self.say(request, 405, sentence)
        if not compare_digest(request.getHeader(b"Authorization") or b"", self._secret):
            self.intake.note("http_refused", 1)
            request.setHeader(b"WWW-Authenticate", b"Basic, Bearer")
            return self.say(request, 401, "the credential of this channel is missing")
        return b""

    def say(self, request: Posted, status: int, sentence: str) -> bytes:
        """Return an answer in words."""
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return f"{sentence}\n".encode()

    def take(self, request: Posted, body: bytes) -> bytes | int:
        """Journal what was posted, then answer."""
        conversation = Conversation(self.intake, request.peer, documents=True)
        answered = Deferred.fromCoroutine(conversation.accept(Block(body)))
        answered.addCallback(self.answer, request)
        answered.addErrback(_failed, request)
        return NOT_DONE_YET

    def answer(self, reply: Reply, request: Posted) -> None:
        """Write the answer to what was journaled, if anybody still listens."""
        if request.gone:
            return
        status, body = self.told(reply, request)
        if status == UNAVAILABLE:
            request.setHeader(b"Retry-After", RETRY_AFTER_SECONDS)
        request.write(body)
        request.finish()

    def told(self, reply: Reply, request: Posted) -> tuple[int, bytes]:
        """Set status and kind of the answer; return the status and the body."""
        status, body = status_of(reply)
        request.setResponseCode(status)
        if body:
            request.setHeader(b"Content-Type", HL7)
        return status, body


def _failed(failure: Failure, request: Posted) -> None:
    """Tell the log what went wrong, and the sender that something did."""
    _log.error("posting failed: {kind}", kind=type(failure.value).__name__)
    if not request.gone:
        request.setResponseCode(FAILED)
        request.finish()


def status_of(reply: Reply) -> tuple[int, bytes]:
    """Return the HTTP status and body for the answer to one posting."""
    if reply.kept is False:
        return UNAVAILABLE, reply.acknowledgment or b""
    if reply.kept is None:
        return UNREADABLE, b""
    if reply.acknowledgment is None:
        return 202, b""
    positive = all(code in _POSITIVE for code in _codes(reply.acknowledgment))
    return (
        OK if positive else REFUSED,
        b"".join((reply.acknowledgment, *reply.also)),
    )


def _codes(answer: bytes) -> list[str]:
    """Return MSA-1 of an acknowledgment, or of each in a batch of them."""
    if not is_batch(answer):
        return [parse_acknowledgment(answer).code]
    walk = Walk(len(answer) + 1)
    each = chain(walk.feed(answer), walk.end())
    return [parse_acknowledgment(message).code for message, _ in each]
