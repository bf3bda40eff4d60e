"""SCH to Appointment, with the people, places and things of its RGS groups.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps SCH[Appointment], SCH[ServiceRequest],
    SCH[Provenance], PID[Appointment], NTE[Appointment-Comment]; fhir.md D18.
"""

from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.appointment_parts import Slot, minutes, participants
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    append,
    coded,
    entity_identifier,
    extension,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import phones
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.related import addresses
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.times import later
from engine.transforms.fhir.vocabulary import APPOINTMENT_REASON, APPOINTMENT_STATUS

_R5: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment."
_TYPE_TABLE: Final = HL7 + "v2-0277"
_REASON_TABLE: Final = HL7 + "v2-0276"
_SNOMED: Final = "http://snomed.info/sct"
_ENTERER: Final = coded(HL7 + "provenance-participant-type", "enterer")
_CONTACTS: Final = (
    (12, {"text": "placer contact"}, 13, 14),
    (16, {"text": "filler contact"}, 17, 18),
    (20, _ENTERER, 21, 0),
)
"""SCH fields of a person, the part they play, their telephone and address."""
_UNKNOWN: Final[Element] = {
    "extension": [extension("data-absent-reason", "Code", "unknown")]
}
_OVER: Final = frozenset(("cancelled", "noshow", "entered-in-error"))
_GROUPS: Final = ("AIS", "AIG", "AIL", "AIP")


def map_appointment(conversion: Conversion, sch: Node) -> None:
    """Add the Appointment of a SCH and all that belongs to it."""
    resource: Element = {"resourceType": "Appointment"}
    numbers = _numbers(conversion, sch, ((1, "PLAC"), (2, "FILL")))
    put(resource, "identifier", numbers)
    parts = [node for node in conversion.tree.nodes if node.id in _GROUPS]
    status = _add_status(conversion, sch, parts, resource)
    _add_kind(conversion, sch, parts, resource)
    _add_reasons(conversion, sch, resource, over=status in _OVER)
    slot = _add_times(conversion, sch, parts, resource)
    slot.status = status
    people = _contacts(conversion, sch)
    resource["participant"] = (
        people + participants(conversion, parts, slot) + _patients(conversion)
    ) or [{"type": [{"text": "unknown"}], "status": "needs-action"}]
    for node in (sch, *parts):
        for note in notes_of(conversion, node):
            one = extension(_R5 + "note", "Annotation", note)
            append(resource, "extension", one)
    for entry in conversion.mapped.patients:
        one = extension(_R5 + "subject", "Reference", entry.reference)
        append(resource, "extension", one)
    order = _order(conversion, sch, parts, slot)
    put(resource, "basedOn", [order.reference] if order else [])
    entry = _add(conversion, sch, resource, numbers)
    _add_enterer(conversion, sch, entry)


def _numbers(
    conversion: Conversion, node: Node, fields: tuple[tuple[int, str], ...]
) -> list[Element]:
    """Return EI fields as identifiers."""
    found = (
        entity_identifier(conversion.feed, Ei.of(source), kind)
        for field, kind in fields
        if node.has(field) and (source := node.first(field))
    )
    return [one for one in found if one]


def _add(
    conversion: Conversion, sch: Node, resource: Element, numbers: list[Element]
) -> Entry:
    """Add it under the scheduler's number, else the one of who asked for it."""
    if not numbers:
        return conversion.upsert_own(sch, resource, conversion.message_key)
    one = numbers[-1]
    return conversion.upsert(sch, resource, str(one["system"]), str(one["value"]))


def _add_status(
    conversion: Conversion, sch: Node, parts: list[Node], resource: Element
) -> str:
    """SCH-25, else that of the service, else what the event says (D18)."""
    resource["status"] = conversion.plan.appointment
    for node, field in ((sch, 25), *((p, 10) for p in parts if p.id == "AIS")):
        if not node.has(field):
            continue
        found = APPOINTMENT_STATUS.get(node.text(field).strip().lower())
        if found is not None:
            resource["status"] = found
        if sent := conversion.concept(node, field, "0278"):
            resource["_status"] = alternate_codes(sent)
        break
    return str(resource["status"])


def _add_kind(
    conversion: Conversion, sch: Node, parts: list[Node], resource: Element
) -> None:
    """SCH-8: what kind of appointment; AIS-3: for which service."""
    conversion.put_concept(resource, "appointmentType", sch, 8, "0277")
    services = [
        found
        for node in parts
        if node.id == "AIS" and (found := conversion.concept(node, 3))
    ]
    put(resource, "serviceType", services)


def _add_reasons(
    conversion: Conversion, sch: Node, resource: Element, *, over: bool
) -> None:
    """SCH-7: why it was made; SCH-6: why this event, of which R4 knows one kind."""
    if sch.has(7) and (reason := conversion.concept(sch, 7, "0276")):
        codings = reason.get("coding")
        first = codings[0] if isinstance(codings, list) else {}
        if first.get("system") == _TYPE_TABLE:
            resource.setdefault("appointmentType", reason)
        else:
            image = APPOINTMENT_REASON.get(str(first.get("code", "")).upper())
            if image and first.get("system") == _REASON_TABLE:
                known = {"system": _SNOMED, "code": image}
                reason = {**reason, "coding": [known, first]}
            resource["reasonCode"] = [reason]
    if over and sch.has(6):
        conversion.put_concept(resource, "cancelationReason", sch, 6)


def _add_times(
    conversion: Conversion, sch: Node, parts: list[Node], resource: Element
) -> Slot:
    """SCH-11 or the service say from when to when; SCH-9 for how long.

    Start and end are instants and stand or fall together (app-2): one that is not
    known, or known to the day only, says so.
    """
    length = minutes(sch, 9, 10)
    if length:
        resource["minutesDuration"] = length
    start, end = _span(conversion, sch, parts)
    if start and not end:
        end = later(start, length) if length else ""
    for name, when in (("start", start), ("end", end)):
        if "T" in when:
            resource[name] = when
        else:
            resource["_" + name] = _UNKNOWN
    if (start or end) and ("_start" in resource or "_end" in resource):
        wanted: Element = {}
        put(wanted, "start", start)
        put(wanted, "end", end)
        resource["requestedPeriod"] = [wanted]
    return Slot(start)


def _span(conversion: Conversion, sch: Node, parts: list[Node]) -> tuple[str, str]:
    source = sch.first(11) if sch.has(11) else None
    if source is not None:
        date_time = conversion.feed.date_time
        start, end = date_time(source.text(4)), date_time(source.text(5))
        if start or end:
            return start, end
        conversion.lose(sch, 11, "unreadable")
    for node in parts:
        if node.id == "AIS" and node.has(4):
            start = conversion.when(node, 4)
            length = minutes(node, 7, 8)
            return start, later(start, length) if length else ""
    return "", ""


def _contacts(conversion: Conversion, sch: Node) -> list[Element]:
    """Return SCH-12, 16 and 20 as participants, each where they can be reached."""
    found: list[Element] = []
    for field, part, phone, home in _CONTACTS:
        people = practitioners(conversion, sch, field)
        found += [
            {"type": [part], "actor": entry.reference, "status": "accepted"}
            for entry in people
        ]
        if people:
            people[0].enrich("telecom", phones(conversion, sch, ((phone, "work"),)))
            if home and sch.has(home):
                people[0].enrich("address", addresses(conversion, sch, home))
    return found


def _patients(conversion: Conversion) -> list[Element]:
    return [
        {"actor": entry.reference, "status": "accepted"}
        for entry in conversion.mapped.patients
    ]


def _order(
    conversion: Conversion, sch: Node, parts: list[Node], slot: Slot
) -> Entry | None:
    """Return the order of SCH-26 and 27, made only where the server has none."""
    numbers = _numbers(conversion, sch, ((26, "PLAC"), (27, "FILL")))
    if not numbers:
        return None
    subject = conversion.subject_of(sch)
    resource: Element = {
        "resourceType": "ServiceRequest",
        "identifier": numbers,
        "status": "revoked" if slot.status in _OVER else "active",
        "intent": "order",
    }
    services = [node for node in parts if node.id == "AIS"]
    if services:
        put(resource, "code", conversion.concept(services[0], 3))
        put(resource, "orderDetail", _details(conversion, services[0]))
    resource["subject"] = (
        subject.patient.reference if subject.patient else {"display": "unknown"}
    )
    if slot.start:
        resource["occurrencePeriod"] = {"start": slot.start}
    return conversion.party(
        sch, named_party(conversion.context.site, resource, numbers[0])
    )


def _details(conversion: Conversion, ais: Node) -> list[Element]:
    """Return AIS-11 and 12, which say more of the service."""
    return [
        one
        for field in (11, 12)
        if ais.has(field)
        for one in conversion.concepts(ais, field)
    ]


def _add_enterer(conversion: Conversion, sch: Node, entry: Entry) -> None:
    """SCH-20 entered it: a Provenance beside the participant."""
    people = practitioners(conversion, sch, 20)
    if not people:
        return
    resource: Element = {
        "resourceType": "Provenance",
        "target": [entry.reference],
        "recorded": conversion.recorded(),
        "agent": [{"type": _ENTERER, "who": one.reference} for one in people],
    }
    conversion.upsert_unnamed(sch, resource, conversion.message_key, "appointment")
