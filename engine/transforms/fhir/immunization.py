"""ORC, RXA, RXR and what is observed of a vaccination, to Immunization.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps ORC[Immunization], RXA[Immunization],
    RXR[Immunization], message map VXU_V04; fhir.md T20 and D20.
"""

from typing import Final

from engine.hl7.datatypes import Cwe
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    put,
)
from engine.transforms.fhir.dosage import add_site, amount
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import address, phones
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.observation import ABSENT, Order, map_observations
from engine.transforms.fhir.order_control import (
    add_event,
    add_label,
    control_of,
    orderer,
    request_identifiers,
)
from engine.transforms.fhir.order_history import map_order_history
from engine.transforms.fhir.parties import organization_of_code, practitioners
from engine.transforms.fhir.places import place
from engine.transforms.fhir.specimen import pair
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vaccination_facts import add_facts
from engine.transforms.fhir.vocabulary import ADMINISTERED

_ROLE: Final = HL7 + "v2-0443"
_NEW_RECORD: Final = "00"
_NOBODYS: Final = frozenset(("9999", "0"))
"""Filler numbers that registries send for doses nobody ordered."""
_UNKNOWN_AMOUNT: Final = "999"


def map_immunization(conversion: Conversion, rxa: Node) -> None:
    """Add the Immunization of an RXA, its order and the observations below it."""
    orc = control_of(rxa)
    rxa.take(1, 2)
    resource: Element = {"resourceType": "Immunization"}
    numbers = _numbers(conversion, orc)
    put(resource, "identifier", numbers)
    _add_status(conversion, rxa, resource)
    vaccine = conversion.concept(rxa, 5, "0292")
    resource["vaccineCode"] = vaccine or coded(ABSENT, "unknown")
    subject = conversion.about(rxa, resource, "patient")
    if "patient" not in resource:
        resource["patient"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    _add_times(conversion, orc, rxa, resource)
    _add_origin(conversion, rxa, resource)
    _add_place(conversion, rxa, resource)
    _add_product(conversion, rxa, resource)
    for rxr in rxa.all_below("RXR"):
        add_site(conversion, rxr, resource)
    _add_performers(conversion, orc, rxa, resource)
    if rxa.has(19):
        put(resource, "reasonCode", conversion.concepts(rxa, 19))
    order = [rxa, orc] if orc else [rxa]
    notes = [note for node in order for note in notes_of(conversion, node)]
    put(resource, "note", notes)
    add_facts(conversion, rxa.all_below("OBX"), resource)
    entry = _add(conversion, rxa, resource, numbers)
    map_order_history(conversion, orc, rxa, entry)
    _observe(conversion, rxa, entry)


def _numbers(conversion: Conversion, orc: Node | None) -> list[Element]:
    """Return ORC-2, 3 and 4 as identifiers."""
    found = request_identifiers(conversion, orc, None)
    if orc is not None and orc.has(4) and (source := orc.first(4)):
        found += pair(conversion, source)
    return found


def _add(
    conversion: Conversion, rxa: Node, resource: Element, numbers: list[Element]
) -> Entry:
    """Add it under its filler number, unless that number names no one dose."""
    for one in reversed(numbers[:2]):
        system, value = str(one["system"]), str(one["value"])
        if value not in _NOBODYS and not conversion.holds(
            "Immunization", system, value
        ):
            return conversion.upsert(rxa, resource, system, value)
    subject, segment = conversion.subject_of(rxa), rxa.segment
    parts = (subject.key or conversion.message_key, segment.raw(5), segment.raw(3))
    return conversion.upsert_own(rxa, resource, *parts)


def _add_status(conversion: Conversion, rxa: Node, resource: Element) -> None:
    """RXA-21 D is a mistake (T20), else RXA-20 through the guide's table."""
    sent = code(rxa.text(20))
    status = ADMINISTERED.get(sent, "completed")
    if sent and sent not in ADMINISTERED:
        conversion.lose(rxa, 20, "vocabulary-miss")
    resource["status"] = "entered-in-error" if rxa.text(21) == "D" else status
    conversion.put_concept(resource, "statusReason", rxa, 18)


def _add_times(
    conversion: Conversion, orc: Node | None, rxa: Node, resource: Element
) -> None:
    """RXA-3: when it was given; RXA-22 of a new record, else ORC-9: when noted."""
    when = conversion.when(rxa, 3)
    if when:
        resource["occurrenceDateTime"] = when
    else:
        resource["occurrenceString"] = "unknown"
    if rxa.has(4):
        if rxa.segment.raw(4) == rxa.segment.raw(3):
            rxa.take(4)
        else:
            conversion.lose(rxa, 4, "no-fhir-home")
    if rxa.text(21) in ("A", "") and rxa.has(22):
        conversion.put_time(resource, "recorded", rxa, 22)
    elif orc is not None:
        conversion.put_time(resource, "recorded", orc, 9)


def _add_origin(conversion: Conversion, rxa: Node, resource: Element) -> None:
    """RXA-9 says whether the sender gave the dose or heard of it (D20)."""
    said: list[Element] = []
    for source in rxa.all(9):
        value = Cwe.of(source)
        concept = conversion.concept_of(rxa, 9, source)
        if "NIP001" not in (value.system, value.alternate_system):
            if text := concept.get("text"):
                append(resource, "note", {"text": text})
            continue
        number = value.code if value.system == "NIP001" else value.alternate_code
        resource["primarySource"] = number == _NEW_RECORD
        said.append(concept)
    if said:
        resource["reportOrigin"] = said[0]


def _add_place(conversion: Conversion, rxa: Node, resource: Element) -> None:
    """RXA-27 (before 2.7 RXA-11) and RXA-28: where it was given."""
    source = rxa.first(28) if rxa.has(28) else None
    home = address(conversion.feed, source) if source else {}
    where: Entry | None = None
    for field in (27, 11):
        spot = rxa.first(field) if where is None and rxa.has(field) else None
        where = place(conversion, rxa, spot) if spot else where
    if where is not None:
        where.enrich("address", home)
    elif home:
        location: Element = {"resourceType": "Location", "mode": "instance"}
        location["address"] = home
        where = conversion.add_own_party(rxa, location, str(home))
    if where is not None:
        resource["location"] = where.reference


def _add_product(conversion: Conversion, rxa: Node, resource: Element) -> None:
    """RXA-6, 7, 15, 16, 17: how much of what."""
    if rxa.text(6) == _UNKNOWN_AMOUNT and not rxa.has(7):
        conversion.lose(rxa, 6, "not-mapped-by-choice")  # registries' word for unknown
    elif rxa.has(6):
        put(resource, "doseQuantity", amount(conversion, rxa, 6, 7))
    put(resource, "lotNumber", conversion.string(rxa, 15))
    if rxa.has(16):
        put(resource, "expirationDate", conversion.moment(rxa, 16).date)
    maker = rxa.first(17) if rxa.has(17) else None
    firm = organization_of_code(conversion, rxa, maker) if maker else None
    if firm is not None:
        resource["manufacturer"] = firm.reference


def _add_performers(
    conversion: Conversion, orc: Node | None, rxa: Node, resource: Element
) -> None:
    """RXA-10 gave it, ORC-12 ordered it."""
    people = [(entry, "AP") for entry in practitioners(conversion, rxa, 10)]
    ordered = orderer(conversion, orc, rxa)
    if ordered is not None:
        people.append((ordered, "OP"))
        if orc is not None and orc.has(14):
            ordered.enrich("telecom", phones(conversion, orc, ((14, "work"),)))
    for entry, role in people:
        performer: Element = {"function": coded(_ROLE, role)}
        performer["actor"] = entry.reference
        append(resource, "performer", performer)
    if orc is not None:
        add_label(conversion, orc, resource)
        add_event(conversion, orc, resource)


def _observe(conversion: Conversion, rxa: Node, entry: Entry) -> None:
    """Add the OBX below as Observations that are part of the vaccination."""
    order = Order(key=entry.full_url, status="final")
    map_observations(conversion, rxa.all_below("OBX"), order)
    for observation, _ in order.results:
        observation.resource["partOf"] = [entry.reference]
