"""ROL, PRT and IN3: who plays which part for a patient, a visit or a procedure.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps ROL[...], PRT[...] and IN3[CareTeam].
"""

from typing import Final

from engine.hl7 import Repetition
from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    append,
    coded,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import own_party
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.observers import map_observer, observation_of
from engine.transforms.fhir.parties import organization, practitioner, practitioners
from engine.transforms.fhir.related import add_contact
from engine.transforms.fhir.systems import SNOMED
from engine.transforms.fhir.vocabulary import V3_PARTICIPATION

_PARTICIPATION: Final = {"AD": "ADM", "AT": "ATND", "CP": "CON", "RP": "REF"}
_PRIMARY_CARE: Final = ("PP", "FHCP")
_CASE_MANAGER: Final = "768832004"


def map_role(conversion: Conversion, rol: Node) -> None:
    """Add the people of a ROL to what it follows."""
    rol.take(2)
    _map_participation(conversion, rol, role=3, person=4, span=(5, 6))


def map_participation(conversion: Conversion, prt: Node) -> None:
    """Add the people of a PRT to what it follows."""
    if prt.taken:
        return
    prt.take(2)
    _map_participation(conversion, prt, role=4, person=5, span=(11, 12))
    seen = observation_of(conversion, prt)
    if seen is not None:
        map_observer(conversion, prt, seen)


def _map_participation(
    conversion: Conversion, node: Node, role: int, person: int, span: tuple[int, int]
) -> None:
    kind = conversion.concept(node, role, "0443")
    people = [
        _in_organization(conversion, node, entry, kind)
        for entry in practitioners(conversion, node, person)
    ]
    code = node.text(role)
    period: Element = {}
    conversion.put_time(period, "start", node, span[0])
    conversion.put_time(period, "end", node, span[1])
    subject = conversion.subject_of(node)
    placed = [
        _place(conversion, node, subject, (entry, kind, code, period))
        for entry in people
    ]
    if not any(placed):
        node.taken = 0


def _in_organization(
    conversion: Conversion, node: Node, person: Entry, kind: Element
) -> Entry:
    """Return a person as PractitionerRole where the segment names a firm (D11)."""
    firm_field, specialty, unit = (14, 9, 10) if node.id == "ROL" else (8, 6, 7)
    source = node.first(firm_field) if node.has(firm_field) else None
    firm = organization(conversion, node, source) if source else None
    add_contact(conversion, node, person)
    if firm is None:
        return person
    if node.has(unit):
        firm.enrich("type", conversion.concepts(node, unit, "0406"))
    resource: Element = {
        "resourceType": "PractitionerRole",
        "practitioner": person.reference,
        "organization": firm.reference,
    }
    put(resource, "code", [kind] if kind else [])
    if node.has(specialty):
        put(resource, "specialty", conversion.concepts(node, specialty, "0182"))
    parts = (person.full_url, firm.full_url, str(kind.get("coding")))
    return conversion.party(node, own_party(conversion.context.site, resource, *parts))


def _place(
    conversion: Conversion,
    node: Node,
    subject: Subject,
    part: tuple[Entry, Element, str, Element],
) -> bool:
    """Put one person where the segment before says; tell whether there was a place."""
    entry, kind, code, period = part
    above = node.parent.id if node.parent else ""
    if above in ("PV1", "PV2"):
        return _join_visit(subject, entry, kind, period)
    if above == "OBX":
        return _perform(conversion, node, entry)
    if subject.patient is None or above in ("OBR", "ORC", "TXA", "PR1"):
        return False
    if code in _PRIMARY_CARE:
        append(subject.patient.resource, "generalPractitioner", entry.reference)
    else:
        member: Element = {"member": entry.reference}
        put(member, "role", [kind] if kind else [])
        put(member, "period", period)
        _join_team(conversion, node, subject, member)
    return True


def _join_visit(subject: Subject, entry: Entry, kind: Element, period: Element) -> bool:
    if subject.encounter is None:
        return False
    role = translated(kind, _PARTICIPATION, V3_PARTICIPATION)
    participant: Element = {"individual": entry.reference}
    put(participant, "type", [role] if role else [])
    put(participant, "period", period)
    append(subject.encounter.resource, "participant", participant)
    return True


def _perform(conversion: Conversion, node: Node, entry: Entry) -> bool:
    """Put somebody among the performers of the Observation a PRT follows."""
    seen = observation_of(conversion, node)
    if seen is not None:
        append(seen.resource, "performer", entry.reference)
    return seen is not None


def _join_team(
    conversion: Conversion, node: Node, subject: Subject, member: Element
) -> None:
    """Add a member to the patient's care team, one for each message."""
    if subject.patient is None:
        return
    resource: Element = {
        "resourceType": "CareTeam",
        "subject": subject.patient.reference,
    }
    team = conversion.upsert_own(node, resource, subject.key, subject.visit_key)
    append(team.resource, "participant", member)


def map_case_manager(conversion: Conversion, in3: Node) -> None:
    """IN3-21 becomes a member of the care team."""
    subject = conversion.subject_of(in3)
    source: Repetition | None = in3.first(21) if in3.has(21) else None
    entry = practitioner(conversion, in3, source) if source else None
    if entry is None or subject.patient is None:
        in3.leave(21)
        return
    role = {**coded(SNOMED, _CASE_MANAGER), "text": "case manager"}
    member: Element = {"role": [role], "member": entry.reference}
    firm = in3.first(24) if in3.has(24) else None
    company = organization(conversion, in3, firm) if firm else None
    if company is not None:
        member["onBehalfOf"] = company.reference
    _join_team(conversion, in3, subject, member)
