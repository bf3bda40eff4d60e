"""PR1 to Procedure.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map PR1[Procedure]; fhir.md section 6, T20.
"""

from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    entity_identifier,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.places import place
from engine.transforms.fhir.systems import SNOMED
from engine.transforms.fhir.times import later

_PERFORMERS: Final = ((8, "88189002"), (11, "304292004"), (12, ""))
"""PR1 fields and the SNOMED CT function of who they name."""


def map_procedure(conversion: Conversion, pr1: Node) -> None:
    """Add the Procedure of a PR1."""
    pr1.take(1)
    concept = _code(conversion, pr1)
    if not concept:
        conversion.lose_all(pr1, "unreadable")
        return
    resource: Element = {"resourceType": "Procedure"}
    number = _identifier(conversion, pr1, 19)
    put(resource, "identifier", [number] if number else [])
    if parent := _identifier(conversion, pr1, 25):
        resource["partOf"] = [{"type": "Procedure", "identifier": parent}]
    resource["status"] = "entered-in-error" if pr1.text(20) == "D" else "completed"
    conversion.put_concept(resource, "category", pr1, 6, "0230")
    resource["code"] = concept
    subject = conversion.about(pr1, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    _add_time(conversion, pr1, resource)
    _add_people(conversion, pr1, resource)
    if pr1.has(23) and (source := pr1.first(23)):
        where = place(conversion, pr1, source)
        if where is not None:
            resource["location"] = where.reference
    if pr1.has(15) and (reason := conversion.concept(pr1, 15)):
        resource["reasonCode"] = [reason]
    _add(conversion, pr1, resource, subject)


def _add(
    conversion: Conversion, pr1: Node, resource: Element, subject: Subject
) -> None:
    known = resource.get("identifier")
    if isinstance(known, list):
        conversion.upsert(pr1, resource, known[0]["system"], known[0]["value"])
        return
    segment = pr1.segment
    what, when = segment.raw(3) or segment.raw(4), segment.raw(5)
    visit = subject.visit_key or subject.key
    conversion.upsert_own(pr1, resource, visit, what, when)


def _code(conversion: Conversion, pr1: Node) -> Element:
    """Return PR1-3 with its modifiers (PR1-16), said as PR1-4."""
    found = {**conversion.concept(pr1, 3)}
    known = found.get("coding")
    method = pr1.text(2).strip()
    if isinstance(known, list):
        first = known[0]
        if method and not pr1.segment.text(3, 3):
            first = {**first, "system": conversion.feed.code_system(method)}
        codings = [first, *known[1:]]
        for source in pr1.all(16) if pr1.has(16) else ():
            if modifier := code(source.text()):
                both = f"{first['code']}:{modifier}"
                codings.append({"system": first["system"], "code": both})
        found["coding"] = codings
    words = conversion.string(pr1, 4)
    if words and not pr1.segment.text(3, 9):
        found["text"] = words
    return found


def _identifier(conversion: Conversion, pr1: Node, field: int) -> Element:
    source = pr1.first(field) if pr1.has(field) else None
    return entity_identifier(conversion.feed, Ei.of(source)) if source else {}


def _add_time(conversion: Conversion, pr1: Node, resource: Element) -> None:
    """PR1-5, and its end where PR1-7 says how many minutes it took."""
    start = conversion.when(pr1, 5) if pr1.has(5) else ""
    minutes = pr1.text(7).strip()
    end = later(start, int(minutes)) if minutes.isdecimal() and start else ""
    if end:
        resource["performedPeriod"] = {"start": start, "end": end}
    elif start:
        resource["performedDateTime"] = start
    if minutes and not end:
        pr1.leave(7)


def _add_people(conversion: Conversion, pr1: Node, resource: Element) -> None:
    for field, function in _PERFORMERS:
        for entry in practitioners(conversion, pr1, field):
            performer: Element = {"actor": entry.reference}
            if function:
                performer["function"] = coded(SNOMED, function)
            append(resource, "performer", performer)
