"""How a resource lies in the store: its full URL beside it, as in a Bundle."""

import re
from collections.abc import Mapping
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


class Opened(NamedTuple):
    """A resource, the full URL that others refer to it by, and what it refers to.

    ``found_by`` holds, for full URLs it refers to, the conditional references that find
    the same things when they are not in the Bundle.
    """

    full_url: str
    resource: Element
    found_by: Mapping[str, str]


class Closed(NamedTuple):
    """A resource as it is kept, and the full URLs it refers to."""

    content: bytes
    targets: frozenset[str]


def closed(entry: Entry, found_by: Mapping[str, str] = NOBODY) -> Closed:
    """Return a mapped resource as it is kept, with what finds its references."""
    body = write_json(entry.resource)
    targets = frozenset(found.decode() for found in _TARGET.findall(body))
    outside = {each: found_by[each] for each in targets if each in found_by}
    head = write_json({"fullUrl": entry.full_url, "found_by": outside})
    return Closed(head[:-1] + b',"resource":' + body + b"}", targets)


def opened(known: KnownResource) -> Opened:
    """Return what `closed` kept."""
    content = read_json(known.content)
    resource, found_by = content["resource"], content["found_by"]
    assert isinstance(resource, dict)
    assert isinstance(found_by, dict)
    return Opened(str(content["fullUrl"]), resource, found_by)


def party(entry: Entry) -> KnownResource:
    """Return a party as it is kept: by full URL, since several persons share it."""
    return KnownResource(entry.kind, entry.full_url, closed(entry).content)
