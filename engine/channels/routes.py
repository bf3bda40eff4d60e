"""From the destinations of a channel to what sends: one plain table of ways out."""

import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol

from engine.channels.destinations import Destination, Document, Receipt
from engine.channels.destinations.fhir import FhirSender
from engine.channels.destinations.file import FileSender
from engine.channels.destinations.http import HttpSender
from engine.channels.destinations.mllp import MllpSender
from engine.channels.dial import Dialer, Place
from engine.channels.format.channel import Channel
from engine.channels.format.channel import Destination as Settings
from engine.channels.http_client import HttpClient
from engine.channels.posting import Poster, Target, authorization
from engine.channels.route import Place as RoutePlace
from engine.channels.route import Route
from engine.channels.tls import Identities
from engine.errors import ConfigurationError, CredentialsError

PLAIN: Final = "none"
Connect = Callable[[Factory], Awaitable[Protocol]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the node gives to its destinations."""

    dialer: Dialer
    clock: IReactorTime
    in_thread: Callable[[Callable[[], None]], Awaitable[None]]
    identities: Identities
    credentials: Mapping[str, Mapping[str, str]]
    roots: tuple[str, ...]

    def connect(self, place: Place, profile: str) -> Connect:
        """Return how connections to a place are opened, with this TLS profile."""
        self._tls(place, profile)  # what is not in order is said before a first send
        return lambda factory: self.dialer.connect(
            factory, place, self._tls(place, profile)
        )

    def _tls(
        self, place: Place, profile: str
    ) -> IOpenSSLClientConnectionCreator | None:
        if place.scheme == "http" or (place.scheme == "mllp" and profile == PLAIN):
            return None
        return self.identities.client(profile, place.host)

    def poster(self, url: str, profile: str, credential: str, timeout: float) -> Poster:
        """Return what posts to one URL."""
        target = Target.of(url)
        connect = self.connect(target.place, profile)
        headers = authorization(self.credentials.get(credential, {}))
        return Poster(HttpClient(connect, self.clock, timeout), target, headers)


class Simulated:
    """Takes everything and sends nothing: the shadow run of a channel."""

    async def send(self, document: Document) -> Receipt:
        """Return at once."""
        return Receipt(note=f"simulated: {len(document.content)} bytes")

    def close(self) -> None:
        """Nothing is kept open."""


@dataclass(frozen=True, slots=True)
class NotReady:
    """Stands for a destination whose TLS files or credentials are not in order."""

    reason: str

    async def send(self, document: Document) -> Receipt:
        """Send nothing; what is wrong is wrong for every document.

        Raises:
            CredentialsError: always, so that the destination pauses for a person.
        """
        del document
        raise CredentialsError(self.reason, "not-configured")

    def close(self) -> None:
        """Nothing is kept open."""


def destination_of(settings: Settings, given: Surroundings) -> Destination:
    """Return what sends for one destination of a channel."""
    if settings.simulate:
        return Simulated()
    try:
        return _MAKERS[settings.kind](settings, given)
    except ConfigurationError as error:
        return NotReady(str(error))


def routes_of(
    channels: Iterable[Channel],
    given: Surroundings,
    known: Mapping[RoutePlace, Route],
) -> dict[RoutePlace, Route]:
    """Return a route for every destination; an unchanged one keeps its connections."""
    routes: dict[RoutePlace, Route] = {}
    for channel in channels:
        for settings in channel.destinations:
            place = channel.name, settings.name
            kept = known.get(place)
            if kept is not None and _is_good(kept, settings):
                routes[place] = kept
            else:
                sender = destination_of(settings, given)
                routes[place] = Route(channel.name, settings, sender)
    return routes


def _is_good(kept: Route, settings: Settings) -> bool:
    """Whether a route goes on: what was not in order may be by now."""
    return kept.settings == settings and not isinstance(kept.destination, NotReady)


def places_of(channels: Iterable[Channel]) -> set[Place]:
    """Return every place that channels name: what may be connected to by default."""
    places = set()
    for channel in channels:
        for settings in channel.destinations:
            if settings.mllp:
                places.add(Place("mllp", settings.mllp.host, settings.mllp.port))
            for url in _urls(settings):
                places.add(Target.of(url).place)
    return places


def allowed_places(channels: Iterable[Channel], listed: Collection[str]) -> set[Place]:
    """Return the places that the site lets its channels connect to."""
    named = places_of(channels)
    return {place for place in named if place.is_listed(listed)} if listed else named


def _urls(settings: Settings) -> list[str]:
    ways = (settings.fhir, settings.http, settings.cda)
    return [way.url for way in ways if way is not None and way.url]


def _mllp(settings: Settings, given: Surroundings) -> Destination:
    way = settings.mllp
    assert way is not None
    connect = given.connect(Place("mllp", way.host, way.port), way.tls)
    return MllpSender(connect, way, given.clock)


def _fhir(settings: Settings, given: Surroundings) -> Destination:
    way = settings.fhir
    assert way is not None
    seconds = way.timeout.total_seconds()
    return FhirSender(given.poster(way.url, way.tls, way.credential, seconds), way.mode)


def _http(settings: Settings, given: Surroundings) -> Destination:
    way = settings.http or settings.cda
    assert way is not None
    seconds = way.timeout.total_seconds()
    return HttpSender(given.poster(way.url, way.tls, way.credential, seconds))


def _file(settings: Settings, given: Surroundings) -> Destination:
    way = settings.file or settings.cda
    assert way is not None
    return FileSender(given.roots, way.on_exists == "replace", given.in_thread)


def _cda(settings: Settings, given: Surroundings) -> Destination:
    """A document goes out as a file or over HTTP, as its channel says."""
    way = settings.cda
    return (_http if way is not None and way.url else _file)(settings, given)


_MAKERS: Final[Mapping[str, Callable[[Settings, Surroundings], Destination]]] = {
    "mllp": _mllp,
    "fhir": _fhir,
    "http": _http,
    "file": _file,
    "cda": _cda,
}


def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a name, asked of the system; it may take a while."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
