"""Locations: one for each level of a PL, each part of the one above."""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Pl
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    assigner,
    code,
    coded,
    entity_identifier,
    plain,
    put,
)
from engine.transforms.fhir.feed import Feed
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party, own_party
from engine.transforms.fhir.mapped import Element, Entry, Party
from engine.transforms.fhir.systems import HL7, local_system

_PHYSICAL: Final = HL7 + "location-physical-type"
_BED_STATUS: Final = HL7 + "v2-0116"
_LOCATION_TYPE: Final = HL7 + "v2-0305"
_SLEEPS: Final = (3, 2)
"""PL components that are a bed or a room."""


def place(
    conversion: Conversion, node: Node, source: Repetition, bed_status: str = ""
) -> Entry | None:
    """Return the lowest Location of a PL; the levels above it are added too.

    The identifier of a level is the path to it, so bed 1 of two wards are two beds.

    Spec:
        HL7 v2-to-FHIR 1.0.0, data type map PL[Location]; fhir.md T34.

    Args:
        conversion: the message on its way.
        node: the segment that names the place.
        source: one repetition of PL.
        bed_status: PV1-40, for a place that is a room or a bed.
    """
    found = conversion.feed.recall("PL", source, _levels)
    entry = conversion.add_parties(node, found)
    if entry is not None and code(bed_status) and any(map(source.text, _SLEEPS)):
        status = {"system": _BED_STATUS, "code": code(bed_status)}
        entry.enrich("operationalStatus", status)
    return entry


def _levels(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Pl.of(source)
    levels = (
        ("si", plain(value.facility.namespace) or value.facility.universal_id),
        ("bu", value.building),
        ("lvl", value.floor),
        ("wa", value.point_of_care),
        ("ro", value.room),
        ("bd", value.bed),
    )
    named = [(kind, name) for kind, text in levels if (name := plain(text))]
    if not named:
        return _described(feed, value)
    system = local_system(feed.site, feed.sender, "locations")
    authority = assigner(value.assigning_authority)
    found: list[Party] = []
    path = ""
    for depth, (kind, name) in enumerate(named, 1):
        path = f"{path}/{name}" if path else name
        one: Element = {"system": system, "value": path}
        put(one, "assigner", authority)
        resource: Element = {
            "resourceType": "Location",
            "identifier": [one],
            "name": name,
            "mode": "instance",
            "physicalType": coded(_PHYSICAL, kind),
        }
        if found:
            resource["partOf"] = {"reference": found[-1].full_url}
        if depth == len(named):
            _add_details(feed, resource, value)
        found.append(named_party(feed.site, resource, one))
    return tuple(found)


def _add_details(feed: Feed, resource: Element, value: Pl) -> None:
    """Add what a PL says about its lowest level."""
    put(resource, "description", plain(value.description))
    if kind := code(value.location_type):
        resource["type"] = [coded(_LOCATION_TYPE, kind)]
    if one := entity_identifier(feed, value.identifier):
        append(resource, "identifier", one)


def _described(feed: Feed, value: Pl) -> tuple[Party, ...]:
    """Return a place known only by its description or identifier."""
    resource: Element = {"resourceType": "Location", "mode": "instance"}
    _add_details(feed, resource, value)
    put(resource, "name", plain(value.description))
    known = resource.get("identifier")
    if isinstance(known, list):
        return (named_party(feed.site, resource, known[0]),)
    if "name" not in resource:
        return ()
    return (own_party(feed.site, resource, str(resource["name"])),)
