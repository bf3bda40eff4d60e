"""security.md S14, S15: who is let in, who is spoken to, and files that change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import connectedServerAndClient

from engine.channels.certificates import Profile
from engine.channels.destinations import Document
from engine.channels.destinations.mllp import MllpSender
from engine.channels.format.endpoints import MllpDestination
from engine.channels.listeners import MllpFactory
from engine.channels.retry import FailureClass, class_of
from engine.channels.tls import Identities
from engine.channels.tls_watch import Watch
from engine.errors import DeliveryError
from tests.certificates import Authority
from tests.fakes import NOON, ends_of
from tests.listening import Peer, adt

PAST, FUTURE = datetime(2021, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings(  # Twisted still hands over the older objects
    "ignore:Passing pyOpenSSL:DeprecationWarning"
)
CASES = ["right", "expired", "not yet valid", "wrong name", "unknown authority"]
CASES += ["revoked", "self-signed", "none"]


class Site:
    """A listener and a sender, each with a profile, and the wire between them."""

    def __init__(self, folder):
        self.clock = Clock()
        self.authority, self.stranger = Authority(folder), Authority(folder, "stranger")
        self.crl = self.authority.revoke(self.authority.issue("nobody.test")[1])

    def certificate(self, case, name):
        """Return the file of a certificate that is wrong in one way, or None."""
        if case == "none":
            return ""
        issuer = self.stranger if case == "unknown authority" else self.authority
        if case == "self-signed":
            return Authority(issuer.folder, "self").issue("self")[0]
        dates = {"expired": {"until": PAST}, "not yet valid": {"since": FUTURE}}
        called = "other.test" if case == "wrong name" else name
        file, made = issuer.issue(called, **dates.get(case, {}))
        if case == "revoked":
            self.crl = self.authority.revoke(made)
        return file

    def listener(self, certificate, peers=("sender.test",)):
        return Profile("in", certificate, peers=frozenset(peers))

    def converse(self, listening, sending, host="his.test"):
        """Send one message; return what the journal got, and how the send ended."""
        crl = {"ca": self.authority.file, "crl": self.crl}
        here = Identities({"in": replace(listening, **crl)})
        there = Identities({"out": Profile("out", sending, **crl)})
        peer = Peer()
        factory = MllpFactory(
            peer.factory._intake, self.clock, peer.factory._places,
            here.profiles["in"].peers,
        )  # fmt: skip
        outer = TLSMemoryBIOFactory(here.server("in"), False, factory, self.clock)
        server = outer.buildProtocol(IPv4Address("TCP", "10.0.0.1", 4000))
        made = []

        def connect(inner):
            tls = there.client("out", host)
            outer = TLSMemoryBIOFactory(tls, True, inner, self.clock)
            made.append(outer.buildProtocol(None))
            return succeed(made[0].wrappedProtocol)

        way = MllpDestination(host=host, port=1, tls="out")
        sender = MllpSender(connect, way, self.clock)
        ends = ends_of(sender.send(Document(adt())))
        _, _, pump = connectedServerAndClient(lambda: server, lambda: made[0])
        for _ in range(20):
            self.clock.advance(0.2)  # small writes leave together, a moment later
            pump.pump()
        return peer.journalled, ends[0] if ends else None


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_S15_only_the_right_certificate_gets_a_byte_to_the_parser(site, case):
    sending = site.certificate(case, "sender.test")

    journalled, end = site.converse(
        site.listener(site.certificate("right", "his.test")), sending
    )

    if case == "right":
        assert journalled == [adt()]
        assert b"MSA|AA|M1" in end.answer
    else:
        assert journalled == []


@pytest.mark.parametrize("case", CASES[1:-1])
def test_S15_a_receiver_that_cannot_prove_itself_gets_nothing(site, case):
    receiving = site.certificate(case, "his.test")

    journalled, end = site.converse(
        site.listener(receiving), site.certificate("right", "sender.test")
    )

    assert journalled == []
    assert isinstance(end.value, DeliveryError)
    assert class_of(end.value) is FailureClass.CREDENTIALS


def test_S15_new_files_are_taken_without_a_restart_and_broken_ones_are_not(site):
    file, _ = site.authority.issue("his.test")
    identities = Identities({"in": Profile("in", file, ca=site.authority.file)})
    side = identities.server("in")
    before = side.getContext()

    with capture_logs() as logs:
        Path(file).write_bytes(b"half a certificate")
        identities.refresh()
        kept, problems = side.getContext(), dict(identities.problems)
        site.authority.issue("his.test", until=FUTURE)  # the same file, whole
        identities.refresh()
        identities.refresh()

    assert (kept is before, list(problems)) == (True, ["in"])
    assert (side.getContext() is before, identities.problems) == (False, {})
    assert [each["event"] for each in logs] == ["tls_not_reloaded", "tls_reloaded"]


def test_S15_a_peer_revoked_since_is_not_let_in_again(site):
    listening = site.listener(site.certificate("right", "his.test"))
    sending, made = site.authority.issue("sender.test")
    journalled, _ = site.converse(listening, sending)

    site.crl = site.authority.revoke(made)
    after, _ = site.converse(listening, sending)

    assert (journalled, after) == ([adt()], [])


def test_S15_whoever_ends_soon_is_told_once_for_each_threshold(site):
    until = NOON + timedelta(days=31)
    file, _ = site.authority.issue("his.test", until=until)
    watch = Watch(Identities({"in": Profile("in", file), "no": Profile("no", "/no")}))

    with capture_logs() as logs:
        for days in (0, 0, 2, 18, 25, 30, 31.5, 32):
            watch.look(NOON + timedelta(days=days))

    told = [(each["event"], each["log_level"], each["days"]) for each in logs]
    assert told == [
        ("certificate_ends", "warning", 31),
        ("certificate_ends", "warning", 29),
        ("certificate_ends", "warning", 13),
        ("certificate_ends", "error", 6),
        ("certificate_ends", "error", 1),
        ("certificate_ended", "error", -1),
    ]
    assert watch.ends == {"in": until.isoformat()}
