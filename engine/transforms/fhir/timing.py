"""TQ1, and TQ of older versions, to the when and how much of an order.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map TQ1[ServiceRequest], data type map
    TQ[ServiceRequest].
"""

from typing import Final

from engine.hl7 import Repetition
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, plain, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.quantities import counted
from engine.transforms.fhir.vocabulary import PRIORITY

_START, _END, _PRIORITY = 4, 5, 6
_OLD: Final = ((7, "ORC"), (27, "OBR"))
"""Fields of type TQ."""


def add_timing(conversion: Conversion, nodes: list[Node], resource: Element) -> None:
    """Add what TQ1, ORC-7 and OBR-27 say to a ServiceRequest; the first one wins.

    Args:
        conversion: the message on its way.
        nodes: OBR and ORC of the order.
        resource: the ServiceRequest.
    """
    for node in nodes:
        for tq1 in node.all_below("TQ1"):
            _add_tq1(conversion, tq1, resource)
    for node in nodes:
        for field, segment_id in _OLD:
            if node.id == segment_id and node.has(field) and (tq := node.first(field)):
                _add_tq(conversion, tq, resource)


def _add_tq1(conversion: Conversion, tq1: Node, resource: Element) -> None:
    tq1.take(1)
    feed = conversion.feed
    if tq1.has(2) and (amount := counted(feed, tq1.first(2))):
        resource.setdefault("quantityQuantity", amount)
    _add_span(conversion, tq1, resource)
    if tq1.has(9):
        _add_priority(tq1, resource)
    for source in tq1.all(11) if tq1.has(11) else ():
        if words := plain(source.text()):
            append(resource, "note", {"text": words})


def _add_span(conversion: Conversion, tq1: Node, resource: Element) -> None:
    """TQ1-7 and 8: when it is to be done; TQ1-3: how often, in words."""
    span: Element = {}
    conversion.put_time(span, "start", tq1, 7)
    conversion.put_time(span, "end", tq1, 8)
    repeat: Element = {}
    put(repeat, "boundsPeriod", span)
    count = tq1.text(14).strip()
    if count.isdecimal() and int(count) > 0:
        repeat["count"] = int(count)
    timing: Element = {}
    put(timing, "repeat", repeat)
    if tq1.has(3) and (pattern := plain(tq1.text(3))):
        timing["code"] = {"text": pattern}
    if timing and not {"occurrenceDateTime", "occurrenceTiming"} & resource.keys():
        resource["occurrenceTiming"] = timing
    elif timing:
        for field in (3, 7, 8, 14):
            tq1.leave(field)


def _add_priority(tq1: Node, resource: Element) -> None:
    if found := PRIORITY.get(tq1.text(9).strip()):
        resource.setdefault("priority", found)
    else:
        tq1.leave(9)


def _add_tq(conversion: Conversion, tq: Repetition, resource: Element) -> None:
    feed = conversion.feed
    if found := PRIORITY.get(tq.text(_PRIORITY).strip()):
        resource.setdefault("priority", found)
    if amount := counted(feed, tq):
        resource.setdefault("quantityQuantity", amount)
    span: Element = {}
    put(span, "start", feed.date_time(tq.text(_START)))
    put(span, "end", feed.date_time(tq.text(_END)))
    if span and not {"occurrenceDateTime", "occurrenceTiming"} & resource.keys():
        resource["occurrenceTiming"] = {"repeat": {"boundsPeriod": span}}
    if words := plain(tq.text(8)):
        append(resource, "note", {"text": words})
