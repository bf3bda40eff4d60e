"""The HTTP source: one listener of the node, a path for each channel.

Spec:
    channel-format.md 3.2, ``http``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast

from twisted.internet.interfaces import IListeningPort, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from typing_extensions import override

from engine.channels.arriving import Intake
from engine.channels.format.endpoint_checks import is_loopback
from engine.channels.format.endpoints import HttpSource
from engine.channels.patient_posts import Patients
from engine.channels.posting import authorization
from engine.channels.posts import Post, Posted
from engine.errors import ConfigurationError
from engine.hl7.framing import DEFAULT_MAX_BYTES
from engine.settings import Settings

BACKLOG: Final = 512
IDLE_SECONDS: Final = 60
_TAKERS: Final = {"messages": Post, "patients": Patients}


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
        taker = _TAKERS[source.takes]
        places = [source.path + each for each in taker.places]
        if taken := next((each for each in places if each in self._posts), ""):
            raise ConfigurationError(f"another channel takes {taken}")
        credential = self.credentials.get(source.credential, {})
        header = authorization(credential)
        if not header or not (credential.get("token") or credential.get("password")):
            raise ConfigurationError(
                f"credential {source.credential} has no password and no token"
            )
        if self.port is None:
            self.port = self._listen()
        secret = header["Authorization"].encode()
        self._posts |= dict.fromkeys(places, taker(intake, secret))

    def remove(self, source: HttpSource) -> None:
        """Take nothing more for a channel; without any the listener closes."""
        for place in _TAKERS[source.takes].places:
            self._posts.pop(source.path + place, None)
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
