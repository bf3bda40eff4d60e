"""How a resource lies in the store: its full URL beside it, as in a Bundle."""

from typing import Final, NamedTuple

import orjson

from engine.store.resources import KnownResource
from engine.transforms.fhir.bundle import write_json
from engine.transforms.fhir.mapped import Element, Entry

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


def closed(entry: Entry) -> bytes:
    """Return a mapped resource as it is kept."""
    return write_json({"fullUrl": entry.full_url, "resource": entry.resource})


def opened(known: KnownResource) -> Opened:
    """Return what `closed` kept."""
    content = orjson.loads(known.content)
    return Opened(content["fullUrl"], content["resource"])


def party(entry: Entry) -> KnownResource:
    """Return a party as it is kept: by full URL, since several persons share it."""
    return KnownResource(entry.kind, entry.full_url, closed(entry))
