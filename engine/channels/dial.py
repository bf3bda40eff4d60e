"""Connections to receivers: only where the site allows, and to the address checked.

Spec:
    security.md S32.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,  # noqa: A004 - Twisted's own, not the built-in one
    TimeoutError,  # noqa: A004
)
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorTCP,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from engine.errors import (
    CredentialsError,
    DeliveryError,
    PermanentError,
    TransientError,
)

CONNECT_SECONDS: Final = 10
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of a host name."""


class Place(NamedTuple):
    """Where a receiver is."""

    scheme: str
    host: str
    port: int

    def is_listed(self, listed: Collection[str]) -> bool:
        """Whether the site's outbound list names it: ``[scheme://]host[:port]``."""
        forms = (self.host, f"{self.host}:{self.port}")
        return any(
            form in listed or f"{self.scheme}://{form}" in listed for form in forms
        )


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections to places the site allows.

    A name may not lead to the machine itself or to a link-local address (that is where
    clouds keep their credentials), unless the site wrote down just that address.
    """

    reactor: IReactorTCP
    resolve: Resolve
    allowed: Collection[Place]

    async def connect(
        self,
        factory: Factory,
        place: Place,
        tls: IOpenSSLClientConnectionCreator | None = None,
    ) -> Protocol:
        """Return the connected protocol, its TLS handshake perhaps still to come.

        Raises:
            TransientError: the receiver cannot be reached.
            PermanentError: this site does not allow that place.
        """
        if place not in self.allowed:
            raise not_listed(place)
        address = await self._address(place)
        endpoint = (TCP4ClientEndpoint if address.version == 4 else TCP6ClientEndpoint)(  # noqa: PLR2004 - IPv4
            self.reactor, str(address), place.port, timeout=CONNECT_SECONDS
        )
        wrapped = TLSMemoryBIOFactory(tls, True, factory) if tls else factory
        try:
            protocol = await endpoint.connect(wrapped)
        except ConnectionRefusedError:
            raise down("refused the connection", "connection-refused", place) from None
        except TimeoutError:
            raise down("does not answer", "connect-timeout", place) from None
        except ConnectError:
            raise down("cannot be reached", "unreachable", place) from None
        inner = getattr(protocol, "wrappedProtocol", protocol)
        assert isinstance(inner, Protocol)
        return inner

    async def _address(self, place: Place) -> Address:
        """Return the address to connect to: resolved once, checked, and then used."""
        literal = _literal(place.host)
        if literal is not None:
            return literal
        try:
            found = await self.resolve(place.host, place.port)
        except OSError:
            raise down("has no known address", "dns", place) from None
        return usable(place, found)


def usable(place: Place, found: Iterable[str]) -> Address:
    """Return which of the addresses of a name to connect to.

    Raises:
        TransientError: there is none.
        PermanentError: the name leads to where no receiver is.
    """
    literal = _literal(place.host)
    if literal is not None:
        return literal
    addresses = [ip_address(text.partition("%")[0]) for text in found]
    if place.host != "localhost" and any(map(_is_inside, addresses)):
        raise PermanentError(
            f"the name {place.host} leads to a local address", "not-allowed"
        )
    if not addresses:
        raise down("has no known address", "dns", place)
    return addresses[0]


def not_listed(place: Place) -> PermanentError:
    """Return why nothing may be connected to there."""
    sentence = f"{place.host}:{place.port} is not in the outbound allow list"
    return PermanentError(sentence, "not-allowed")


def tls_failure(reason: Failure) -> DeliveryError | None:
    """Return the error a broken TLS handshake stands for; None for anything else."""
    if isinstance(reason.value, VerificationError):
        return CredentialsError("the certificate is for another host", "tls-host")
    if not isinstance(reason.value, SSL.Error):
        return None
    told = str(reason.value)
    if "certificate" in told or "unknown ca" in told:
        return CredentialsError("the certificate was not accepted", "tls-certificate")
    return TransientError("the TLS handshake failed", "tls-failed")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_inside(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
    )


def down(what: str, code: str, place: Place) -> TransientError:
    """Return the error of a receiver that cannot be reached now."""
    return TransientError(f"{place.host}:{place.port} {what}", code)
