"""DG1 to Condition, and to the diagnoses of an Encounter.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps DG1[Condition] and DG1[Encounter]; fhir.md T20.
"""

from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    entity_identifier,
    extension,
    listed,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.said import BLANK, drop_blanks
from engine.transforms.fhir.systems import HL7

_VERIFICATION: Final = HL7 + "condition-ver-status"
_ROLE: Final = HL7 + "diagnosis-role"
_ORDER_DETAILS: Final = frozenset(("OBR", "RXO", "RXE"))
_ROLES: Final = {"A": "AD"}
_ONSET: Final = "onsetDateTime"


def map_diagnosis(conversion: Conversion, dg1: Node) -> None:
    """Add the Condition of a DG1 and its place among the visit's diagnoses."""
    resource = conversion.said(dg1, _read_diagnosis)
    if not resource:
        conversion.lose_all(dg1, "unreadable")
        return
    subject = conversion.about(dg1, resource)
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    drop_blanks(resource, "encounter")
    entry = _add(conversion, dg1, resource, subject)
    if dg1.has(21) and "verificationStatus" not in resource:
        entry.nulls.append("verificationStatus")
    _place(conversion, dg1, subject, entry)


def _read_diagnosis(conversion: Conversion, dg1: Node) -> Element:
    """Return the diagnosis, whoever has it; ``{}`` where the segment names none."""
    dg1.take(1)
    concept = _code(conversion, dg1)
    if not concept:
        return {}
    resource: Element = {"resourceType": "Condition"}
    number = _identifier(conversion, dg1, 20)
    put(resource, "identifier", [number] if number else [])
    if dg1.text(21) == "D":
        resource["verificationStatus"] = coded(_VERIFICATION, "entered-in-error")
    resource["code"] = concept
    resource["subject"] = {"display": "unknown"}
    resource["encounter"] = BLANK
    _add_times(conversion, dg1, resource)
    doctors = practitioners(conversion, dg1, 16)
    if doctors:
        resource["asserter"] = doctors[0].mention()
    if cause := _identifier(conversion, dg1, 22):
        due = {"type": "Condition", "identifier": cause}
        append(resource, "extension", extension("condition-dueTo", "Reference", due))
    return resource


def _place(
    conversion: Conversion, dg1: Node, subject: Subject, condition: Entry
) -> None:
    """Make it the reason for the order it stands below, else one of the visit's."""
    order = _order_of(conversion, dg1)
    if order is not None:
        append(order.resource, "reasonReference", condition.reference)
    elif subject.encounter is not None:
        _add_to_visit(conversion, dg1, subject.encounter, condition)


def _order_of(conversion: Conversion, dg1: Node) -> Entry | None:
    """Return the order a diagnosis is the reason for, where it stands below one."""
    owner = dg1.parent
    if owner is None or owner.id not in _ORDER_DETAILS or conversion.plan.reports:
        return None
    for kind in ("ServiceRequest", "MedicationRequest"):
        for entry in conversion.mapped.all(kind):
            if entry.segment == owner.position:
                return entry
    return None


def _add(
    conversion: Conversion, dg1: Node, resource: Element, subject: Subject
) -> Entry:
    segment = dg1.segment
    what = segment.raw(3) or segment.raw(4)
    parts = (subject.key, subject.visit_key, what, segment.raw(6))
    if numbers := listed(resource, "identifier"):
        system, value = str(numbers[0]["system"]), str(numbers[0]["value"])
        known = conversion.made("Condition", system, value)
        if known is None or _is_same(known.resource, resource):
            return conversion.upsert(dg1, resource, system, value)
        return conversion.upsert_beside(dg1, 20, resource, *parts, segment.raw(5))
    return conversion.upsert_own(dg1, resource, *parts)


def _is_same(known: Element, resource: Element) -> bool:
    """Whether what stands under one number twice may be one diagnosis."""
    both = ((known.get(name), resource.get(name)) for name in ("code", _ONSET))
    return all(not new or not old or new == old for old, new in both)


def _code(conversion: Conversion, dg1: Node) -> Element:
    """Return DG1-3, in the method of DG1-2 where it names no system, said as DG1-4.

    A name without a code keeps its place beside other words in DG1-4.
    """
    found = {**conversion.concept(dg1, 3)}
    codings = found.get("coding")
    method = dg1.text(2).strip()
    if method and isinstance(codings, list) and not dg1.segment.text(3, 3):
        system = conversion.feed.code_system(method)
        found["coding"] = [{**codings[0], "system": system}, *codings[1:]]
    if words := conversion.string(dg1, 4):
        if "coding" not in found and (name := found.get("text")) not in (None, words):
            found["coding"] = [{"display": name}]
        found["text"] = words
    return found


def _identifier(conversion: Conversion, dg1: Node, field: int) -> Element:
    source = dg1.first(field) if dg1.has(field) else None
    return entity_identifier(conversion.feed, Ei.of(source)) if source else {}


def _add_times(conversion: Conversion, dg1: Node, resource: Element) -> None:
    conversion.put_time(resource, _ONSET, dg1, 5)
    if dg1.has(19) and (when := conversion.when(dg1, 19)):
        resource["recordedDate"] = when
        one = extension("condition-assertedDate", "DateTime", when)
        append(resource, "extension", one)


def _add_to_visit(
    conversion: Conversion, dg1: Node, encounter: Entry, condition: Entry
) -> None:
    diagnosis: Element = {"condition": condition.reference}
    if dg1.has(6):
        use = conversion.concept(dg1, 6, "0052")
        put(diagnosis, "use", translated(use, _ROLES, _ROLE))
    rank = code(dg1.text(15))
    if rank.isdecimal() and int(rank) > 0:
        diagnosis["rank"] = int(rank)
    elif rank:
        dg1.leave(15)
    append(encounter.resource, "diagnosis", diagnosis)
