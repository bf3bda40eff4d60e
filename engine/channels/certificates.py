"""TLS profiles of the site, and how long what they name is still good.

Spec:
    security.md S15.
"""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from engine.errors import ConfigurationError

WARN_DAYS: Final = (60, 30, 14, 7, 1, 0)
"""A person hears of an end so many days before; 0 is the day it is too late."""


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

    @property
    def files(self) -> tuple[str, ...]:
        """The files it names."""
        named = (self.certificate, self.key, self.ca, self.crl)
        return tuple(name for name in named if name)

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Return what changes when one of the files is written or replaced."""
        found = []
        for name in self.files:
            try:
                stat = Path(name).stat()
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def read(self, name: str) -> bytes:
        """Return the content of one of its files.

        Raises:
            ConfigurationError: it cannot be read.
        """
        try:
            return Path(name).read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"tls profile {self.name}: {name} cannot be read ({error.strerror})"
            ) from None


SYSTEM: Final = Profile("system")


def profiles_of(
    tables: Mapping[str, object], folder: Path = Path()
) -> dict[str, Profile]:
    """Return ``system`` and the profiles of the ``interop.toml`` in ``folder``."""
    found = {SYSTEM.name: SYSTEM}
    for name, table in tables.items():
        if isinstance(table, Mapping):
            found[name] = _profile(name, table, folder)
    return found


def _profile(name: str, table: Mapping[str, object], folder: Path) -> Profile:
    peers = table.get("peers")

    def file(key: str) -> str:
        named = str(table.get(key, ""))
        return str(folder / named) if named else ""

    return Profile(
        name,
        certificate=file("certificate"),
        key=file("key"),
        ca=file("ca"),
        peers=frozenset(map(str, peers if isinstance(peers, (list, tuple)) else ())),
        crl=file("crl"),
    )


@dataclass(frozen=True, slots=True)
class End:
    """When something a profile names ends: the earliest of what its file holds."""

    profile: str
    what: str
    ends: datetime

    def days(self, now: datetime) -> int:
        """Return whole days left; negative when it has ended."""
        return (self.ends - now).days


def ends_of(profile: Profile) -> Iterator[End]:
    """Yield when the profile's certificate, authorities and revocation list end.

    Raises:
        ConfigurationError: a file cannot be read, or does not hold what it should.
    """
    readers = (
        ("certificate", profile.certificate, _first_end),
        ("authority", profile.ca, _first_end),
        ("revocation list", profile.crl, _next_update),
    )
    for what, name, read in readers:
        if name:
            try:
                ends = read(profile.read(name))
            except ValueError:
                raise ConfigurationError(
                    f"tls profile {profile.name}: {name} does not hold a {what}"
                ) from None
            if ends is not None:
                yield End(profile.name, what, ends)


def _first_end(text: bytes) -> datetime:
    read = x509.load_pem_x509_certificates(text)
    return min(each.not_valid_after_utc for each in read)


def _next_update(text: bytes) -> datetime | None:
    """Return when a list is too old: from then on nobody is let in by it."""
    ends = [each.next_update_utc for each in revocation_lists(text)]
    return min((end for end in ends if end is not None), default=None)


def revocation_lists(text: bytes) -> list[x509.CertificateRevocationList]:
    """Return the lists of a PEM file, one for each authority of a chain.

    Raises:
        ValueError: it holds none.
    """
    mark = b"-----END X509 CRL-----"
    parts = [part + mark for part in text.split(mark) if b"-----BEGIN" in part]
    if not parts:
        raise ValueError("no revocation list")
    return [x509.load_pem_x509_crl(part) for part in parts]


def threshold(days: int) -> int | None:
    """Return which warning so many days before the end are due for, if any.

    Examples:
        >>> [threshold(days) for days in (61, 60, 29, 1, -4)]
        [None, 60, 30, 1, 0]
    """
    return min((each for each in WARN_DAYS if days <= each), default=None)


def client_context(profile: Profile) -> ssl.SSLContext:
    """Return a context of the standard library for a sender with this profile.

    Raises:
        ConfigurationError: a file is missing or does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=profile.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if profile.certificate:
            context.load_cert_chain(profile.certificate, profile.key or None)
        if profile.crl:
            context.load_verify_locations(profile.crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    except OSError as error:
        raise ConfigurationError(
            f"tls profile {profile.name} cannot be used: {error}"
        ) from None
    return context
