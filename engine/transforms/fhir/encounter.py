"""PV1 and PV2 to Encounter.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps PV1[Encounter], PV2[Encounter] and PV1[Patient];
    fhir.md T16, T17, T33, T34 and D11.
"""

from html import escape
from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe
from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    coding_of,
    extension,
    identifier_of,
    listed,
    plain,
    put,
    translated,
)
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import own_party
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.places import place
from engine.transforms.fhir.plan import Visit
from engine.transforms.fhir.said import BLANK, drop_blanks
from engine.transforms.fhir.systems import HL7, UCUM
from engine.transforms.fhir.vocabulary import (
    ENCOUNTER_CLASS,
    ENCOUNTER_PRIORITY,
    V3_ACT_CODE,
    V3_PARTICIPATION,
    V3_PRIORITY,
)

NULLS: Final = {
    3: "location", 4: "type", 7: "participant", 10: "serviceType",
    44: "period.start", 45: "period.end",
}  # fmt: skip
"""PV1 fields whose HL7 null removes an element."""

PARTICIPANTS: Final = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
    (52, "PART", "Participation"),
)
_HOSPITALIZATION: Final = (
    (14, "admitSource", "0023"),
    (13, "reAdmission", "0092"),
    (36, "dischargeDisposition", "0112"),
)
_HOSPITALIZATION_LISTS: Final = (
    (38, "dietPreference", "0114"),
    (16, "specialCourtesy", "0099"),
    (15, "specialArrangement", "0009"),
)
_STAYS: Final = ((6, "completed"), (11, "active"), (42, "planned"), (43, "completed"))
"""PV1 fields that name a place, and the status of being there."""

_OF_ONE_VISIT: Final = (2, 3, 6, 11, 19, 20, 40, 42, 43, 44, 45, 50)
"""PV1 fields read apart: its number, times and places, and what the event decides."""

_TEMPORARY: Final = (11, 43)
_CONFIDENTIALITY: Final = HL7 + "v3-Confidentiality"
_CLASSIFICATION: Final = "subject-locationClassification"
_IDENTIFIED: Final = (19, 50)


def map_encounter(conversion: Conversion, pv1: Node) -> None:
    """Add the Encounter a PV1 speaks of, or list what it says as context."""
    subject = conversion.subject_of(pv1)
    if subject.encounter is not None or not is_visit(conversion, pv1):
        conversion.lose_all(pv1, "context")
        if (pv2 := pv1.child("PV2")) is not None:
            conversion.lose_all(pv2, "context")
        return
    resource = conversion.said(pv1, _read_visit, _OF_ONE_VISIT)
    _add_identifiers(conversion, pv1, resource)
    resource["status"] = status(conversion, pv1)
    resource["class"] = _class(conversion, pv1)
    if subject.patient:
        resource["subject"] = subject.patient.reference
    _add_arrivals(conversion, resource)
    _add_period(conversion, pv1, resource)
    _add_locations(conversion, pv1, resource)
    drop_blanks(resource, "identifier", "subject", "period", "location")
    _add_importance(conversion, pv1, subject)
    pv2 = pv1.child("PV2")
    if pv2 is not None:
        _add_more(conversion.said(pv2, _read_more), resource)
    entry = _add(conversion, pv1, resource, subject)
    conversion.note_nulls(entry, pv1, NULLS)
    entry.presumed = _presumed(conversion, pv1)
    subject.encounter = entry


def _read_visit(conversion: Conversion, pv1: Node) -> Element:
    """Return what a PV1 says of a visit beside its number, times and places."""
    resource: Element = {
        "resourceType": "Encounter",
        "identifier": BLANK,
        "status": BLANK,
        "class": BLANK,
    }
    _add_kind(conversion, pv1, resource)
    resource["subject"] = BLANK
    _add_participants(conversion, pv1, resource)
    resource["period"] = BLANK
    _add_hospitalization(conversion, pv1, resource)
    resource["location"] = BLANK
    pv1.take(1)
    return resource


def is_visit(conversion: Conversion, pv1: Node) -> bool:
    """Whether a PV1 becomes an Encounter (T33)."""
    if pv1.segment.text(2) == "N":
        return False
    if any(pv1.segment.text(field) for field in _IDENTIFIED):
        return True
    return conversion.plan.visit is Visit.ALWAYS


def status(conversion: Conversion, pv1: Node) -> str:
    """Return Encounter.status: first the event, then discharge, then class (T17)."""
    plan = conversion.plan
    if plan.forced:
        return plan.status
    if pv1.has(45) and conversion.feed.date_time(pv1.segment.text(45)):
        return "finished"
    if conversion.message.trigger_event == "A04":
        return _registered(conversion, pv1)
    if plan.status:
        return plan.status
    return "planned" if pv1.text(2) == "P" else "in-progress"


def _presumed(conversion: Conversion, pv1: Node) -> tuple[str, ...]:
    """Return what only FHIR wants: a status no event tells, a class no PV1-2 tells.

    An A08 after the discharge must not bring the patient back (T17).
    """
    untold = []
    if not conversion.plan.status and status(conversion, pv1) != "finished":
        untold.append("status")
    if not pv1.segment.text(2):
        untold.append("class")
    return tuple(untold)


def _registered(conversion: Conversion, pv1: Node) -> str:
    """Return the status A04 means: the guide plans it, an admit time says more."""
    wanted = conversion.context.options.a04_status
    if wanted != "auto":
        return wanted
    return "in-progress" if pv1.has(44) else "planned"


def _add(
    conversion: Conversion, pv1: Node, resource: Element, subject: Subject
) -> Entry:
    identifiers = resource.get("identifier")
    if isinstance(identifiers, list):
        system, value = identifiers[0]["system"], identifiers[0]["value"]
        subject.visit_key = f"{system}|{value}"
        return conversion.upsert(pv1, resource, system, value)
    pid = subject.pid
    account = pid.segment.raw(18) if pid else ""
    when = pv1.segment.text(44)
    subject.visit_key = account or when or conversion.message_key
    return conversion.upsert_own(pv1, resource, subject.key, subject.visit_key)


def _add_identifiers(conversion: Conversion, pv1: Node, resource: Element) -> None:
    found = [
        one
        for field, kind in ((19, "VN"), (50, ""))
        if pv1.has(field)
        for source in pv1.all(field)
        if (one := identifier_of(conversion.feed, source, kind))
    ]
    put(resource, "identifier", found)


def _class(conversion: Conversion, pv1: Node) -> Element:
    """Return PV1-2 as Coding: the four the guide maps, else the code as sent."""
    source = pv1.first(2)
    if source is None:
        return (
            {"system": V3_ACT_CODE, "code": "AMB"}
            if _outpatient(conversion)
            else {"system": HL7 + "v3-NullFlavor", "code": "UNK"}
        )
    value = Cwe.of(source)
    image = ENCOUNTER_CLASS.get(value.code)
    if image:
        return {"system": V3_ACT_CODE, "code": image}
    coding = coding_of(conversion.feed, value, "0004", "PV1-2")
    return coding or {"system": HL7 + "v3-NullFlavor", "code": "UNK"}


def _outpatient(conversion: Conversion) -> bool:
    return conversion.message.trigger_event == "A04"


def _add_kind(conversion: Conversion, pv1: Node, resource: Element) -> None:
    if pv1.has(4) and (kind := conversion.concept(pv1, 4, "0007")):
        resource["type"] = [kind]
    conversion.put_concept(resource, "serviceType", pv1, 10, "0069")


def participant(individual: Element, value: str, text: str) -> Element:
    """Return one participant of an Encounter."""
    kind: Element = {**coded(V3_PARTICIPATION, value), "text": text}
    return {"type": [kind], "individual": individual}


def _add_participants(conversion: Conversion, pv1: Node, resource: Element) -> None:
    found = [
        participant(entry.mention(), value, text)
        for field, value, text in PARTICIPANTS
        for entry in practitioners(conversion, pv1, field)
    ]
    put(resource, "participant", found)


def _add_arrivals(conversion: Conversion, resource: Element) -> None:
    """Add since when the doctors take part who join the visit with this event."""
    joins = conversion.plan.joins
    since = _since(conversion) if joins else ""
    if since and (known := listed(resource, "participant")):
        words = {text for field, _, text in PARTICIPANTS if field in joins}
        resource["participant"] = [
            {**one, "period": {"start": since}}
            if one["type"][0]["text"] in words  # type: ignore[index]
            else one
            for one in known
        ]


def _since(conversion: Conversion) -> str:
    """Return when the event happened: EVN-6, else EVN-2."""
    evn = conversion.tree.first("EVN")
    if evn is None:
        return ""
    times = (conversion.feed.date_time(evn.segment.text(field)) for field in (6, 2))
    return next((when for when in times if when), "")


def _add_period(conversion: Conversion, pv1: Node, resource: Element) -> None:
    span: Element = {}
    conversion.put_time(span, "start", pv1, 44)
    conversion.put_time(span, "end", pv1, 45)
    put(resource, "period", span)


def _add_hospitalization(conversion: Conversion, pv1: Node, resource: Element) -> None:
    found: Element = {}
    if pv1.has(5) and (source := pv1.first(5)):
        one = identifier_of(conversion.feed, source)
        put(found, "preAdmissionIdentifier", one)
    for field, name, table in _HOSPITALIZATION:
        conversion.put_concept(found, name, pv1, field, table)
    for field, name, table in _HOSPITALIZATION_LISTS:
        if pv1.has(field):
            put(found, name, conversion.concepts(pv1, field, table))
    if pv1.has(37) and (source := pv1.first(37)):
        put(found, "destination", _destination(conversion, pv1, source))
    put(resource, "hospitalization", found)


def _destination(conversion: Conversion, pv1: Node, source: Repetition) -> Element:
    """Return where the patient was discharged to: a place known by its kind only."""
    parts = [*source.sub(1), "", "", ""]
    value = code(plain(parts[0]))
    if not value:
        return {}
    feed = conversion.feed
    system = feed.code_system(parts[2]) if parts[2] else f"{HL7}v2-0113"
    resource: Element = {
        "resourceType": "Location",
        "name": plain(parts[1]) or value,
        "mode": "kind",
        "type": [coded(system, value, plain(parts[1]))],
    }
    party = own_party(feed.site, resource, "discharged to", value)
    return conversion.party(pv1, party).mention()


def _add_locations(conversion: Conversion, pv1: Node, resource: Element) -> None:
    stays: list[Element] = []
    planned = pv1.segment.text(2) == "P"
    usual = ((3, "planned" if planned else "active"), *_STAYS)
    told = conversion.plan.stays
    for field, where in usual if told is None else told.items():
        source = pv1.first(field) if pv1.has(field) else None
        if source is None:
            continue
        bed_status = pv1.text(40) if field == 3 else ""  # noqa: PLR2004 - PV1-3
        found = place(conversion, pv1, source, bed_status)
        if found is None:
            conversion.lose(pv1, field, "unreadable")
            continue
        stay: Element = {"location": found.reference, "status": where}
        if field in _TEMPORARY:
            kind = coded("http://hl7.org/fhir/ValueSet/subject-location", "temporary")
            stay["extension"] = [extension(_CLASSIFICATION, "CodeableConcept", kind)]
        stays.append(stay)
    put(resource, "location", stays)


def _add_importance(conversion: Conversion, pv1: Node, subject: Subject) -> None:
    """PV1-16 is about the person too."""
    source = pv1.first(16) if pv1.has(16) else None
    value = conversion.concept_of(pv1, 16, source, "0099") if source else {}
    if not value or subject.patient is None:
        return
    resource = subject.patient.resource
    one = extension("patient-importance", "CodeableConcept", value)
    append(resource, "extension", one)


def _add_more(said: Element, resource: Element) -> None:
    """Add what a PV2 says; its places and doctors come after those of the PV1."""
    for name, value in said.items():
        both = name in resource and isinstance(value, list)
        resource[name] = listed(resource, name) + listed(said, name) if both else value


def _read_more(conversion: Conversion, pv2: Node) -> Element:
    """PV2: reason, plan, length, words, referrer, priority, arrival."""
    resource: Element = {}
    if pv2.has(3) and (reason := conversion.concept(pv2, 3)):
        resource["reasonCode"] = [reason]
    extensions = _planned(conversion, pv2)
    if pv2.has(38) and (source := pv2.first(38)):
        coding = coding_of(conversion.feed, Cwe.of(source), "0430", "PV2-38")
        if coding:
            extensions.append(extension("encounter-modeOfArrival", "Coding", coding))
    put(resource, "extension", extensions)
    if pv2.has(1) and (source := pv2.first(1)):
        found = place(conversion, pv2, source)
        if found is not None:
            stay: Element = {"location": found.mention(), "status": "planned"}
            resource["location"] = [stay]
    referrers = [
        participant(entry.mention(), "REF", "referrer")
        for entry in practitioners(conversion, pv2, 13)
    ]
    put(resource, "participant", referrers)
    if pv2.has(25):
        priority = conversion.concept(pv2, 25, "0217")
        put(resource, "priority", translated(priority, ENCOUNTER_PRIORITY, V3_PRIORITY))
    _add_length(conversion, pv2, resource)
    _add_words(conversion, pv2, resource)
    return resource


def _planned(conversion: Conversion, pv2: Node) -> list[Element]:
    found: list[Element] = []
    for field, name in ((8, "plannedStartDate"), (9, "plannedEndDate")):
        if pv2.has(field) and (when := conversion.when(pv2, field)):
            url = f"http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.{name}"
            found.append(extension(url, "DateTime", when))
    return found


def _add_length(conversion: Conversion, pv2: Node, resource: Element) -> None:
    days = pv2.text(11).strip()
    if days.isdecimal():
        resource["length"] = {
            "value": Digits(int(days)), "unit": "d", "system": UCUM, "code": "d",
        }  # fmt: skip
    elif days:
        conversion.lose(pv2, 11, "unreadable")


def _add_words(conversion: Conversion, pv2: Node, resource: Element) -> None:
    if words := conversion.string(pv2, 12):
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(words)}</div>'
        resource["text"] = {"status": "additional", "div": div}
    protected = pv2.text(22).strip()
    if protected in ("Y", "N"):
        label = {"system": _CONFIDENTIALITY, "code": "R" if protected == "Y" else "N"}
        resource["meta"] = {"security": [label]}
    elif protected:
        conversion.lose(pv2, 22, "vocabulary-miss")
