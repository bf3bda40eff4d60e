"""One request at a node's HTTP listener, in memory."""

import base64
from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.web.http import HTTPChannel

from engine.channels.arriving import Intake
from engine.channels.awaiting import Outcomes
from engine.channels.format.channel import Channel, Hl7Options, Source
from engine.channels.format.endpoints import HttpSource
from engine.channels.sources.http import Web
from tests.fakes import NOON, FakeJournal, Notes

CREDENTIALS = {
    "feed": {"kind": "basic", "user": "u", "password": "p"},
    "empty": {"kind": "bearer"},
}
SIGNED = f"Authorization: Basic {base64.b64encode(b'u:p').decode()}\r\n"
MAX_BYTES = 100_000
ADDRESS = IPv4Address("TCP", "127.0.0.1", 4711)


def channel(name="adt", path="/adt", credential="feed", takes="messages", **options):
    way = HttpSource(path=path, credential=credential, takes=takes)
    return Channel(name=name, source=Source(http=way, hl7=Hl7Options(**options)))


class Bench:
    """The listener with one channel; ``options`` are those of `channel`."""

    def __init__(
        self,
        bind="127.0.0.1:8088",
        *,
        at_once=True,
        max_bytes=MAX_BYTES,
        **options,
    ):
        self.reactor = MemoryReactorClock()
        self.journal, self.notes = FakeJournal(at_once=at_once), Notes()
        sockets = cast("IReactorTCP", self.reactor)
        self.web = Web(bind, CREDENTIALS, sockets, max_bytes)
        self.options = options
        self.now = NOON

    def intake(self, wanted):
        outcomes = Outcomes(lambda asked: succeed({}), self.reactor)
        return Intake(
            wanted,
            wanted.name,
            self.journal,
            lambda: self.now,
            lambda: "ID",
            self.notes,
            outcomes,
            lambda answer: False,
        )

    def post(self, body, *, path="/adt", method="POST", headers=SIGNED):
        """Return what comes back for one request, and keep the connection."""
        if not self.web.port:
            self.web.add(self.intake(channel(**self.options)))
        site = self.reactor.tcpServers[0][1]
        self.protocol = cast("HTTPChannel", site.buildProtocol(ADDRESS))
        self.wire = StringTransport()
        self.protocol.makeConnection(self.wire)
        size = f"Content-Length: {len(body)}"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}{size}"
        self.protocol.dataReceived(head.encode() + b"\r\n\r\n" + body)
        return self.wire.value()


def status(answer):
    return int(answer.split(b" ", 2)[1])
