"""TLS as Twisted wants it: TLS 1.2 and 1.3, pinned authorities, files read anew.

Spec:
    security.md S14 and S15.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
)
from twisted.internet.ssl import (
    AcceptableCiphers,
    CertificateOptions,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
)
from zope.interface import implementer

from engine.channels.certificates import Profile, revocation_lists
from engine.errors import ConfigurationError

CIPHERS: Final = AcceptableCiphers.fromOpenSSLCipherString(  # type: ignore[no-untyped-call]
    "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
)
_CHECK_REVOCATION: Final = 0x4 | 0x8
"""X509_V_FLAG_CRL_CHECK and X509_V_FLAG_CRL_CHECK_ALL."""

_log = structlog.get_logger()
Made = TypeVar("Made")


def server_options(profile: Profile) -> CertificateOptions:
    """Return how a listener proves itself, and whom it asks for a certificate.

    Raises:
        ConfigurationError: a file is missing or does not hold what it should.
    """
    own, chain = _own(profile)
    _require_authority(profile)
    return CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        extraCertChain=chain,
        trustRoot=_Trust(profile) if profile.ca else None,
        raiseMinimumTo=TLSVersion.TLSv1_2,
        acceptableCiphers=CIPHERS,
    )


def client_options(profile: Profile, host: str) -> IOpenSSLClientConnectionCreator:
    """Return how a sender proves itself, and whom it takes for ``host``.

    Raises:
        ConfigurationError: a file is missing or does not hold what it should.
    """
    _require_authority(profile)
    extra: dict[str, object] = {
        "acceptableCiphers": CIPHERS,
        "raiseMinimumTo": TLSVersion.TLSv1_2,
    }
    own = None
    if profile.certificate:
        own, extra["extraCertChain"] = _own(profile)
    return optionsForClientTLS(
        host,
        trustRoot=_Trust(profile) if profile.ca else None,
        clientCertificate=own,
        extraCertificateOptions=extra,
    )


def names_of(certificate: crypto.X509) -> list[str]:
    """Return the names a certificate stands for: its SANs, then its common name."""
    read = certificate.to_cryptography()
    names = [
        name.value for name in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
    try:
        sans = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return [str(name) for name in names]
    values = [str(name.value) for name in sans.value]
    return [*values, *(str(name) for name in names)]


# ---- what is in use, and is read again when its files change


@dataclass(slots=True)
class _Use(Generic[Made]):
    """What was made of a profile's files as they were."""

    profile: Profile
    make: Callable[[], Made]
    made: Made = field(init=False)
    stamp: object = field(init=False)

    def __post_init__(self) -> None:
        self.stamp = self.profile.stamp()
        self.made = self.make()

    def renew(self) -> bool:
        """Make it anew if the files are others now; tell whether it did.

        Raises:
            ConfigurationError: they are not in order; the last good ones stay.
        """
        now = self.profile.stamp()
        if now == self.stamp:
            return False
        self.made = self.make()
        self.stamp = now
        return True


@implementer(IOpenSSLContextFactory)
class ServerSide:
    """A listener's side of a profile: each connection gets what is current."""

    def __init__(self, use: _Use[CertificateOptions]) -> None:
        self._use = use

    def getContext(self) -> SSL.Context:  # noqa: N802 - zope's name
        """Return the context for one new connection."""
        return self._use.made.getContext()


class Identities:
    """The node's TLS profiles in use.

    New connections get what the files hold now; open ones keep what they began with.
    Files that are not in order change nothing: the last good ones stay in force.

    Attributes:
        profiles: by name.
        problems: why a profile's new files were not taken, by profile.
    """

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = profiles
        self.problems: dict[str, str] = {}
        self._servers: dict[str, _Use[CertificateOptions]] = {}
        self._clients: dict[tuple[str, str], _Use[IOpenSSLClientConnectionCreator]] = {}

    def server(self, name: str) -> ServerSide:
        """Return the listener's side of a profile.

        Raises:
            ConfigurationError: there is no such profile, or it is not in order.
        """
        profile = self._profile(name)
        if name not in self._servers:
            self._servers[name] = _Use(profile, lambda: server_options(profile))
        return ServerSide(self._servers[name])

    def client(self, name: str, host: str) -> IOpenSSLClientConnectionCreator:
        """Return the sender's side of a profile, towards one host, as it is now.

        Raises:
            ConfigurationError: there is no such profile, or it is not in order.
        """
        profile = self._profile(name)
        use = self._clients.get((name, host))
        if use is None:
            use = _Use(profile, lambda: client_options(profile, host))
            self._clients[name, host] = use
        return use.made

    def _profile(self, name: str) -> Profile:
        try:
            return self.profiles[name]
        except KeyError:
            raise ConfigurationError(f"there is no tls profile {name}") from None

    def refresh(self) -> None:
        """Take files that have changed; call it now and then, off the reactor."""
        problems: dict[str, str] = {}
        renewed = set()
        sides: list[_Use[CertificateOptions] | _Use[IOpenSSLClientConnectionCreator]]
        sides = [*self._servers.values(), *self._clients.values()]
        for side in sides:
            name = side.profile.name
            try:
                if side.renew():
                    renewed.add(name)
            except ConfigurationError as error:
                problems[name] = str(error)
        for name in sorted(renewed):
            _log.info("tls_reloaded", profile=name)
        for name, reason in problems.items():
            if self.problems.get(name) != reason:
                _log.error("tls_not_reloaded", profile=name, reason=reason)
        self.problems = problems


# ---- reading the files


def _require_authority(profile: Profile) -> None:
    """Refuse what would look as if it were checked, and is not."""
    if not profile.ca and (profile.peers or profile.crl):
        raise ConfigurationError(
            f"tls profile {profile.name} has peers or a crl, but no ca: "
            "without one no certificate is asked for"
        )


def _own(profile: Profile) -> tuple[PrivateCertificate, list[crypto.X509]]:
    """Return the own certificate with its key, and the chain that follows it."""
    if not profile.certificate:
        raise ConfigurationError(f"tls profile {profile.name} has no certificate")
    text = profile.read(profile.certificate)
    certificates = text
    if profile.key:
        text += b"\n" + profile.read(profile.key)
    try:
        own: PrivateCertificate = PrivateCertificate.loadPEM(text)  # type: ignore[no-untyped-call]
        chain = x509.load_pem_x509_certificates(certificates)[1:]
        _require_pair(own)
    except (crypto.Error, SSL.Error, ValueError):
        raise ConfigurationError(
            f"tls profile {profile.name}: {profile.certificate} does not hold a "
            "certificate and its key"
        ) from None
    return own, [crypto.X509.from_cryptography(each) for each in chain]


def _require_pair(own: PrivateCertificate) -> None:
    """Refuse a certificate whose key is another's, as when only one was replaced."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(own.original)
    context.use_privatekey(own.privateKey.original)
    context.check_privatekey()


@implementer(IOpenSSLTrustRoot)
class _Trust:
    """The authorities of a profile, and what they have revoked since."""

    def __init__(self, profile: Profile) -> None:
        self._authorities = _authorities(profile)
        self._revoked = _revoked(profile)

    def _addCACertsToContext(self, context: SSL.Context) -> None:  # noqa: N802 - Twisted's name
        """Have every handshake of this context checked against both."""
        store = context.get_cert_store()
        assert store is not None
        for authority in self._authorities:
            store.add_cert(authority)
        for each in self._revoked:
            store.add_crl(each)
        if self._revoked:
            store.set_flags(_CHECK_REVOCATION)


def _authorities(profile: Profile) -> list[crypto.X509]:
    try:
        found = x509.load_pem_x509_certificates(profile.read(profile.ca))
    except ValueError:
        raise ConfigurationError(
            f"tls profile {profile.name}: {profile.ca} holds no certificates"
        ) from None
    return [crypto.X509.from_cryptography(each) for each in found]


def _revoked(profile: Profile) -> list[x509.CertificateRevocationList]:
    if not profile.crl:
        return []
    try:
        return revocation_lists(profile.read(profile.crl))
    except ValueError:
        raise ConfigurationError(
            f"tls profile {profile.name}: {profile.crl} does not hold a revocation list"
        ) from None
