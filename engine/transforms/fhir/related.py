"""NK1 and GT1: the people around a patient.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps NK1[RelatedPerson] and NK1[Patient]; fhir.md
    sections 4 and 6, D12.
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    append,
    coded,
    identifier_of,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import Phones, address, human_names, phones
from engine.transforms.fhir.parties import organization
from engine.transforms.fhir.patient import add_gender, spoken
from engine.transforms.fhir.said import BLANK
from engine.transforms.fhir.systems import IDENTIFIER_TYPE, SSN
from engine.transforms.fhir.vocabulary import RELATIONSHIP, V3_ROLE

CONTACTS: Final = frozenset(("EMR", "E", "F", "I", "S"))
"""NK1-3 codes that say a person is only somebody to call."""

_NK1_PHONES: Final[Phones] = ((5, ""), (6, "work"), (31, ""), (40, ""), (41, ""))
_GT1_PHONES: Final[Phones] = ((6, "home"), (7, "work"))


def map_next_of_kin(conversion: Conversion, nk1: Node) -> None:
    """Add the RelatedPerson of an NK1, and a contact of the Patient where it is one."""
    nk1.take(1)
    subject = conversion.subject_of(nk1)
    if not any(nk1.has(field) for field in (2, 4, 5, 6, 13, 30, 31, 33)):
        for field in (3, 7):
            nk1.leave(field)
        return
    resource = conversion.said(nk1, _read_next_of_kin)
    if subject.patient is None:
        return
    resource["patient"] = subject.patient.reference
    if nk1.has(7) or nk1.has(13) or nk1.text(3) in CONTACTS:
        _add_contact(conversion, nk1, subject.patient, resource)
    if resource.keys() - {"resourceType", "patient"}:
        conversion.upsert_own(nk1, resource, *_key(conversion, nk1, subject, resource))


def _key(
    conversion: Conversion, nk1: Node, subject: Subject, resource: Element
) -> tuple[str, ...]:
    """Return what names a relative; two of one number go by their names too."""
    segment = nk1.segment
    if not nk1.has(33):
        return subject.key, segment.raw(2), segment.raw(3)
    parts = (subject.key, segment.raw(33))
    system, value = "key", "|".join(parts)
    known = conversion.made("RelatedPerson", system, value)
    if known is None or known.resource.get("name") == resource.get("name"):
        return parts
    return *parts, segment.raw(2), segment.raw(30)


def _read_next_of_kin(conversion: Conversion, nk1: Node) -> Element:
    """Return the person, whoever they are next of kin to."""
    resource: Element = {"resourceType": "RelatedPerson"}
    put(resource, "identifier", _nk1_identifiers(conversion, nk1))
    resource["patient"] = BLANK
    put(resource, "relationship", _relations(conversion, nk1))
    put(resource, "name", names(conversion, nk1, 2, 30))
    put(resource, "telecom", phones(conversion, nk1, _NK1_PHONES))
    add_gender(resource, nk1.text(15))
    conversion.put_time(resource, "birthDate", nk1, 16)
    if "birthDate" in resource:
        resource["birthDate"] = str(resource["birthDate"])[:10]
    put(resource, "address", addresses(conversion, nk1, 4, 32))
    put(resource, "period", _period(conversion, nk1, 8, 9))
    if nk1.has(20):
        put(resource, "communication", spoken(conversion.concept(nk1, 20, "0296")))
    return resource


def names(conversion: Conversion, node: Node, *fields: int) -> list[Element]:
    """Return the HumanNames of XPN fields."""
    return [
        name
        for field in fields
        if node.has(field)
        for source in node.all(field)
        for name in human_names(conversion.feed, source)
    ]


def addresses(conversion: Conversion, node: Node, *fields: int) -> list[Element]:
    """Return the Addresses of XAD fields."""
    return [
        found
        for field in fields
        if node.has(field)
        for source in node.all(field)
        if (found := address(conversion.feed, source))
    ]


def add_contact(conversion: Conversion, node: Node, entry: Entry) -> None:
    """Add the address and telephone of a ROL or PRT to who it names."""
    address_field, phone_field = (11, 12) if node.id == "ROL" else (14, 15)
    if node.has(address_field):
        found = addresses(conversion, node, address_field)
        entry.enrich("address", found)
    if node.has(phone_field):
        points = phones(conversion, node, ((phone_field, ""),))
        if points:
            entry.enrich("telecom", points)


def _period(conversion: Conversion, node: Node, start: int, end: int) -> Element:
    found: Element = {}
    conversion.put_time(found, "start", node, start)
    conversion.put_time(found, "end", node, end)
    return found


def _nk1_identifiers(conversion: Conversion, nk1: Node) -> list[Element]:
    found = [
        one
        for field, kind in ((33, ""), (12, "EI"))
        if nk1.has(field)
        for source in nk1.all(field)
        if (one := identifier_of(conversion.feed, source, kind))
    ]
    return found + social_security(conversion, nk1, 37)


def social_security(conversion: Conversion, node: Node, field: int) -> list[Element]:
    """Return a social security number field as identifier."""
    number = conversion.string(node, field)
    if not number:
        return []
    kind = coded(IDENTIFIER_TYPE, "SS")
    return [{"type": kind, "system": SSN, "value": number}]


def _relations(conversion: Conversion, nk1: Node) -> list[Element]:
    found = [
        translated(one, RELATIONSHIP, V3_ROLE)
        for one in conversion.concepts(nk1, 3, "0063")
    ]
    if nk1.has(7):
        found += conversion.concepts(nk1, 7, "0131")
    return found


def _add_contact(
    conversion: Conversion, nk1: Node, patient: Entry, person: Element
) -> None:
    """Add a Patient.contact that says what the RelatedPerson says."""
    contact: Element = {}
    put(contact, "relationship", person.get("relationship"))
    for name in ("name", "address"):
        known = person.get(name)
        if isinstance(known, list):
            contact[name] = known[0]
    put(contact, "telecom", person.get("telecom"))
    if gender := person.get("gender"):
        contact["gender"] = gender
        put(contact, "_gender", person.get("_gender"))
    put(contact, "period", person.get("period"))
    source = nk1.first(13) if nk1.has(13) else None
    firm = organization(conversion, nk1, source) if source else None
    if firm is not None:
        contact["organization"] = firm.reference
    if contact.keys() & {"name", "telecom", "address", "organization"}:
        append(patient.resource, "contact", contact)


def map_mother(conversion: Conversion, pid: Node) -> None:
    """PID-21 names the mother by her number only."""
    subject = conversion.subject_of(pid)
    numbers = [
        one for source in pid.all(21) if (one := identifier_of(conversion.feed, source))
    ]
    if not numbers or subject.patient is None:
        return
    resource: Element = {
        "resourceType": "RelatedPerson",
        "identifier": numbers,
        "patient": subject.patient.reference,
        "relationship": [coded(V3_ROLE, "MTH")],
    }
    conversion.upsert_own(pid, resource, subject.key, "mother")


def map_guarantor(conversion: Conversion, gt1: Node) -> None:
    """Add who pays: a RelatedPerson or an Organization, guarantor of the Account."""
    gt1.take(1)
    subject = conversion.subject_of(gt1)
    relation = gt1.text(11)
    if relation == "SEL" and subject.patient is not None and subject.account:
        party: Entry | None = subject.patient
        gt1.leave(11)
    elif gt1.has(21) and not gt1.has(3):
        party = _firm(conversion, gt1)
    else:
        party = _payer(conversion, gt1, subject)
    if party is None or subject.account is None:
        return
    guarantor: Element = {"party": party.reference}
    put(guarantor, "period", _period(conversion, gt1, 13, 14))
    append(subject.account.resource, "guarantor", guarantor)


def _payer(conversion: Conversion, gt1: Node, subject: Subject) -> Entry | None:
    if subject.patient is None:
        return None
    resource: Element = {"resourceType": "RelatedPerson"}
    numbers = [
        one for source in gt1.all(2) if (one := identifier_of(conversion.feed, source))
    ]
    put(resource, "identifier", numbers + social_security(conversion, gt1, 12))
    resource["patient"] = subject.patient.reference
    if relation := conversion.concept(gt1, 11, "0063"):
        resource["relationship"] = [translated(relation, RELATIONSHIP, V3_ROLE)]
    put(resource, "name", names(conversion, gt1, 3))
    put(resource, "telecom", phones(conversion, gt1, _GT1_PHONES))
    add_gender(resource, gt1.text(9))
    conversion.put_time(resource, "birthDate", gt1, 8)
    if "birthDate" in resource:
        resource["birthDate"] = str(resource["birthDate"])[:10]
    put(resource, "address", addresses(conversion, gt1, 5))
    if not resource.keys() - {"resourceType", "patient"}:
        return None
    parts = ("guarantor", gt1.segment.raw(2) or gt1.segment.raw(3))
    return conversion.upsert_own(gt1, resource, subject.key, *parts)


def _firm(conversion: Conversion, gt1: Node) -> Entry | None:
    source = gt1.first(21)
    entry = organization(conversion, gt1, source) if source else None
    if entry is not None and source is not None:
        entry.enrich("address", addresses(conversion, gt1, 5))
        entry.enrich("telecom", phones(conversion, gt1, _GT1_PHONES))
    return entry
