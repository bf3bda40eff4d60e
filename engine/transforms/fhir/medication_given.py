"""RXD to MedicationDispense, and RXA of a treatment to MedicationAdministration.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map ORC[MedicationAdministration]; fhir.md D13.
"""

from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    entity_identifier,
    plain,
    put,
)
from engine.transforms.fhir.dosage import add_dosage_site, amount
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.medication import ADMINISTERED as RXA
from engine.transforms.fhir.medication import DISPENSED as RXD
from engine.transforms.fhir.medication import add_medication
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.observation import Order, map_observations
from engine.transforms.fhir.order_control import (
    add_event,
    add_label,
    control_of,
    request_identifiers,
)
from engine.transforms.fhir.order_history import map_order_history
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.places import place
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import ADMINISTERED, DISPENSED

_ROLE: Final = HL7 + "v2-0443"
_UNSUBSTITUTED: Final = frozenset(("0", "N"))
_UNKNOWN_TIME: Final[Element] = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}


def map_dispense(conversion: Conversion, rxd: Node) -> None:
    """Add the MedicationDispense of an RXD."""
    orc = control_of(rxd)
    resource: Element = {"resourceType": "MedicationDispense"}
    numbers = _numbers(conversion, orc, rxd, 7)
    put(resource, "identifier", numbers)
    control = orc.text(1) if orc else ""
    resource["status"] = DISPENSED.get(control, "completed")
    add_medication(conversion, rxd, RXD, resource)
    _add_context(conversion, rxd, resource)
    for entry in practitioners(conversion, rxd, 10):
        append(resource, "performer", {"actor": entry.reference})
    request = _request(conversion, orc, numbers)
    put(resource, "authorizingPrescription", [request] if request else [])
    put(resource, "quantity", amount(conversion, rxd, 4, 5))
    conversion.put_time(resource, "whenHandedOver", rxd, 3)
    _add_destination(conversion, rxd, resource)
    put(resource, "note", _notes(conversion, orc, rxd))
    dosage: Element = {}
    if rxd.has(15):
        put(dosage, "additionalInstruction", conversion.concepts(rxd, 15))
    for rxr in rxd.all_below("RXR"):
        add_dosage_site(conversion, rxr, dosage)
    put(resource, "dosageInstruction", [dosage] if dosage else [])
    if instead := conversion.concept(rxd, 11, "0167"):
        was = code(rxd.text(11)) not in _UNSUBSTITUTED
        resource["substitution"] = {"wasSubstituted": was, "type": instead}
    rxd.take(1)
    _add(conversion, orc, rxd, resource, numbers)


def map_administration(conversion: Conversion, rxa: Node) -> None:
    """Add the MedicationAdministration of an RXA."""
    orc = control_of(rxa)
    rxa.take(1, 2)
    resource: Element = {"resourceType": "MedicationAdministration"}
    numbers = request_identifiers(conversion, orc, None)
    put(resource, "identifier", numbers)
    _add_status(conversion, rxa, resource)
    add_medication(conversion, rxa, RXA, resource)
    _add_context(conversion, rxa, resource)
    _add_time(conversion, rxa, resource)
    for node, field, role in ((rxa, 10, "AP"), (orc, 12, "OP")):
        for entry in practitioners(conversion, node, field) if node else ():
            performer: Element = {"function": coded(_ROLE, role)}
            performer["actor"] = entry.reference
            append(resource, "performer", performer)
    if rxa.has(19):
        put(resource, "reasonCode", conversion.concepts(rxa, 19))
    put(resource, "request", _request(conversion, orc, numbers))
    notes = _notes(conversion, orc, rxa)
    for source in rxa.all(9):
        if words := plain(source.text(2) or source.text(9) or source.text()):
            notes.append({"text": words})
    put(resource, "note", notes)
    put(resource, "dosage", _dosage(conversion, rxa))
    entry = _add(conversion, orc, rxa, resource, numbers)
    order = Order(key=entry.full_url, status="final")
    map_observations(conversion, rxa.all_below("OBX"), order)
    for observation, _ in order.results:
        observation.resource["partOf"] = [entry.reference]


def _numbers(
    conversion: Conversion, orc: Node | None, node: Node, field: int
) -> list[Element]:
    """Return the order's numbers, and that of the prescription."""
    found = request_identifiers(conversion, orc, None)
    source = node.first(field) if node.has(field) else None
    one = entity_identifier(conversion.feed, Ei.of(source)) if source else {}
    return [*found, one] if one else found


def _add(
    conversion: Conversion,
    orc: Node | None,
    node: Node,
    resource: Element,
    numbers: list[Element],
) -> Entry:
    """Add it under a key of ours: one order is dispensed and given many times."""
    segment = node.segment
    order = "|".join(str(one["value"]) for one in numbers)
    what, when = segment.raw(5 if node.id == "RXA" else 2), segment.raw(3)
    owner = conversion.subject_of(node).key or conversion.message_key
    entry = conversion.upsert_own(
        node, resource, owner, order, what, when, segment.raw(1), segment.raw(2)
    )
    if orc is not None:
        orc.take(1, 2, 3)
        add_event(conversion, orc, entry.resource)
        add_label(conversion, orc, entry.resource)
        map_order_history(conversion, orc, node, entry)
    return entry


def _add_context(conversion: Conversion, node: Node, resource: Element) -> None:
    subject = conversion.about(node, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["context"] = subject.encounter.reference


def _request(
    conversion: Conversion, orc: Node | None, numbers: list[Element]
) -> Element:
    """Return the prescription: of this message, else by its number."""
    details = [child for child in orc.children if child.id == "RXE"] if orc else []
    details += [child for child in orc.children if child.id == "RXO"] if orc else []
    wanted = {node.position for node in details}
    for entry in conversion.mapped.all("MedicationRequest"):
        if entry.segment in wanted:
            return entry.reference
    if not numbers:
        return {}
    return {"type": "MedicationRequest", "identifier": numbers[0]}


def _notes(conversion: Conversion, orc: Node | None, node: Node) -> list[Element]:
    order = [node, orc] if orc else [node]
    found = [note for one in order for note in notes_of(conversion, one)]
    if node.id == "RXD":
        texts = (plain(source.text()) for source in node.all(9))
        found += [{"text": text} for text in texts if text]
    return found


def _add_destination(conversion: Conversion, rxd: Node, resource: Element) -> None:
    """RXD-13: where it went, a place as LA2."""
    source = rxd.first(13) if rxd.has(13) else None
    where = place(conversion, rxd, source) if source else None
    if where is not None:
        resource["destination"] = where.reference


def _add_status(conversion: Conversion, rxa: Node, resource: Element) -> None:
    """RXA-21 D is a mistake (T20), else RXA-20."""
    sent = code(rxa.text(20))
    if sent and sent not in ADMINISTERED:
        conversion.lose(rxa, 20, "vocabulary-miss")
    status = ADMINISTERED.get(sent, "completed")
    resource["status"] = "entered-in-error" if rxa.text(21) == "D" else status
    if rxa.has(18):
        put(resource, "statusReason", conversion.concepts(rxa, 18))


def _add_time(conversion: Conversion, rxa: Node, resource: Element) -> None:
    """RXA-3 and 4: one moment, or from when to when."""
    start = conversion.when(rxa, 3) if rxa.has(3) else ""
    end = conversion.when(rxa, 4) if rxa.has(4) else ""
    if end and end != start:
        span: Element = {}
        put(span, "start", start)
        resource["effectivePeriod"] = {**span, "end": end}
    elif start:
        resource["effectiveDateTime"] = start
    else:
        resource["_effectiveDateTime"] = _UNKNOWN_TIME


def _dosage(conversion: Conversion, rxa: Node) -> Element:
    found: Element = {}
    put(found, "dose", amount(conversion, rxa, 6, 7))
    for rxr in rxa.all_below("RXR"):
        add_dosage_site(conversion, rxr, found)
    if more := found.pop("additionalInstruction", None):
        words = [one.get("text") for one in more if isinstance(one, dict)]  # type: ignore[attr-defined]
        put(found, "text", "\n".join(str(one) for one in words if one))
    return found
