"""How a resource lies in the store: its full URL beside it, as in a Bundle."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.store.resources import KnownResource
from engine.transforms.fhir.bundle import read_json, write_json
from engine.transforms.fhir.mapped import Element, Entry

NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
PARTIES: Final = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Location"}
)
"""What messages only refer to; several persons share them."""

_TARGET: Final = re.compile(rb'"reference":"(urn:uuid:[0-9a-f-]{36})"')


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
    """

    full_url: str
    resource: Element
    found_by: Mapping[str, str]
    content: bytes
    targets: frozenset[str]
    source_time: datetime | None = None
    update: bytes = b""

    def at(self, source_time: datetime | None) -> "Kept":
        """Return the same as said at another time."""
        return Kept(*self[:5], source_time, self.update)


def closed(entry: Entry, found_by: Mapping[str, str] = NOBODY) -> Kept:
    """Return a mapped resource as it is to be kept, with what finds its references."""
    body = write_json(entry.resource)
    targets = _targets(body)
    outside = {each: found_by[each] for each in targets if each in found_by}
    head = write_json({"fullUrl": entry.full_url, "found_by": outside})
    content = head[:-1] + b',"resource":' + body + b"}"
    return Kept(entry.full_url, entry.resource, outside, content, targets)


def opened(known: KnownResource) -> Kept:
    """Return what `closed` made."""
    content = read_json(known.content)
    resource, found_by = content["resource"], content["found_by"]
    assert isinstance(resource, dict)
    assert isinstance(found_by, dict)
    return Kept(
        str(content["fullUrl"]),
        resource,
        found_by,
        known.content,
        _targets(known.content),
        known.source_time,
    )


def _targets(content: bytes) -> frozenset[str]:
    return frozenset(found.decode() for found in _TARGET.findall(content))


def party(entry: Entry) -> KnownResource:
    """Return a party as it is kept: by full URL, since several persons share it."""
    return KnownResource(entry.kind, entry.full_url, closed(entry).content)
