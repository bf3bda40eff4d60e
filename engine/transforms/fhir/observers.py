"""Who observed, in OBX and in the PRT below it: people, devices, places, laboratories.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps OBX[Observation], PRT[Device],
    PRT[Observation-Location], PRT[PractitionerRole]; fhir.md D09.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    coded,
    entity_identifier,
    extension,
    plain,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party, own_party
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import address
from engine.transforms.fhir.parties import (
    organization,
    organization_of_code,
    practitioner,
    practitioners,
)
from engine.transforms.fhir.places import place
from engine.transforms.fhir.systems import HL7

_DEVICE_FIELDS: Final = (10, 16, 17, 18, 19, 20, 21, 22)


def observation_of(conversion: Conversion, prt: Node) -> Entry | None:
    """Return the Observation of the OBX a PRT follows."""
    owner = prt.parent
    if owner is None or owner.id != "OBX":
        return None
    for entry in conversion.mapped.all("Observation"):
        if entry.segment == owner.position:
            return entry
    return None


def map_observer(conversion: Conversion, prt: Node, seen: Entry) -> None:
    """Add device, place and organization of a PRT to the Observation it follows."""
    if (
        any(prt.has(field) for field in _DEVICE_FIELDS)
        and "device" not in seen.resource
    ):
        _add_device(conversion, prt, seen)
    where = _where(conversion, prt)
    if where is not None:
        prt.take(2)
        one = extension("event-location", "Reference", where.reference)
        append(seen.resource, "extension", one)
    if prt.has(8) and not prt.has(5):
        source = prt.first(8)
        firm = organization(conversion, prt, source) if source else None
        if firm is not None:
            prt.take(2)
            append(seen.resource, "performer", firm.reference)


def _add_device(conversion: Conversion, prt: Node, seen: Entry) -> None:
    """PRT-10 and 16 to 22: the device and what its label says."""
    resource: Element = {"resourceType": "Device"}
    source = prt.first(10) if prt.has(10) else None
    one = entity_identifier(conversion.feed, Ei.of(source)) if source else {}
    put(resource, "identifier", [one] if one else [])
    if label := conversion.string(prt, 16):
        resource["udiCarrier"] = [{"deviceIdentifier": label}]
    conversion.put_time(resource, "manufactureDate", prt, 17)
    conversion.put_time(resource, "expirationDate", prt, 18)
    for field, name in (
        (19, "lotNumber"), (20, "serialNumber"), (21, "distinctIdentifier"),
    ):  # fmt: skip
        put(resource, name, plain(prt.text(field)))
    conversion.put_concept(resource, "type", prt, 22)
    if resource.keys() == {"resourceType"}:
        return
    prt.take(2)
    if one:
        site = conversion.context.site
        device = conversion.party(prt, named_party(site, resource, one))
    else:
        device = conversion.add_own_party(prt, resource, str(resource))
    seen.resource["device"] = device.reference


def _where(conversion: Conversion, prt: Node) -> Entry | None:
    """Return the place of PRT-9, at the address of PRT-14."""
    source = prt.first(9) if prt.has(9) else None
    entry = place(conversion, prt, source) if source else None
    home = prt.first(14) if prt.has(14) and not prt.has(5) else None
    found = address(conversion.feed, home) if home else {}
    if entry is not None:
        entry.enrich("address", found)
    elif found:
        location: Element = {"resourceType": "Location", "mode": "instance"}
        location["address"] = found
        entry = conversion.add_own_party(prt, location, str(found))
    return entry


def performers(conversion: Conversion, node: Node) -> list[Element]:
    """Return who an OBX says made the observation: people, then laboratories."""
    found = practitioners(conversion, node, 16)
    producer = node.first(15) if node.has(15) else None
    if producer is not None:
        firm = organization_of_code(conversion, node, producer)
        found += [firm] if firm else []
    laboratory = _laboratory(conversion, node) if node.reaches(23) else None
    if node.has(25) and (source := node.first(25)):
        found += _director(conversion, node, source, laboratory)
    elif laboratory is not None:
        found.append(laboratory)
    references: list[Element] = []
    for entry in found:
        if (one := entry.mention()) not in references:
            references.append(one)
    return references


def _laboratory(conversion: Conversion, node: Node) -> Entry | None:
    """Return the Organization of OBX-23, at the address of OBX-24 (D09).

    Without OBX-23 it is known by its address alone.
    """
    place = node.first(24) if node.has(24) else None
    where = address(conversion.feed, place) if place else {}
    if not where:
        node.leave(24)
    source = node.first(23) if node.has(23) else None
    at: Element = {"resourceType": "Organization", "address": [where]}
    detail = ("address", [where] if where else [])
    entry = organization(conversion, node, source, detail) if source else None
    if entry is None and where:
        entry = conversion.add_own_party(node, at, "performing", node.segment.raw(24))
    return entry


def _director(
    conversion: Conversion, node: Node, source: Repetition, laboratory: Entry | None
) -> list[Entry]:
    """Return the laboratory in the person of its medical director."""
    person = practitioner(conversion, node, source)
    if person is None:
        return [laboratory] if laboratory else []
    resource: Element = {
        "resourceType": "PractitionerRole",
        "practitioner": person.mention(),
        "code": [coded(HL7 + "v2-0912", "MDIR")],
    }
    if laboratory is not None:
        resource["organization"] = laboratory.mention()
    place = laboratory.full_url if laboratory else ""
    site = conversion.context.site
    director = own_party(site, resource, person.full_url, "MDIR", place)
    return [conversion.party(node, director)]
