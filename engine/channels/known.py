"""How a resource lies in the store: its full URL beside it, as in a Bundle."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import orjson

from engine.store.resources import KnownResource
from engine.transforms.fhir.bundle import read_json, references_in, write_json
from engine.transforms.fhir.mapped import Element, Entry

NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
PARTIES: Final = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Location"}
)
"""What messages only refer to; several persons share them."""


def is_update(entry: Entry) -> bool:
    """Whether an entry updates something that later messages speak of again.

    What was made from MSH belongs to its message alone.
    """
    return entry.method == "PUT" and bool(entry.criteria) and entry.segment != 0


class Opened(NamedTuple):
    """A resource and the full URL that others refer to it by."""

    full_url: str
    resource: Element


def closed(entry: Entry, found_by: Mapping[str, str] = NOBODY) -> bytes:
    """Return a mapped resource as it is kept.

    Beside it stands, for each full URL it refers to, the conditional reference of
    ``found_by`` that finds the same thing when it is not in the Bundle.
    """
    outside = {
        target: found_by[target]
        for reference in references_in(entry.resource)
        if (target := str(reference["reference"])) in found_by
    }
    kept: Element = {"fullUrl": entry.full_url, "resource": entry.resource}
    if outside:
        kept["found_by"] = outside
    return write_json(kept)


def opened(known: KnownResource) -> Opened:
    """Return what `closed` kept."""
    content = read_json(known.content)
    resource = content["resource"]
    assert isinstance(resource, dict)
    return Opened(str(content["fullUrl"]), resource)


def found_by(known: KnownResource) -> dict[str, str]:
    """Return how what a kept resource refers to is found outside its Bundle."""
    found = orjson.loads(known.content).get("found_by", {})
    assert isinstance(found, dict)
    return found


def party(entry: Entry) -> KnownResource:
    """Return a party as it is kept: by full URL, since several persons share it."""
    return KnownResource(entry.kind, entry.full_url, closed(entry))
