"""Locations: one for each level of a PL, each part of the one above."""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Pl
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    assigner,
    code,
    coded,
    entity_identifier,
    plain,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.systems import HL7, local_system

_PHYSICAL: Final = HL7 + "location-physical-type"
_BED_STATUS: Final = HL7 + "v2-0116"
_LOCATION_TYPE: Final = HL7 + "v2-0305"


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
    value = Pl.of(source)
    levels = (
        ("si", value.facility.namespace or value.facility.universal_id),
        ("bu", value.building),
        ("lvl", value.floor),
        ("wa", value.point_of_care),
        ("ro", value.room),
        ("bd", value.bed),
    )
    named = [(kind, plain(name)) for kind, name in levels if plain(name)]
    if not named:
        return _described(conversion, node, value)
    feed = conversion.feed
    system = local_system(feed.site, feed.sender, "locations")
    authority = assigner(value.assigning_authority)
    assigned: Element = {"assigner": authority} if authority else {}
    above: Entry | None = None
    path = ""
    for depth, (kind, name) in enumerate(named, 1):
        path = f"{path}/{name}" if path else name
        resource: Element = {
            "resourceType": "Location",
            "identifier": [{"system": system, "value": path, **assigned}],
            "name": name,
            "mode": "instance",
            "physicalType": coded(_PHYSICAL, kind),
        }
        if above is not None:
            resource["partOf"] = above.reference
        if depth == len(named):
            _add_details(conversion, resource, value)
            if bed_status and kind in ("ro", "bd"):
                status = code(bed_status)
                resource["operationalStatus"] = {"system": _BED_STATUS, "code": status}
        above = conversion.party(node, resource, system, path)
    return above


def _add_details(conversion: Conversion, resource: Element, value: Pl) -> None:
    """Add what a PL says about its lowest level."""
    put(resource, "description", plain(value.description))
    if value.location_type:
        resource["type"] = [coded(_LOCATION_TYPE, code(value.location_type))]
    one = entity_identifier(conversion.feed, value.identifier)
    known = resource.get("identifier")
    if one and isinstance(known, list):
        known.append(one)


def _described(conversion: Conversion, node: Node, value: Pl) -> Entry | None:
    """Return a place known only by its description or identifier."""
    resource: Element = {"resourceType": "Location", "mode": "instance"}
    _add_details(conversion, resource, value)
    put(resource, "name", plain(value.description))
    one = entity_identifier(conversion.feed, value.identifier)
    if one:
        resource["identifier"] = [one]
        system, number = str(one["system"]), str(one["value"])
        return conversion.party(node, resource, system, number)
    if not value.description.strip():
        return None
    return conversion.party_own(node, resource, value.description)
