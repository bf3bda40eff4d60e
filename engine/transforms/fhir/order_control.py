"""ORC: what every order says, whatever is ordered.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map ORC[ServiceRequest]; fhir.md D05 to D07.
"""

from typing import Final

from engine.hl7.datatypes import Cwe, Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    append,
    code,
    coded,
    coding_of,
    entity_identifier,
    extension,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import address, contact_points
from engine.transforms.fhir.parties import organization, practitioners
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import ORDER_CONTROL, ORDER_STATUS

_EVENT: Final = "businessEvent"
_CONTROL: Final = HL7 + "v2-0119"
_NEW: Final = ("NW", "RE", "SN")
_REQUESTS: Final = ("ServiceRequest", "MedicationRequest")
_ORDERS_IT: Final = "OP"


def request_identifiers(
    conversion: Conversion, orc: Node | None, obr: Node | None
) -> list[Element]:
    """Return placer and filler numbers of an order, OBR's before ORC's."""
    feed = conversion.feed
    found: list[Element] = []
    for field, kind in ((2, "PLAC"), (3, "FILL")):
        for node in (obr, orc):
            source = node.first(field) if node and node.has(field) else None
            one = entity_identifier(feed, Ei.of(source), kind) if source else {}
            if one and not any(
                known["value"] == one["value"] and known["system"] == one["system"]
                and known["type"] == one["type"]
                for known in found
            ):  # fmt: skip
                found.append(one)
    return found


def control_of(detail: Node) -> Node | None:
    """Return the ORC of an order detail segment: above it, or below it in OUL."""
    above = detail.parent
    return above if above and above.id == "ORC" else detail.child("ORC")


def upsert_order(
    conversion: Conversion, node: Node, resource: Element, identifiers: list[Element]
) -> Entry:
    """Add an order under its first number that this message has not used yet.

    Args:
        conversion: the message on its way.
        node: the order detail segment; its code and time tell orders without a number
            apart, which stand in fields 4 and 7 of OBR.
        resource: the order.
        identifiers: placer and filler numbers, see `request_identifiers`.
    """
    kind = str(resource["resourceType"])
    for one in identifiers:
        system, value = str(one["system"]), str(one["value"])
        if not conversion.holds(kind, system, value):
            return conversion.upsert(node, resource, system, value)
    segment, number = node.segment, str(node.number)
    if identifiers:
        one = identifiers[-1]
        named = f"{one['system']}|{one['value']}"
        return conversion.upsert_own(node, resource, named, segment.raw(4), number)
    when = segment.raw(7)
    if not when:
        return conversion.upsert_own(node, resource, conversion.message_key, number)
    parts = (conversion.subject_of(node).key, segment.raw(4), when, number)
    return conversion.upsert_own(node, resource, *parts)


def order_status(orc: Node | None, resource: Element) -> str:
    """ORC-5 first, then ORC-1; ``unknown`` where neither says (D05)."""
    if orc is None:
        return "unknown"
    control, state = code(orc.text(1)), code(orc.text(5))
    if state:
        status = ORDER_STATUS.get(state, "")
        if state not in ("CM", "ER", "HD"):
            value = coded(HL7 + "v2-0038", state)
            resource["_status"] = alternate_codes(value)
        if status:
            return status
    if control == "RE" and not _has_results(orc):
        return "active"
    return ORDER_CONTROL.get(control, "unknown")


def _has_results(orc: Node) -> bool:
    return any(child.id == "OBR" and child.child("OBX") for child in orc.children)


def add_requester(
    conversion: Conversion,
    orc: Node | None,
    detail: Node,
    field: int,
    resource: Element,
) -> None:
    """Set ``requester`` of an order, see `orderer`."""
    requester = orderer(conversion, orc, detail, field)
    if requester is not None:
        resource["requester"] = requester.reference


def orderer(
    conversion: Conversion, orc: Node | None, detail: Node, field: int = 0
) -> Entry | None:
    """Return who ordered it, for the organization of ORC-21.

    Args:
        conversion: the message on its way.
        orc: ORC-12 names the orderer; a PRT below it may, too.
        detail: the order detail segment.
        field: the field of ``detail`` that names the orderer, such as OBR-16.
    """
    doctors = practitioners(conversion, orc, 12) if orc else []
    others = practitioners(conversion, detail, field) if field else []
    found = doctors or others or _participants(conversion, orc, detail)
    doctor = next(iter(found), None)
    facility = _facility(conversion, orc) if orc else None
    if orc is not None and doctor is not None and orc.has(24):
        _add_address(conversion, orc, 24, doctor)
    if doctor is not None and facility is not None:
        role: Element = {
            "resourceType": "PractitionerRole",
            "practitioner": doctor.reference,
            "organization": facility.reference,
        }
        parts = (doctor.full_url, facility.full_url)
        doctor = conversion.add_own_party(detail, role, *parts)
    return doctor or facility


def _participants(
    conversion: Conversion, orc: Node | None, detail: Node
) -> list[Entry]:
    """Return whom a PRT below ORC or OBR calls the ordering provider."""
    return [
        entry
        for node in (orc, detail)
        if node is not None and node.children
        for prt in node.all_below("PRT")
        if prt.segment.text(4) == _ORDERS_IT
        for entry in practitioners(conversion, prt, 5)
    ]


def _facility(conversion: Conversion, orc: Node) -> Entry | None:
    source = orc.first(21) if orc.has(21) else None
    entry = organization(conversion, orc, source) if source else None
    if entry is None:
        return None
    if orc.has(22):
        _add_address(conversion, orc, 22, entry)
    if orc.has(23):
        points = [
            point
            for one in orc.all(23)
            for point in contact_points(conversion.feed, one)
        ]
        if points:
            entry.enrich("telecom", points)
    return entry


def _add_address(conversion: Conversion, orc: Node, field: int, entry: Entry) -> None:
    source = orc.first(field)
    where = address(conversion.feed, source) if source else {}
    if where:
        entry.enrich("address", [where])


def add_event(conversion: Conversion, orc: Node, resource: Element) -> None:
    """ORC-1, 9 and 16: what happened to the order, when and why."""
    control = code(orc.text(1))
    parts: list[Element] = []
    if control:
        value = coded(_CONTROL, control)
        parts.append({"url": "value", "valueCodeableConcept": value})
    when = conversion.when(orc, 9) if orc.has(9) else ""
    if when:
        parts.append({"url": "date", "valueDateTime": when})
        if control in _NEW and resource["resourceType"] in _REQUESTS:
            resource["authoredOn"] = when
    if parts:
        url = "http://hl7.org/fhir/StructureDefinition/" + _EVENT
        append(resource, "extension", {"url": url, "extension": parts})
    if orc.has(16) and (reason := conversion.concept(orc, 16)):
        append(
            resource,
            "extension",
            extension("request-statusReason", "CodeableConcept", reason),
        )


def group_number(conversion: Conversion, orc: Node) -> Element:
    """Return ORC-4, the number the placer gave to several orders."""
    source = orc.first(4) if orc.has(4) else None
    if source is None:
        return {}
    value = Ei.within(source.sub(1)) if len(source.sub(1)) > 1 else Ei.of(source)
    return entity_identifier(conversion.feed, value, "PGN")


def add_label(conversion: Conversion, orc: Node, resource: Element) -> None:
    """ORC-28: who may see it."""
    source = orc.first(28) if orc.has(28) else None
    label = (
        coding_of(conversion.feed, Cwe.of(source), "0177", "ORC-28") if source else {}
    )
    if label:
        resource["meta"] = {"security": [label]}
