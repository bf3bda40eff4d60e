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
    alternate_codes,
    append,
    code,
    coded,
    entity_identifier,
    extension,
    identifier_of,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import own_party
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import address, contact_points
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.order_history import map_order_history
from engine.transforms.fhir.parties import organization, practitioners
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.timing import add_timing
from engine.transforms.fhir.vocabulary import (
    ORDER_CONTROL,
    ORDER_STATUS,
    PRIORITY,
    V3_ROLE,
)

_EVENT: Final = "businessEvent"
_CONTROL: Final = HL7 + "v2-0119"
_ORDER_TYPE: Final = {"I": "HOSP", "O": "OF"}
_SUPPORTING: Final = (
    "http://hl7.org/fhir/5.0/StructureDefinition/"
    "extension-ServiceRequest.supportingInfo"
)


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


def map_request(
    conversion: Conversion, orc: Node | None, obr: Node, identifiers: list[Element]
) -> Entry:
    """Add the order itself."""
    resource: Element = {"resourceType": "ServiceRequest"}
    more = _alternates(conversion, orc, obr)
    put(resource, "identifier", identifiers + more)
    resource["status"] = _status(orc, resource)
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
    _add_requester(conversion, orc, obr, resource)
    _add_details(conversion, obr, resource)
    if orc is not None:
        orc.take(2, 3)
        _add_order(conversion, orc, resource)
    order = [obr, orc] if orc else [obr]
    notes = [note for node in order for note in notes_of(conversion, node)]
    put(resource, "note", notes)
    add_timing(conversion, order, resource)
    request = _add(conversion, obr, resource, identifiers)
    map_order_history(conversion, orc, obr, request)
    return request


def _add(
    conversion: Conversion, obr: Node, resource: Element, identifiers: list[Element]
) -> Entry:
    for one in identifiers:
        system, value = str(one["system"]), str(one["value"])
        if not conversion.holds("ServiceRequest", system, value):
            return conversion.upsert(obr, resource, system, value)
    if identifiers:
        one = identifiers[-1]
        number = f"{one['system']}|{one['value']}"
        return conversion.upsert_own(
            obr, resource, number, obr.segment.raw(4), str(obr.number)
        )
    subject, when = conversion.subject_of(obr), obr.segment.raw(7)
    if not when:
        return conversion.upsert_own(
            obr, resource, conversion.message_key, str(obr.number)
        )
    parts = (subject.key, obr.segment.raw(4), when, str(obr.number))
    return conversion.upsert_own(obr, resource, *parts)


def _status(orc: Node | None, resource: Element) -> str:
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


def _add_requester(
    conversion: Conversion, orc: Node | None, obr: Node, resource: Element
) -> None:
    """ORC-12 or OBR-16 ordered it, for the organization of ORC-21."""
    doctors = practitioners(conversion, orc, 12) if orc else []
    others = practitioners(conversion, obr, 16)
    doctor = next(iter(doctors or others), None)
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
        party = own_party(conversion.context.site, role, *parts)
        doctor = conversion.party(obr, party)
    requester = doctor or facility
    if requester is not None:
        resource["requester"] = requester.reference
    _add_callback(conversion, orc, obr, resource)


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
        field = 50 if obr.has(50) else 29
        source = obr.first(field)
        put(resource, "basedOn", _parents(conversion, source) if source else [])
        obr.take(29)


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


def _add_order(conversion: Conversion, orc: Node, resource: Element) -> None:
    """ORC-1, 4, 9, 16 and 29: what happened to the order, and when."""
    control = code(orc.text(1))
    parts: list[Element] = []
    if control:
        value = coded(_CONTROL, control)
        parts.append({"url": "value", "valueCodeableConcept": value})
    when = conversion.when(orc, 9) if orc.has(9) else ""
    if when:
        parts.append({"url": "date", "valueDateTime": when})
        if control in ("NW", "RE", "SN"):
            resource["authoredOn"] = when
    if parts:
        url = "http://hl7.org/fhir/StructureDefinition/" + _EVENT
        append(resource, "extension", {"url": url, "extension": parts})
    if orc.has(4) and (source := orc.first(4)):
        value_4 = Ei.within(source.sub(1)) if len(source.sub(1)) > 1 else Ei.of(source)
        one = entity_identifier(conversion.feed, value_4, "PGN")
        put(resource, "requisition", one)
    if orc.has(16) and (reason := conversion.concept(orc, 16)):
        append(
            resource,
            "extension",
            extension("request-statusReason", "CodeableConcept", reason),
        )
    if orc.has(29):
        kind = translated(conversion.concept(orc, 29, "0482"), _ORDER_TYPE, V3_ROLE)
        put(resource, "locationCode", [kind] if kind else [])
