"""AIS, AIG, AIL and AIP: what and who takes part in an appointment, and when.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps AIS[Appointment], AIG[Appointment],
    AIL[Appointment], AIP[Appointment].
"""

from dataclasses import dataclass
from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe, Hd
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import code, plain, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.places import place
from engine.transforms.fhir.times import later
from engine.transforms.fhir.vocabulary import PARTICIPANT_STATUS

_STARTS: Final = {"AIS": 4, "AIG": 8, "AIL": 6, "AIP": 6}
"""The field that says when; offset, duration and their units follow it."""
_STATUS: Final = {"AIS": 10, "AIG": 14, "AIL": 12, "AIP": 12}
_MINUTES: Final = {
    "": 1, "m": 1, "min": 1, "mins": 1, "minute": 1, "minutes": 1, "h": 60, "hr": 60,
    "hour": 60, "hours": 60, "d": 1440, "day": 1440, "days": 1440,
}  # fmt: skip
_SECONDS: Final = frozenset(("s", "sec", "second", "seconds"))
_SECONDS_IN_MINUTE: Final = 60


@dataclass(slots=True)
class Slot:
    """When an appointment starts, as dateTime, and its status."""

    start: str
    status: str = ""


def minutes(node: Node, field: int, units: int) -> int | None:
    """Return a duration in whole minutes, None where there is none to be read."""
    sent = node.text(field).strip()
    unit = node.text(units).strip().lower()
    if sent.isdecimal() and unit in _MINUTES:
        return int(sent) * _MINUTES[unit]
    if sent.isdecimal() and unit in _SECONDS:
        return int(sent) // _SECONDS_IN_MINUTE
    if sent:
        node.leave(field)
    return None


def participants(
    conversion: Conversion, parts: list[Node], slot: Slot
) -> list[Element]:
    """Return what takes part beside the patient, in message order.

    Args:
        conversion: the message on its way.
        parts: the AIS, AIG, AIL and AIP of the message.
        slot: the appointment they belong to.
    """
    found: list[Element] = []
    for node in parts:
        node.take(1, 2)
        span = _period(conversion, node, slot)
        status = _status(node, slot)
        for one in _READERS[node.id](conversion, node):
            put(one, "period", span)
            if node.id != "AIS" or span:
                found.append({**one, "status": status})
    return found


def _status(node: Node, slot: Slot) -> str:
    sent = node.text(_STATUS[node.id]).strip().lower()
    by_appointment = PARTICIPANT_STATUS.get(slot.status, "accepted")
    return PARTICIPANT_STATUS.get(sent, by_appointment)


def _period(conversion: Conversion, node: Node, slot: Slot) -> Element:
    """Return when a part is needed: from its start or offset, for its duration."""
    field = _STARTS[node.id]
    start = conversion.when(node, field) if node.has(field) else ""
    if not start and node.has(field + 1):
        offset = minutes(node, field + 1, field + 2)
        start = later(slot.start, offset) if offset is not None else ""
        if not start:
            node.leave(field + 1)
    found: Element = {}
    put(found, "start", start)
    length = minutes(node, field + 3, field + 4) if node.has(field + 3) else None
    if start and length:
        put(found, "end", later(start, length))
    if length and "end" not in found:
        node.leave(field + 3)
    return found


def _service(conversion: Conversion, ais: Node) -> list[Element]:
    what = conversion.concept(ais, 3)
    return [{"type": [what]}] if what else []


def _thing(conversion: Conversion, aig: Node) -> list[Element]:
    """Return a general resource, known by its number only."""
    found: list[Element] = []
    for source in aig.all(3):
        actor = _named(conversion, source)
        if actor:
            found.append(_typed(conversion, aig, 4, {"actor": actor}))
    return found or _typed_alone(conversion, aig, 4)


def _named(conversion: Conversion, source: Repetition) -> Element:
    value = Cwe.of(source)
    actor: Element = {}
    if number := code(plain(value.code)):
        system = conversion.feed.identifier_system(
            Hd(value.system or "resources", value.system_oid)
        )
        actor["identifier"] = {"system": system, "value": number}
    put(actor, "display", plain(value.text or value.original_text or value.code))
    return actor


def _location(conversion: Conversion, ail: Node) -> list[Element]:
    entries = [place(conversion, ail, source) for source in ail.all(3)]
    found = [
        _typed(conversion, ail, 4, {"actor": entry.reference})
        for entry in entries
        if entry is not None
    ]
    return found or _typed_alone(conversion, ail, 4)


def _person(conversion: Conversion, aip: Node) -> list[Element]:
    found = [
        _typed(conversion, aip, 4, {"actor": entry.reference})
        for entry in practitioners(conversion, aip, 3)
    ]
    return found or _typed_alone(conversion, aip, 4)


def _typed(conversion: Conversion, node: Node, field: int, one: Element) -> Element:
    kind = conversion.concept(node, field)
    return {"type": [kind], **one} if kind else one


def _typed_alone(conversion: Conversion, node: Node, field: int) -> list[Element]:
    """Return a part of which only the kind is known."""
    one = _typed(conversion, node, field, {})
    return [one] if one else []


_READERS: Final = {"AIS": _service, "AIG": _thing, "AIL": _location, "AIP": _person}
