"""TLS profiles of the site as Twisted wants them: TLS 1.2 and 1.3, pinned authorities.

Spec:
    security.md S14 and S15.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    AcceptableCiphers,
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    trustRootFromCertificates,
)

from engine.errors import ConfigurationError

if TYPE_CHECKING:
    from twisted.internet._sslverify import IOpenSSLTrustRoot

CIPHERS: Final = AcceptableCiphers.fromOpenSSLCipherString(  # type: ignore[no-untyped-call]
    "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
)
_CHECK_REVOCATION: Final = 0x4 | 0x8
"""X509_V_FLAG_CRL_CHECK and X509_V_FLAG_CRL_CHECK_ALL."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One ``[tls.NAME]`` of ``interop.toml``; file names, empty where not given.

    ``peers`` are the names (SAN or subject) that may connect; empty means every
    certificate that ``ca`` issued.
    """

    name: str
    certificate: str = ""
    key: str = ""
    ca: str = ""
    peers: frozenset[str] = frozenset()
    crl: str = ""


SYSTEM: Final = Profile("system")


def profiles_of(tables: Mapping[str, Mapping[str, object]]) -> dict[str, Profile]:
    """Return the profiles that ``interop.toml`` defines, and ``system``."""
    found = {SYSTEM.name: SYSTEM}
    for name, table in tables.items():
        peers = table.get("peers")
        found[name] = Profile(
            name,
            certificate=str(table.get("certificate", "")),
            key=str(table.get("key", "")),
            ca=str(table.get("ca", "")),
            peers=frozenset(
                map(str, peers if isinstance(peers, (list, tuple)) else ())
            ),
            crl=str(table.get("crl", "")),
        )
    return found


def server_options(profile: Profile) -> CertificateOptions:
    """Return how a listener proves itself, and whom it asks for a certificate.

    Raises:
        ConfigurationError: a file is missing or does not hold what it should.
    """
    own = _own(profile)
    options = CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        trustRoot=_authorities(profile) if profile.ca else None,
        raiseMinimumTo=TLSVersion.TLSv1_2,
        acceptableCiphers=CIPHERS,
    )
    _refuse_revoked(options.getContext(), profile)
    return options


def client_options(profile: Profile, host: str) -> IOpenSSLClientConnectionCreator:
    """Return how a sender proves itself, and whom it takes for ``host``.

    Raises:
        ConfigurationError: a file is missing or does not hold what it should.
    """
    extra = {"acceptableCiphers": CIPHERS, "raiseMinimumTo": TLSVersion.TLSv1_2}
    return optionsForClientTLS(
        host,
        trustRoot=_authorities(profile) if profile.ca else None,
        clientCertificate=_own(profile) if profile.certificate else None,
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


def expiry(profile: Profile) -> datetime | None:
    """Return when the profile's own certificate ends; None when it has none to read."""
    if not profile.certificate:
        return None
    try:
        text = _read(profile, profile.certificate)
        return x509.load_pem_x509_certificate(text).not_valid_after_utc
    except (ConfigurationError, ValueError):
        return None


def _own(profile: Profile) -> PrivateCertificate:
    if not profile.certificate:
        raise ConfigurationError(f"tls profile {profile.name} has no certificate")
    text = _read(profile, profile.certificate)
    if profile.key:
        text += b"\n" + _read(profile, profile.key)
    try:
        own: PrivateCertificate = PrivateCertificate.loadPEM(text)  # type: ignore[no-untyped-call]
    except (crypto.Error, SSL.Error):
        raise ConfigurationError(
            f"tls profile {profile.name}: {profile.certificate} does not hold a "
            "certificate and its key"
        ) from None
    return own


def _authorities(profile: Profile) -> "IOpenSSLTrustRoot":
    text = _read(profile, profile.ca).decode("ascii", "replace")
    mark = "-----END CERTIFICATE-----"
    parts = [part + mark for part in text.split(mark) if "-----BEGIN" in part]
    trusted: list[Certificate] = []
    with suppress(crypto.Error):
        trusted = [Certificate.loadPEM(part.encode()) for part in parts]
    if not trusted:
        raise ConfigurationError(
            f"tls profile {profile.name}: {profile.ca} holds no certificates"
        )
    root: IOpenSSLTrustRoot = trustRootFromCertificates(trusted)  # type: ignore[no-untyped-call]
    return root


def _refuse_revoked(context: SSL.Context, profile: Profile) -> None:
    """Add the revocation list to what every handshake is checked against."""
    if not profile.crl:
        return
    store = context.get_cert_store()
    assert store is not None
    store.add_crl(x509.load_pem_x509_crl(_read(profile, profile.crl)))
    store.set_flags(_CHECK_REVOCATION)


def _read(profile: Profile, name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"tls profile {profile.name}: {name} cannot be read ({error.strerror})"
        ) from None
