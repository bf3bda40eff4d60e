"""Whether a destination can be reached: connect, shake hands, close; nothing is sent.

It connects by the rules the edge sends by: the same places, addresses and TLS.

Spec:
    console.md S2 (test connection); security.md S14, S15 and S32.
"""

import os
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from cryptography import x509

from engine.channels.certificates import Profile, client_context, profiles_of
from engine.channels.dial import CONNECT_SECONDS, Place, down, not_listed, usable
from engine.channels.format.channel import Channel, Destination
from engine.channels.posting import Target
from engine.channels.routes import PLAIN, addresses_of, allowed_places
from engine.errors import (
    ConfigurationError,
    CredentialsError,
    DeliveryError,
    PermanentError,
)
from engine.settings import Settings

REFUSAL_SECONDS: Final = 0.5
"""A server of TLS 1.3 refuses a certificate only after our side is done."""


@dataclass(frozen=True, slots=True)
class Node:
    """What the node allows and has; files may be written below the ``roots``."""

    allowed: Collection[Place]
    profiles: Mapping[str, Profile]
    roots: Collection[str]


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of it, in one sentence."""

    ok: bool
    says: str


def node_of(settings: Settings, channels: Sequence[Channel]) -> Node:
    """Return what a node allows and has, by its settings and its channels."""
    return Node(
        allowed_places(channels, settings.outbound_allowed),
        profiles_of(settings.tls, settings.folder),
        tuple(map(str, settings.allowed_folders)),
    )


def try_connection(settings: Destination, node: Node) -> Reached:
    """Connect to a destination and close; it waits for the network."""
    try:
        return Reached(True, _tried(settings, node))
    except (DeliveryError, ConfigurationError) as error:
        return Reached(False, str(error))


def _tried(settings: Destination, node: Node) -> str:
    if settings.simulate:
        return "it is simulated: nothing is connected to, and nothing ever sent"
    if settings.mllp is not None:
        place = Place("mllp", settings.mllp.host, settings.mllp.port)
        secure = settings.mllp.tls != PLAIN
        return _connected(place, settings.mllp.tls if secure else "", node)
    for way in (settings.fhir, settings.http, settings.cda):
        if way is not None and way.url:
            place = Target.of(way.url).place
            return _connected(place, way.tls if place.scheme == "https" else "", node)
    written = settings.file or settings.cda
    assert written is not None
    return _folder(written.path, node.roots)


def _connected(place: Place, profile: str, node: Node) -> str:
    """Return what a connection told; without a profile it is not encrypted.

    Raises:
        DeliveryError: why there is none.
        ConfigurationError: the profile is not in order.
    """
    with connected(place, profile, node) as line:
        told = f"{place.host}:{place.port} takes connections"
        if isinstance(line, ssl.SSLSocket):
            return f"{told} by {_shaken(line)}"
        return f"{told}; they are not encrypted"


@contextmanager
def connected(place: Place, profile: str, node: Node) -> Iterator[socket.socket]:
    """Give an open connection, by TLS where there is a profile.

    Raises:
        DeliveryError: why there is none, or why it ended.
        ConfigurationError: the profile is not in order.
    """
    if place not in node.allowed:
        raise not_listed(place)
    if profile and profile not in node.profiles:
        raise ConfigurationError(f"there is no tls profile {profile}")
    context = client_context(node.profiles[profile]) if profile else None
    address = usable(place, _resolved(place))
    try:
        with socket.create_connection(
            (str(address), place.port), timeout=CONNECT_SECONDS
        ) as line:
            if context is None:
                yield line
                return
            with context.wrap_socket(line, server_hostname=place.host) as secure:
                yield secure
    except OSError as error:
        raise _fault(error, place) from None


def _fault(error: OSError, place: Place) -> DeliveryError:
    """Return what a failed connection or handshake stands for."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        sentence = f"the certificate of {place.host} is not accepted: {said}"
        return CredentialsError(sentence, "tls-certificate")
    if isinstance(error, ssl.SSLError):
        said = (error.reason or "closed").lower().replace("_", " ")
        return down(f"ended the TLS handshake: {said}", "tls-failed", place)
    if isinstance(error, ConnectionRefusedError):
        return down("refused the connection", "connection-refused", place)
    if isinstance(error, ConnectionError):
        return down("closed the connection", "connection-closed", place)
    if isinstance(error, TimeoutError):
        return down("does not answer", "connect-timeout", place)
    return down("cannot be reached", "unreachable", place)


def _resolved(place: Place) -> list[str]:
    try:
        return addresses_of(place.host, place.port)
    except OSError:
        return []


def _shaken(secure: ssl.SSLSocket) -> str:
    """Return how the connection is encrypted, and until when the certificate is good.

    Raises:
        SSLError: the other side does not accept us.
    """
    secure.settimeout(REFUSAL_SECONDS)
    with suppress(TimeoutError):
        secure.recv(1)
    found = secure.getpeercert(binary_form=True)
    assert found is not None  # the context asks for one
    ends = x509.load_der_x509_certificate(found).not_valid_after_utc
    return f"{secure.version()}; its certificate is good until {ends:%Y-%m-%d}"


def _folder(template: str, roots: Collection[str]) -> str:
    """Return whether files can be written where the path begins.

    Raises:
        DeliveryError: why not.
    """
    begin = PurePosixPath(template.partition("{")[0])
    for root in roots:
        if not begin.is_relative_to(root):
            continue
        folder = Path(root)
        if not folder.exists():
            folder = folder.parent  # the allowed folder itself is made when needed
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return f"files can be written below {root}"
        raise PermanentError(
            f"{folder} is no folder this user may write to", "not-writable"
        )
    raise PermanentError(
        "the file would lie outside the allowed folders", "not-allowed"
    )
