"""TLS on both sides, in memory: who may speak, and who must not."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient
from typing_extensions import override
from zope.interface import implementer

from engine.channels.certificates import (
    Profile,
    client_context,
    ends_of,
    profiles_of,
)
from engine.channels.dial import tls_failure
from engine.channels.tls import client_options, names_of, server_options
from engine.errors import ConfigurationError, CredentialsError
from tests.certificates import BEGIN, LONG, Authority

CLOCK = Clock()
NO_REASON = Failure(ConnectionError())
pytestmark = pytest.mark.filterwarnings(  # Twisted still hands over the older objects
    "ignore:Passing pyOpenSSL:DeprecationWarning"
)


@implementer(IHandshakeListener)
class Talker(Protocol):
    """Says something once the handshake is done; remembers what it hears."""

    def __init__(self):
        self.heard, self.shaken, self.reason, self.names = b"", False, None, []

    transport: ISSLTransport

    def handshakeCompleted(self):
        self.shaken = True
        certificate = self.transport.getPeerCertificate()
        self.names = names_of(certificate) if isinstance(certificate, X509) else []
        self.transport.write(b"hello")

    @override
    def dataReceived(self, data):
        self.heard += data

    @override
    def connectionLost(self, reason=NO_REASON):
        self.reason = reason


def wrapped(options, *, client):
    inner = Factory.forProtocol(Talker)
    return TLSMemoryBIOFactory(options, client, inner, CLOCK).buildProtocol(None)


def pump_all(here, there):
    _, _, pump = connectedServerAndClient(lambda: here, lambda: there)
    for _ in range(20):
        CLOCK.advance(1)  # small writes leave together, a moment later
        pump.pump()


def converse(server, client, host="his.test"):
    """Connect two profiles; return both talkers."""
    here = wrapped(server_options(server), client=False)
    there = wrapped(client_options(client, host), client=True)
    talkers = here.wrappedProtocol, there.wrappedProtocol
    pump_all(here, there)
    return talkers


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def server(authority):
    file, _ = authority.issue("his.test")
    return Profile("server", certificate=file, ca=authority.file)


def client(authority, name="sender.test", **more):
    file, certificate = authority.issue(name, **more)
    return Profile("client", certificate=file, ca=authority.file), certificate


def test_peers_of_one_authority_know_each_other_by_name(authority, server):
    here, there = converse(server, client(authority)[0])

    assert here.names[0] == "sender.test"
    assert (here.heard, there.heard) == (b"hello", b"hello")


def test_a_peer_without_a_certificate_says_nothing(authority, server):
    here, _ = converse(server, Profile("client", ca=authority.file))

    assert (here.heard, here.shaken) == (b"", False)


def test_a_peer_of_another_authority_says_nothing(authority, server, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    profile, _ = client(stranger)

    here, _ = converse(server, Profile("c", profile.certificate, ca=authority.file))

    assert here.heard == b""


def test_an_expired_certificate_says_nothing(authority, server):
    profile, _ = client(authority, until=datetime(2021, 1, 1, tzinfo=UTC))

    here, _ = converse(server, profile)

    assert here.heard == b""


def test_a_revoked_certificate_says_nothing(authority, server):
    profile, certificate = client(authority)
    crl = authority.revoke(certificate)
    strict = Profile("server", server.certificate, ca=server.ca, crl=crl)

    here, _ = converse(strict, profile)

    assert here.heard == b""


def test_a_receiver_with_another_name_is_never_talked_to(authority, server):
    here, there = converse(server, client(authority)[0], host="other.test")

    assert (here.heard, there.heard) == (b"", b"")
    assert isinstance(tls_failure(there.reason), CredentialsError)


def test_a_receiver_of_another_authority_is_never_talked_to(tmp_path, server):
    stranger = Authority(tmp_path, "stranger")

    here, there = converse(server, client(stranger)[0])

    assert here.heard == b""
    assert isinstance(tls_failure(there.reason), CredentialsError)


@implementer(IOpenSSLClientConnectionCreator)
class OldClient:
    """Speaks TLS 1.1 at most."""

    def clientConnectionForTLS(self, protocol):
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        return SSL.Connection(context, None)


def test_old_versions_are_not_spoken(server):
    here = wrapped(server_options(server), client=False)
    there, talker = wrapped(OldClient(), client=True), here.wrappedProtocol

    pump_all(here, there)

    assert not talker.shaken


@pytest.mark.parametrize(
    "profile",
    [
        Profile("x"),
        Profile("x", certificate="/missing.pem"),
        Profile("x", certificate="{authority}"),
        Profile("x", certificate="{own}", ca="/dev/null", key="/dev/null"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_with_its_name(profile, authority):
    file, _ = authority.issue("his.test")
    given = profile.certificate.replace("{own}", file)
    given = given.replace("{authority}", authority.file)

    with pytest.raises(ConfigurationError, match="profile x"):
        server_options(Profile("x", given, profile.key, profile.ca or authority.file))


def test_profiles_come_from_the_settings_with_files_beside_them():
    told = {"his": {"certificate": "tls/a.pem", "peers": ["x", "y"]}, "odd": "text"}

    found = profiles_of(told, Path("/etc/interop"))

    assert set(found) == {"system", "his"}
    assert found["his"].certificate == "/etc/interop/tls/a.pem"
    assert sorted(found["his"].peers) == ["x", "y"]
    assert found["his"].key == ""


@pytest.mark.parametrize("given", [{"peers": frozenset({"x"})}, {"crl": "crl.pem"}])
def test_what_would_be_checked_by_nobody_is_refused(authority, given):
    file, _ = authority.issue("his.test")
    profile = Profile("x", certificate=file, **given)

    with pytest.raises(ConfigurationError, match="no ca"):
        server_options(profile)
    with pytest.raises(ConfigurationError, match="no ca"):
        client_options(profile, "his.test")


def test_every_end_of_a_profile_is_known(authority):
    until = datetime(2031, 5, 6, tzinfo=UTC)
    file, certificate = authority.issue("his.test", until=until)
    crl = authority.revoke(certificate)

    found = {
        end.what: end.ends for end in ends_of(Profile("x", file, "", file, crl=crl))
    }

    assert found == {
        "certificate": until,
        "authority": until,
        "revocation list": BEGIN + LONG,
    }
    assert list(ends_of(Profile("x"))) == []


def standard_handshake(client, certificate):
    """Shake hands in memory with the standard library on both sides."""
    there = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    there.load_cert_chain(certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(down, up, server_hostname="his.test"),
        there.wrap_bio(up, down, server_side=True),
    ]
    for side in sides * 3:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return sides[0].version()


def test_a_command_sends_with_the_same_profiles(authority):
    file, certificate = authority.issue("his.test")
    nobody = authority.revoke(authority.issue("nobody.test")[1])
    profile = Profile("x", file, ca=authority.file, crl=nobody)

    assert standard_handshake(client_context(profile), file) == "TLSv1.3"
    authority.revoke(certificate)
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        standard_handshake(client_context(profile), file)
    with pytest.raises(ConfigurationError, match="profile x"):
        client_context(Profile("x", "/missing.pem"))
