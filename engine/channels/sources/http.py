"""The HTTP source: one listener of the node, a path for each channel.

What is posted is journaled before it is answered: 200 with the acknowledgment of a
message that is on disk, 422 with that of one that was refused (and is kept), 503 when
nothing could be stored. Nothing of a body is ever written to a temporary file.

Spec:
    channel-format.md 3.2, ``http.path`` and ``http.credential``; RFC 9110.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hmac import compare_digest
from io import BytesIO
from itertools import chain
from typing import Final, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from typing_extensions import override

from engine.channels.accept import Conversation, Reply
from engine.channels.arriving import Intake
from engine.channels.batches import Walk, is_batch
from engine.channels.format.endpoint_checks import is_loopback
from engine.channels.posting import authorization
from engine.errors import ConfigurationError
from engine.hl7.acknowledgment import parse_acknowledgment
from engine.hl7.framing import DEFAULT_MAX_BYTES, Block
from engine.settings import Settings

BACKLOG: Final = 512
IDLE_SECONDS: Final = 60
UNAVAILABLE: Final = 503
TOO_LARGE: Final = (
    b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)
RETRY_AFTER_SECONDS: Final = b"5"
HL7: Final = b"application/hl7-v2"
_log = Logger()
_POSITIVE: Final = frozenset({"AA", "CA"})


class Posted(Request):
    """One request, held in memory up to a limit."""

    taken = 0
    gone = False

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


class Post(Resource):
    """Where messages of one channel are posted."""

    isLeaf = True  # noqa: N815 - the word of twisted

    def __init__(self, intake: Intake, secret: bytes) -> None:
        super().__init__()
        self._intake = intake
        self._secret = secret

    @override
    def render(self, request: Posted) -> bytes | int:
        """Answer one request, now or once its message is on disk."""
        if request.method != b"POST":
            request.setHeader(b"Allow", b"POST")
            return _plain(request, 405, "messages are posted here")
        if not compare_digest(request.getHeader(b"Authorization") or b"", self._secret):
            self._intake.note("http_refused", 1)
            request.setHeader(b"WWW-Authenticate", b"Basic, Bearer")
            return _plain(request, 401, "the credential of this channel is missing")
        if request.taken > request.max_bytes:
            return NOT_DONE_YET  # it was answered, and its end is not held
        body = request.body.getvalue()
        if not body:
            return _plain(request, 400, "the body is empty")
        conversation = Conversation(self._intake, _peer(request), documents=True)
        answered = Deferred.fromCoroutine(conversation.accept(Block(body)))
        answered.addCallback(_answer, request)
        answered.addErrback(_failed, request)
        return NOT_DONE_YET


def _peer(request: Request) -> str:
    address = request.getClientAddress()
    return address.host if isinstance(address, IPv4Address | IPv6Address) else ""


def _plain(request: Request, status: int, sentence: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    return f"{sentence}\n".encode()


def _answer(reply: Reply, request: Posted) -> None:
    """Write the answer to what was journaled, if anybody still listens."""
    if request.gone:
        return
    status, body = status_of(reply)
    request.setResponseCode(status)
    if status == UNAVAILABLE:
        request.setHeader(b"Retry-After", RETRY_AFTER_SECONDS)
    if body:
        request.setHeader(b"Content-Type", HL7)
        request.write(body)
    request.finish()


def _failed(failure: Failure, request: Posted) -> None:
    """Tell the log what went wrong, and the sender that something did."""
    _log.error("posting failed: {kind}", kind=type(failure.value).__name__)
    if not request.gone:
        request.setResponseCode(500)
        request.finish()


def status_of(reply: Reply) -> tuple[int, bytes]:
    """Return the HTTP status and body for the answer to one posting."""
    if reply.kept is False:
        return UNAVAILABLE, reply.acknowledgment or b""
    if reply.kept is None:
        return 400, b""
    if reply.acknowledgment is None:
        return 202, b""
    positive = all(code in _POSITIVE for code in _codes(reply.acknowledgment))
    return (
        200 if positive else 422,
        b"".join((reply.acknowledgment, *reply.also)),
    )


def _codes(answer: bytes) -> list[str]:
    """Return MSA-1 of an acknowledgment, or of each in a batch of them."""
    if not is_batch(answer):
        return [parse_acknowledgment(answer).code]
    walk = Walk(len(answer) + 1)
    each = chain(walk.feed(answer), walk.end())
    return [parse_acknowledgment(message).code for message, _ in each]


class _Root(Resource):
    """Finds the channel of a path; everything else is 404."""

    def __init__(self, posts: Mapping[str, Post]) -> None:
        super().__init__()
        self._posts = posts

    @override
    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        place = request.path.decode("ascii", "replace")
        return self._posts.get(place) or notFound()


@dataclass(slots=True)
class Web:
    """The node's HTTP listener, open while a channel needs it.

    Attributes:
        bind: ``host:port`` of ``http.bind``; ``""`` is off.
        credentials: those of ``interop.toml``, by name.
        max_bytes: the longest body that is taken.
    """

    bind: str
    credentials: Mapping[str, Mapping[str, str]]
    reactor: IReactorTCP
    max_bytes: int = DEFAULT_MAX_BYTES
    port: IListeningPort | None = None
    _posts: dict[str, Post] = field(default_factory=dict)

    def add(self, intake: Intake) -> None:
        """Take messages for a channel at its path.

        Raises:
            ConfigurationError: there is no listener, the path is taken or the
                credential cannot be checked.
        """
        source = intake.channel.source.http
        assert source is not None
        if not self.bind:
            raise ConfigurationError("http.bind is not set in interop.toml")
        if source.path in self._posts:
            raise ConfigurationError(f"another channel takes {source.path}")
        credential = self.credentials.get(source.credential, {})
        header = authorization(credential)
        if not header or not (credential.get("token") or credential.get("password")):
            raise ConfigurationError(
                f"credential {source.credential} has no password and no token"
            )
        if self.port is None:
            self.port = self._listen()
        secret = header["Authorization"].encode()
        self._posts[source.path] = Post(intake, secret)

    def remove(self, path: str) -> None:
        """Take nothing more at a path; without any the listener closes."""
        self._posts.pop(path, None)
        if not self._posts and self.port is not None:
            self.port.stopListening()
            self.port = None

    def _listen(self) -> IListeningPort:
        host, _, port = self.bind.rpartition(":")
        if not is_loopback(host.strip("[]")):
            raise ConfigurationError(
                f"http.bind {self.bind} is open to others without TLS: "
                "bind it to 127.0.0.1 and put a TLS proxy before it"
            )
        made = partial(Posted, self.max_bytes)
        site = Site(_Root(self._posts), requestFactory=made, timeout=IDLE_SECONDS)
        site.displayTracebacks = False
        site.noisy = False
        factory = cast("ServerFactory", site)
        return self.reactor.listenTCP(int(port), factory, BACKLOG, host.strip("[]"))


def web_of(settings: Settings, reactor: IReactorTCP) -> Web:
    """Return the HTTP listener of a node, not yet open."""
    known = cast("dict[str, dict[str, str]]", dict(settings.credentials))
    return Web(settings.http_bind, known, reactor)
