"""ORC and OBR to ServiceRequest.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps ORC[ServiceRequest] and OBR[ServiceRequest];
    fhir.md D05 to D07.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    entity_identifier,
    extension,
    identifier_of,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import contact_points
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.order_control import (
    add_event,
    add_label,
    add_requester,
    group_number,
    order_status,
    orderer,
    request_identifiers,
    upsert_order,
)
from engine.transforms.fhir.order_history import map_order_history
from engine.transforms.fhir.timing import add_timing
from engine.transforms.fhir.vocabulary import PRIORITY, V3_ROLE

_ORDER_TYPE: Final = {"I": "HOSP", "O": "OF"}
_SERVICES: Final = frozenset(("ORM", "OML", "OMG", "OMI"))
_DETAILS: Final = frozenset(
    ("OBR", "RXO", "RXE", "RXA", "RXD", "RXG", "RQD", "RQ1", "ODS", "ODT")
)
_SUPPORTING: Final = (
    "http://hl7.org/fhir/5.0/StructureDefinition/"
    "extension-ServiceRequest.supportingInfo"
)


def map_order_alone(conversion: Conversion, orc: Node) -> None:
    """Add what an ORC without any detail says: that an order is cancelled, or held.

    It is told of a laboratory or other service; of medicines it stays in the loss
    report, for a request needs to say which medicine.
    """
    ids = {segment.id for segment in conversion.message.segments}
    if conversion.message.message_type not in _SERVICES or ids & _DETAILS:
        return
    identifiers = request_identifiers(conversion, orc, None)
    if not identifiers:
        return
    orc.take(2, 3)
    resource: Element = {"resourceType": "ServiceRequest", "identifier": identifiers}
    resource["status"] = order_status(orc, resource)
    resource["intent"] = "order"
    conversion.about(orc, resource)
    resource.setdefault("subject", {"display": "unknown"})
    requester = orderer(conversion, orc, orc)
    if requester is not None:
        resource["requester"] = requester.reference
    add_event(conversion, orc, resource)
    put(resource, "requisition", group_number(conversion, orc))
    add_label(conversion, orc, resource)
    put(resource, "note", notes_of(conversion, orc))
    upsert_order(conversion, orc, resource, identifiers)


def map_request(
    conversion: Conversion, orc: Node | None, obr: Node, identifiers: list[Element]
) -> Entry:
    """Add the order itself."""
    resource: Element = {"resourceType": "ServiceRequest"}
    more = _alternates(conversion, orc, obr)
    put(resource, "identifier", identifiers + more)
    resource["status"] = order_status(orc, resource)
    resource["intent"] = "reflex-order" if obr.text(11) == "G" else "order"
    if obr.text(11) not in ("", "G"):
        obr.leave(11)
    _add_priority(obr, resource)
    put(resource, "code", conversion.concept(obr, 4))
    subject = conversion.about(obr, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    if obr.has(6):
        conversion.put_time(resource, "occurrenceDateTime", obr, 6)
    add_requester(conversion, orc, obr, 16, resource)
    _add_callback(conversion, orc, obr, resource)
    _add_details(conversion, obr, resource)
    if orc is not None:
        orc.take(2, 3)
        add_event(conversion, orc, resource)
        put(resource, "requisition", group_number(conversion, orc))
        add_label(conversion, orc, resource)
        _add_setting(conversion, orc, resource)
    order = [obr, orc] if orc else [obr]
    notes = [note for node in order for note in notes_of(conversion, node)]
    put(resource, "note", notes)
    add_timing(conversion, order, resource)
    request = upsert_order(conversion, obr, resource, identifiers)
    map_order_history(conversion, orc, obr, request)
    return request


def _alternates(conversion: Conversion, orc: Node | None, obr: Node) -> list[Element]:
    """Return the further numbers of an order: OBR-53 or ORC-33, ORC-38."""
    feed = conversion.feed
    found: list[Element] = []
    for node, field in ((obr, 53), (orc, 33)):
        source = node.first(field) if node and node.has(field) else None
        if source is not None and (one := identifier_of(feed, source, "PLAC")):
            found.append(one)
    if orc is not None:
        source = orc.first(38) if orc.has(38) else None
        if source and (one := entity_identifier(feed, Ei.of(source), "FGN")):
            found.append(one)
        source = orc.first(4) if orc.has(4) else None
        if source and source.sub(2) and len(source.sub(1)) > 1:
            value = Ei.within(source.sub(2))
            if one := entity_identifier(feed, value, "FGN"):
                found.append(one)
    return found


def _add_priority(obr: Node, resource: Element) -> None:
    """OBR-5; the priority in the timing comes after it."""
    if not obr.has(5):
        return
    if found := PRIORITY.get(obr.text(5).strip()):
        resource["priority"] = found
    else:
        obr.leave(5)


def _add_callback(
    conversion: Conversion, orc: Node | None, obr: Node, resource: Element
) -> None:
    for node, field in ((obr, 17), (orc, 14)):
        source = node.first(field) if node and node.has(field) else None
        points = contact_points(conversion.feed, source) if source else []
        if points:
            name = "servicerequest-order-callback-phone-number"
            append(resource, "extension", extension(name, "ContactPoint", points[0]))
            if orc is not None and orc.has(14):
                orc.take(14)
            return


def _add_details(conversion: Conversion, obr: Node, resource: Element) -> None:
    """OBR-13, 29, 31, 46 and 47: why, for what, with which details."""
    if obr.has(31):
        put(resource, "reasonCode", conversion.concepts(obr, 31))
    details = [
        one
        for field in (46, 47)
        if obr.has(field)
        for one in conversion.concepts(obr, field)
    ]
    put(resource, "orderDetail", details)
    if obr.has(13):
        for one in conversion.concepts(obr, 13):
            inner: Element = {"concept": one}
            append(resource, "extension", _supporting(inner))
    if obr.has(29) or obr.has(50):
        found: list[Element] = []
        for field in (50, 29):
            source = obr.first(field) if obr.has(field) else None
            for one in _parents(conversion, source) if source else ():
                if one not in found:
                    found.append(one)
        put(resource, "basedOn", found)


def _supporting(inner: Element) -> Element:
    return extension(_SUPPORTING, "CodeableConcept", inner["concept"])


def _parents(conversion: Conversion, source: Repetition) -> list[Element]:
    """Return the parent orders, in this message or known by number."""
    found: list[Element] = []
    for part, kind in ((1, "PLAC"), (2, "FILL")):
        value = Ei.within(source.sub(part))
        one = entity_identifier(conversion.feed, value, kind)
        if not one:
            continue
        entry = _known_request(conversion, one)
        if entry is not None:
            return [entry.reference]
        found.append({"type": "ServiceRequest", "identifier": one})
    return found


def _known_request(conversion: Conversion, one: Element) -> Entry | None:
    for entry in conversion.mapped.all("ServiceRequest"):
        known = entry.resource.get("identifier")
        for other in known if isinstance(known, list) else ():
            if (other["value"], other["system"]) == (one["value"], one["system"]):
                return entry
    return None


def _add_setting(conversion: Conversion, orc: Node, resource: Element) -> None:
    """ORC-29: where it is to be done."""
    if orc.has(29):
        kind = translated(conversion.concept(orc, 29, "0482"), _ORDER_TYPE, V3_ROLE)
        put(resource, "locationCode", [kind] if kind else [])
