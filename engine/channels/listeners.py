"""Listening sockets: who may connect, how many at a time, and what they speak."""

import resource
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from OpenSSL import crypto
from twisted.internet.interfaces import IAddress, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, ServerFactory
from typing_extensions import override

from engine.channels.accept import Conversation
from engine.channels.arriving import Intake
from engine.channels.format.endpoints import MllpSource
from engine.channels.sources.mllp import Limits, MllpListener
from engine.channels.tls import names_of

BACKLOG: Final = 512
RESERVED_DESCRIPTORS: Final = 96
"""Kept back from listeners: for the store, destinations and logs (E27)."""

MOST_DESCRIPTORS: Final = 65_536
Network = IPv4Network | IPv6Network


@dataclass(slots=True)
class Places:
    """Connections that all listeners of the node may still take together.

    Descriptors are kept back for the store and for destinations.
    """

    free: int


def free_places() -> Places:
    """Return how many connections there may be, the limit raised as far as allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    soft = min(most, MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Places(soft - RESERVED_DESCRIPTORS)


def limits_of(source: MllpSource) -> Limits:
    """Return how patient a listener is, in bytes and seconds."""
    idle = source.idle_timeout
    return Limits(
        max_bytes=source.max_size,
        max_junk=source.max_junk,
        eb_wait=source.eb_wait.total_seconds(),
        frame_timeout=source.frame_timeout.total_seconds(),
        idle_timeout=None if idle == "never" else idle.total_seconds(),
        preauth_idle=source.preauth_idle.total_seconds(),
        answer_write_timeout=source.ack_write_timeout.total_seconds(),
        storage_failure_close=source.storage_failure_close.total_seconds(),
        accept_missing_sb=source.accept_missing_sb,
        commit_blocks=source.mode == "r2",
    )


class MllpFactory(ServerFactory):
    """Makes a listener for each connection of one channel.

    ``adopt`` puts another revision of the channel in force: for new connections at
    once, for open ones from their next message on.
    """

    noisy = False

    def __init__(
        self,
        intake: Intake,
        clock: IReactorTime,
        places: Places,
        peers: frozenset[str] = frozenset(),
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._places = places
        self._peers = peers
        self._open: set[MllpListener] = set()
        self.adopt()

    def adopt(self) -> None:
        """Read the source's settings again; the intake has the new channel."""
        source = self._intake.channel.source.mllp
        assert source is not None
        self._source = source
        self._limits = limits_of(source)
        self._allow: tuple[Network, ...] = tuple(
            ip_network(text, strict=False) for text in source.allow
        )

    @property
    def open_connections(self) -> int:
        """How many peers are connected."""
        return len(self._open)

    @override
    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return a listener, or None to close the connection at once."""
        host = str(getattr(addr, "host", ""))
        if not self._admits(host):
            self._intake.note("peer_refused", 1)
            return None
        if len(self._open) >= self._source.max_connections or self._places.free <= 0:
            self._intake.note("connection_refused", 1)
            return None
        conversation = Conversation(self._intake, host)
        door = Door(self, conversation)
        door.listener = MllpListener(
            conversation.accept, self._limits, self._clock, self._intake.note, door
        )
        conversation.speak = door.listener.speak
        return door.listener

    def _admits(self, host: str) -> bool:
        if not self._allow:
            return True
        address = ip_address(host)
        return any(address in network for network in self._allow)

    def opened(self, listener: MllpListener, transport: ITCPTransport) -> None:
        """Count a connection in, and have its peer's death noticed."""
        self._open.add(listener)
        self._places.free -= 1
        tune(transport, self._source)

    def closed(self, listener: MllpListener) -> None:
        """Count a connection out."""
        self._open.discard(listener)
        self._places.free += 1

    def admits_names(self, names: list[str]) -> bool:
        """Whether a certificate with these names may speak."""
        return not self._peers or not self._peers.isdisjoint(names)

    def hang_up(self) -> None:
        """Answer what was taken, then close every connection."""
        for listener in list(self._open):
            listener.finish()


@dataclass(slots=True)
class Door:
    """The way in of one connection: counted, tuned, and known by its certificate."""

    factory: MllpFactory
    conversation: Conversation
    listener: MllpListener = field(init=False)

    def opened(self, transport: ITCPTransport) -> None:
        """A connection begins."""
        self.factory.opened(self.listener, transport)

    def admit(self, certificate: object) -> bool:
        """Whether the peer may speak; its first name is its identity from here on."""
        if not isinstance(certificate, crypto.X509):
            return self.factory.admits_names([])
        names = names_of(certificate)
        if names:
            self.conversation.peer = names[0]
        return self.factory.admits_names(names)

    def closed(self) -> None:
        """A connection has ended."""
        self.factory.closed(self.listener)


def tune(transport: ITCPTransport, source: MllpSource) -> None:
    """Have a dead peer found: probes while idle, a limit for unacknowledged data."""
    handle = getattr(transport, "socket", None)
    if handle is None:
        return
    keepalive = source.keepalive
    transport.setTcpKeepAlive(True)
    transport.setTcpNoDelay(True)
    options = {
        socket.TCP_KEEPIDLE: int(keepalive.idle.total_seconds()),
        socket.TCP_KEEPINTVL: int(keepalive.every.total_seconds()),
        socket.TCP_KEEPCNT: keepalive.tries,
        socket.TCP_USER_TIMEOUT: int(source.user_timeout.total_seconds() * 1000),
    }
    for option, value in options.items():
        handle.setsockopt(socket.IPPROTO_TCP, option, value)
