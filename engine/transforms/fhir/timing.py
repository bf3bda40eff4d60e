"""TQ1, and TQ of older versions, to the when and how much of an order.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps TQ1[ServiceRequest], TQ1[MedicationRequest], data
    type maps TQ[ServiceRequest], TQ[MedicationRequest].
"""

from typing import Final

from engine.hl7 import Repetition
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, plain, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.quantities import counted
from engine.transforms.fhir.repeats import old_timing, timing
from engine.transforms.fhir.vocabulary import PRIORITY

_PRIORITY: Final = 6
_OLD: Final = ((7, "ORC"), (27, "OBR"), (1, "RXE"))
"""Fields of type TQ."""


def add_timing(conversion: Conversion, nodes: list[Node], resource: Element) -> None:
    """Add what TQ1, ORC-7 and OBR-27 say to a ServiceRequest; the first one wins.

    Args:
        conversion: the message on its way.
        nodes: OBR and ORC of the order.
        resource: the ServiceRequest.
    """
    for tq1 in timings_below(nodes):
        tq1.take(1)
        feed = conversion.feed
        if tq1.has(2) and (amount := counted(feed, tq1.first(2))):
            resource.setdefault("quantityQuantity", amount)
        if "occurrenceTiming" not in resource:
            _set_occurrence(resource, timing(conversion, tq1))
        add_priority(tq1, resource)
        for words in texts(tq1, 11):
            append(resource, "note", {"text": words})
    for tq in old_fields(nodes):
        _add_tq(conversion, tq, resource)


def timings_below(nodes: list[Node]) -> list[Node]:
    """Return the TQ1 of an order, those of its detail segment first."""
    return [tq1 for node in nodes for tq1 in node.all_below("TQ1")]


def old_fields(nodes: list[Node]) -> list[Repetition]:
    """Return the first repetition of each TQ field of an order that says something."""
    found: list[Repetition] = []
    for node in nodes:
        for field, segment_id in _OLD:
            if node.id == segment_id and node.has(field) and (tq := node.first(field)):
                if _says_something(tq):
                    found.append(tq)
                else:
                    node.leave(field)
    return found


def _says_something(tq: Repetition) -> bool:
    """Whether a TQ says more than a priority that nobody knows."""
    known = tq.text(_PRIORITY).strip() in PRIORITY
    count = tq.component_count
    return known or any(tq.text(n) for n in range(1, count + 1) if n != _PRIORITY)


def texts(tq1: Node, field: int) -> list[str]:
    """Return the words of a text field, repetition by repetition."""
    sources = tq1.all(field) if tq1.has(field) else []
    return [words for source in sources if (words := plain(source.text()))]


def add_priority(tq1: Node, resource: Element) -> None:
    """TQ1-9; what came before it wins."""
    if not tq1.has(9):
        return
    if found := PRIORITY.get(tq1.text(9).strip()):
        resource.setdefault("priority", found)
    else:
        tq1.leave(9)


def add_old_priority(tq: Repetition, resource: Element) -> None:
    """TQ.6; what came before it wins."""
    if found := PRIORITY.get(tq.text(_PRIORITY).strip()):
        resource.setdefault("priority", found)


def _set_occurrence(resource: Element, found: Element) -> None:
    """Set when it is to be done; a moment known before is an event of the timing."""
    if found:
        moment = resource.pop("occurrenceDateTime", None)
        put(found, "event", [moment] if moment else [])
        resource["occurrenceTiming"] = found


def _add_tq(conversion: Conversion, tq: Repetition, resource: Element) -> None:
    add_old_priority(tq, resource)
    if amount := counted(conversion.feed, tq):
        resource.setdefault("quantityQuantity", amount)
    if "occurrenceTiming" not in resource:
        _set_occurrence(resource, old_timing(conversion, tq))
    if words := plain(tq.text(8)):
        append(resource, "note", {"text": words})
