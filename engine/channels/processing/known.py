"""How a resource lies in the store: its full URL beside it, as in a Bundle.

What is kept of a source record speaks of *the patient*, whoever that is: only reading
it for a person puts that person's Patient in. So a link or an unlink of records has
nothing to rewrite here.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.channels.processing.kept_times import timed, times_of, told_at
from engine.store.resources import KnownResource
from engine.transforms.fhir.bundle import read_json, refer_outside, write_json
from engine.transforms.fhir.keys import criteria, key
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.stamps import NEVER
from engine.transforms.fhir.update import Version

NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
PARTIES: Final = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Location"}
)
"""What messages only refer to; several persons share them."""

PATIENT: Final = "urn:interop:patient"
"""What kept resources call the Patient of their record."""

_QUOTED: Final = f'"{PATIENT}"'.encode()
_TARGET: Final = re.compile(rb'"reference":"(urn:uuid:[0-9a-f-]{36})"')


class Subject(NamedTuple):
    """The Patient of a person: full URL, and the query that finds it on a server."""

    url: str = ""
    criteria: str = ""

    @property
    def found_by(self) -> Mapping[str, str]:
        """The conditional reference that stands for the URL outside of a Bundle."""
        return {self.url: f"Patient?{self.criteria}"} if self.url else NOBODY


NO_ONE: Final = Subject()


def subject_of(site: str, system: str, person: str) -> Subject:
    """Return the Patient that an enterprise identifier has."""
    url = "urn:uuid:" + key(site, "Patient", system, person)
    return Subject(url, criteria(system, person))


def patient_key(record: int) -> tuple[str, str]:
    """Return the key of what one source record said of the Patient."""
    return "Patient", f"record={record}"


def is_update(entry: Entry) -> bool:
    """Whether an entry updates something that later messages speak of again.

    What was made from MSH belongs to its message alone.
    """
    return entry.method == "PUT" and bool(entry.criteria) and entry.segment != 0


class Kept(NamedTuple):
    """The latest version of a resource; never changed in place, because it is shared.

    ``found_by`` holds, for full URLs it refers to, the conditional references that find
    the same things when they are not in the Bundle. ``update`` is the JSON of the last
    update applied to it, where that is remembered: the same again changes nothing.
    ``content`` names no person; everything else is as for ``subject``.
    """

    full_url: str
    version: Version
    found_by: Mapping[str, str]
    content: bytes
    targets: frozenset[str]
    update: bytes = b""
    subject: Subject = NO_ONE
    record: int = 0

    @property
    def resource(self) -> Element:
        """The resource itself."""
        return self.version.resource

    @property
    def source_time(self) -> datetime | None:
        """When the source said the latest of it; None where it gave no time."""
        return told_at(self.version.latest)

    def at(self, source_time: datetime | None) -> "Kept":
        """Return the same as said at another time."""
        was = self.version
        latest = was.latest._replace(at=source_time or NEVER)
        return self._replace(
            version=Version(was.resource, latest, was.others, was.past)
        )


def closed(
    full_url: str,
    version: Version,
    found_by: Mapping[str, str] = NOBODY,
    subject: Subject = NO_ONE,
    record: int = 0,
) -> Kept:
    """Return a version as it is to be kept, with what finds its references."""
    body = write_json(version.resource)
    targets = targets_of(body)
    outside = {each: found_by[each] for each in targets if each in found_by}
    beside = outside
    kept_url = full_url
    if subject.url:
        beside = {each: query for each, query in outside.items() if each != subject.url}
        body = body.replace(f'"{subject.url}"'.encode(), _QUOTED)
        kept_url = PATIENT if full_url == subject.url else full_url
    head = write_json({"fullUrl": kept_url, "found_by": beside, **times_of(version)})
    content = head[:-1] + b',"resource":' + body + b"}"
    return Kept(full_url, version, outside, content, targets, b"", subject, record)


def opened(known: "KnownResource | Kept", subject: Subject = NO_ONE) -> Kept:
    """Return what `closed` made, as it is for this person."""
    body = known.content
    if subject.url:
        body = body.replace(_QUOTED, f'"{subject.url}"'.encode())
    content = read_json(body)
    resource, found_by = content["resource"], content["found_by"]
    assert isinstance(resource, dict)
    assert isinstance(found_by, dict)
    return Kept(
        str(content["fullUrl"]),
        timed(resource, content, known.source_time),
        {**found_by, **subject.found_by},
        known.content,
        targets_of(body),
        b"",
        subject,
        known.record,
    )


def outward(
    resource: Element, versions: Iterable[Kept], here: Mapping[str, str]
) -> Element:
    """Return a resource as it is sent: it refers to others, or to what finds them.

    Args:
        resource: made of kept versions; not changed.
        versions: what it is made of.
        here: full URLs of the Bundle it goes into, with what finds each of them.
    """
    versions = list(versions)
    targets = frozenset().union(*(each.targets for each in versions))
    if targets <= here.keys():
        return resource
    outside: dict[str, str] = {}
    for each in versions:
        outside |= each.found_by
    outside |= here
    if any(each not in here and each in outside for each in targets):
        resource = read_json(write_json(resource))  # the kept one is shared
        refer_outside(resource, outside, set(here))
    return resource


def targets_of(content: bytes) -> frozenset[str]:
    """Return the full URLs that a resource refers to."""
    return frozenset(found.decode() for found in _TARGET.findall(content))


def party(entry: Entry) -> KnownResource:
    """Return a party as it is kept: by full URL, since several persons share it."""
    kept = closed(entry.full_url, Version(entry.resource))
    return KnownResource(entry.kind, entry.full_url, kept.content)
