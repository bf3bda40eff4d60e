"""RXO and RXE to MedicationRequest.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps RXO[MedicationRequest], RXR[MedicationRequest],
    TQ1[MedicationRequest], data type map TQ[MedicationRequest]; fhir.md D05, D06, D13.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    coded,
    entity_identifier,
    plain,
    put,
)
from engine.transforms.fhir.dosage import add_dosage_site, amount
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.medication import ENCODED, ORDERED, add_medication
from engine.transforms.fhir.medication import Fields as MedicationFields
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.observation import Order, map_observations
from engine.transforms.fhir.order_control import (
    add_event,
    add_label,
    add_requester,
    control_of,
    group_number,
    order_status,
    request_identifiers,
    upsert_order,
)
from engine.transforms.fhir.order_history import map_order_history
from engine.transforms.fhir.parties import organization_of_code
from engine.transforms.fhir.quantities import counted
from engine.transforms.fhir.repeats import old_timing, timing
from engine.transforms.fhir.systems import HL7, UCUM
from engine.transforms.fhir.timing import (
    add_old_priority,
    add_priority,
    old_fields,
    texts,
    timings_below,
)

_ORDERED_DOSE: Final = coded(HL7 + "dose-rate-type", "ordered")
_DAY: Final[Element] = {"value": 1, "unit": "d", "system": UCUM, "code": "d"}
_STATUSES: Final = {"revoked": "cancelled"}
_STOPPED: Final = "DC"


@dataclass(frozen=True, slots=True)
class Fields:
    """Where RXO and RXE say the same things; 0 where one of them does not."""

    medication: MedicationFields
    intent: str
    minimum: int
    instructions: int
    substitution: int
    substitution_table: str
    dispensed: int
    refills: int
    orderer: int
    reason: int
    daily: int
    rate: int
    pharmacy: int
    remarks: int = 0
    number: int = 0
    dispensing: int = 0


RXO: Final = Fields(
    ORDERED, "original-order", minimum=2, instructions=7, substitution=9,
    substitution_table="0161", dispensed=11, refills=13, orderer=14, reason=20,
    daily=23, rate=21, pharmacy=32, remarks=6,
)  # fmt: skip
RXE: Final = Fields(
    ENCODED, "order", minimum=3, instructions=7, substitution=9,
    substitution_table="0167", dispensed=10, refills=12, orderer=13, reason=27,
    daily=19, rate=23, pharmacy=40, number=15, dispensing=21,
)  # fmt: skip

SAME: Final[Mapping[int, int]] = MappingProxyType(
    {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 7: 7, 9: 9, 11: 10, 12: 11, 13: 12, 14: 13, 18: 25,
     19: 26, 20: 27, 21: 23, 22: 24, 23: 19, 25: 33, 26: 34, 32: 40}
)  # fmt: skip
"""RXO fields and the RXE fields that say it again, as the pharmacy understood it."""


def map_medication_order(conversion: Conversion, node: Node) -> None:
    """Add the MedicationRequest of an RXO or RXE; of both, RXE's (D13)."""
    orc = control_of(node)
    encoded = orc.child("RXE") if orc else None
    if node.id == "RXO" and encoded is not None:
        _list_differences(conversion, node, encoded)
        return
    fields = RXO if node.id == "RXO" else RXE
    resource: Element = {"resourceType": "MedicationRequest"}
    numbers = _numbers(conversion, orc, node, fields)
    put(resource, "identifier", numbers)
    _add_status(orc, resource)
    resource["intent"] = fields.intent
    add_medication(conversion, node, fields.medication, resource)
    subject = conversion.about(node, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    add_requester(conversion, orc, node, fields.orderer, resource)
    if orc is not None:
        orc.take(2, 3)
        add_event(conversion, orc, resource)
        put(resource, "groupIdentifier", group_number(conversion, orc))
        add_label(conversion, orc, resource)
    if node.has(fields.reason):
        put(resource, "reasonCode", conversion.concepts(node, fields.reason))
    order = [node, orc] if orc else [node]
    _add_notes(conversion, order, fields, resource)
    _add_dosage(conversion, order, fields, resource)
    _add_dispensing(conversion, node, fields, resource)
    request = upsert_order(conversion, node, resource, numbers)
    map_order_history(conversion, orc, node, request)
    _add_observations(conversion, node, request)


def _list_differences(conversion: Conversion, rxo: Node, rxe: Node) -> None:
    """List what an RXO says otherwise than the RXE beside it."""
    for field in rxo.segment.populated():
        rxo.take(field)
        if rxo.segment.raw(field) != rxe.segment.raw(SAME.get(field, 0)):
            conversion.lose(rxo, field, "duplicate")


def _numbers(
    conversion: Conversion, orc: Node | None, node: Node, fields: Fields
) -> list[Element]:
    found = request_identifiers(conversion, orc, None)
    source = node.first(fields.number) if node.has(fields.number) else None
    one = entity_identifier(conversion.feed, Ei.of(source)) if source else {}
    return [*found, one] if one else found


def _add_status(orc: Node | None, resource: Element) -> None:
    status = order_status(orc, resource)
    if orc is not None and _STOPPED in (orc.text(1), orc.text(5)):
        status = "stopped"
    resource["status"] = _STATUSES.get(status, status)


def _add_notes(
    conversion: Conversion, order: list[Node], fields: Fields, resource: Element
) -> None:
    notes = [note for node in order for note in notes_of(conversion, node)]
    remarks = order[0].all(fields.remarks) if fields.remarks else []
    said = (plain(source.text(2) or source.text()) for source in remarks)
    notes += [{"text": words} for words in said if words]
    put(resource, "note", notes)


def _add_dosage(
    conversion: Conversion, order: list[Node], fields: Fields, resource: Element
) -> None:
    """Say how much, when, how and in which words, in one dosage."""
    node = order[0]
    found: Element = {}
    words = [
        text
        for source in node.all(fields.instructions)
        if (text := plain(source.text(2) or source.text(9) or source.text()))
    ]
    put(found, "text", "\n".join(words))
    if fields.dispensing and node.has(fields.dispensing):
        more = conversion.concepts(node, fields.dispensing)
        put(found, "additionalInstruction", more)
    _add_dose(conversion, node, fields, found)
    more = _add_timing(conversion, order, resource, found)
    for rxr in node.all_below("RXR"):
        add_dosage_site(conversion, rxr, found)
    put(resource, "dosageInstruction", [one for one in (found, *more) if one])


def _add_dose(
    conversion: Conversion, node: Node, fields: Fields, found: Element
) -> None:
    units = fields.minimum + 2
    span: Element = {}
    put(span, "low", amount(conversion, node, fields.minimum, units))
    put(span, "high", amount(conversion, node, fields.minimum + 1, units))
    dose: Element = {}
    put(dose, "doseRange", span)
    put(dose, "rateQuantity", amount(conversion, node, fields.rate, fields.rate + 1))
    if dose:
        found["doseAndRate"] = [{"type": _ORDERED_DOSE, **dose}]
    source = node.first(fields.daily) if node.has(fields.daily) else None
    if daily := counted(conversion.feed, source):
        found["maxDosePerPeriod"] = {"numerator": daily, "denominator": _DAY}


def _add_timing(
    conversion: Conversion, order: list[Node], resource: Element, found: Element
) -> list[Element]:
    """TQ1, ORC-7 and RXE-1; a second TQ1 is a dosage of its own, and returned."""
    feed = conversion.feed
    more: list[Element] = []
    dosage = found
    for number, tq1 in enumerate(timings_below(order)):
        if number:
            dosage = {}
            more.append(dosage)
        tq1.take(1)
        _add_quantity(counted(feed, tq1.first(2)), dosage)
        put(dosage, "timing", timing(conversion, tq1))
        add_priority(tq1, resource)
        for words in texts(tq1, 10):
            append(dosage, "additionalInstruction", {"text": words})
        _add_words(dosage, texts(tq1, 11))
    for tq in old_fields(order):
        add_old_priority(tq, resource)
        _add_quantity(counted(feed, tq), found)
        if "timing" not in found:
            put(found, "timing", old_timing(conversion, tq))
        _add_words(found, [plain(tq.text(8))])
    return more


def _add_words(found: Element, words: list[str]) -> None:
    known = str(found.get("text", ""))
    new = [one for one in words if one and one not in known.split("\n")]
    put(found, "text", "\n".join([known, *new] if known else new))


def _add_quantity(dose: Element, found: Element) -> None:
    known = found.get("doseAndRate")
    if dose and not any("doseQuantity" in one for one in _list(known)):
        append(found, "doseAndRate", {"type": _ORDERED_DOSE, "doseQuantity": dose})


def _list(value: object) -> list[Element]:
    return value if isinstance(value, list) else []


def _add_dispensing(
    conversion: Conversion, node: Node, fields: Fields, resource: Element
) -> None:
    """Say how much to dispense, how often again, where, and what instead."""
    found: Element = {}
    refills = node.text(fields.refills).strip()
    if refills.isdecimal():
        found["numberOfRepeatsAllowed"] = int(refills)
    elif refills:
        node.leave(fields.refills)
    quantity = amount(conversion, node, fields.dispensed, fields.dispensed + 1)
    put(found, "quantity", quantity)
    source = node.first(fields.pharmacy) if node.has(fields.pharmacy) else None
    firm = organization_of_code(conversion, node, source) if source else None
    if firm is not None:
        found["performer"] = firm.reference
    put(resource, "dispenseRequest", found)
    instead = conversion.concept(node, fields.substitution, fields.substitution_table)
    if instead:
        resource["substitution"] = {"allowedCodeableConcept": instead}


def _add_observations(conversion: Conversion, node: Node, request: Entry) -> None:
    """Add the OBX that come with the order: they support it."""
    order = Order(key=request.full_url)
    map_observations(conversion, node.all_below("OBX"), order)
    found = [entry.reference for entry, _ in order.results]
    put(request.resource, "supportingInformation", found)
