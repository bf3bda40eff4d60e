"""OBX to Observation.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps OBX[Observation] and OBX[Observation-Component];
    fhir.md T04, T08, T10, T11, T13, T33 and D08 to D10.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    append,
    code,
    coded,
    entity_identifier,
    extension,
    keep,
    listed,
    plain,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.observation_values import TEXT_KINDS, joined, read_value
from engine.transforms.fhir.observers import performers
from engine.transforms.fhir.parties import (
    device_of_entity,
)
from engine.transforms.fhir.quantities import reference_range, unit
from engine.transforms.fhir.said import BLANK, drop_blanks
from engine.transforms.fhir.systems import HL7, IDENTIFIER_TYPE
from engine.transforms.fhir.vocabulary import (
    EXACT_OBSERVATION_STATUS,
    INTERPRETATION,
    OBSERVATION_STATUS,
    V3_INTERPRETATION,
)

ABSENT: Final = HL7 + "data-absent-reason"
_STATUS_TABLE: Final = HL7 + "v2-0085"
_INTERPRETATION_CODES: Final = {code: code for code in INTERPRETATION}
_MEASURED: Final = frozenset(
    ("valueQuantity", "valueRange", "valueRatio", "valueSampledData", "low", "high")
)
_OF_A_LINE: Final = frozenset((1, 2, 5))
"""Fields that each line of a text has of its own: number, TX or FT, the text."""
_OF_ONE_RESULT: Final = (1, 5, 14, 19, 33)
"""OBX fields read apart: number, result, times and specimen."""

_ABSENT_BY_STATUS: Final = {"N": "not-asked", "X": "error"}


@dataclass(slots=True)
class Order:
    """What the observations of one order share.

    ``key`` names the order in the keys of its observations; ``specimens`` are the SPM
    of its group by what OBX-33 may call them.
    """

    key: str = ""
    status: str = ""
    as_of: str = ""
    effective: Element = field(default_factory=dict)
    category: list[Element] = field(default_factory=list)
    specimens: dict[str, Entry] = field(default_factory=dict)
    members: dict[str, Entry] = field(default_factory=dict)
    results: list[tuple[Entry, Node]] = field(default_factory=list)


def map_observations(
    conversion: Conversion, nodes: Iterable[Node], order: Order
) -> None:
    """Add the Observations of one group of OBX; the order gathers them."""
    for lines in _statements(conversion, list(nodes)):
        entry = _observe(conversion, lines, order)
        if entry is not None:
            order.results.append((entry, lines[0]))
    _group(order)


def _statements(conversion: Conversion, nodes: list[Node]) -> list[list[Node]]:
    """Return OBX that are one statement: text sent line by line is one (T08)."""
    found: list[list[Node]] = []
    join = conversion.context.options.text_lines == "join"
    for node in nodes:
        segment = node.segment
        if join and found and segment.raw(2) in TEXT_KINDS:
            before = found[-1][0].segment
            if (
                before.raw(2) in TEXT_KINDS
                and segment.raw(3) == before.raw(3)
                and segment.raw(4) == before.raw(4)
            ):
                found[-1].append(node)
                continue
        found.append([node])
    return found


def _observe(conversion: Conversion, lines: list[Node], order: Order) -> Entry | None:
    node = lines[0]
    test, units, more = conversion.read_once(node, _read_test, _OF_ONE_RESULT)
    resource = {**test}
    for line in lines:
        line.take(1, 2)
    _add_common(conversion, node, resource, order)
    _add_effective(conversion, node, resource, order)
    reason = ""
    if not _add_value(conversion, lines, resource, units):
        reason = _ABSENT_BY_STATUS.get(node.text(11), "unknown")
        resource["dataAbsentReason"] = coded(ABSENT, reason)
    _add_more(resource, more)
    if not (units and _has_unit(resource)):
        _lose_units(conversion, lines)
    if order.specimens:
        resource["specimen"] = _specimen(node, order).reference
    drop_blanks(resource, "category", "subject", "encounter", "specimen")
    put(resource, "note", [one for line in lines for one in notes_of(conversion, line)])
    for line in lines[1:]:
        _join(conversion, node, line)
    entry = _add(conversion, node, resource, order)
    if reason == "unknown":
        entry.presumed = ("value",)
    return entry


class Test(NamedTuple):
    """What an OBX says beside the result and its time, much the same in every message.

    ``more`` are the elements that follow the value.
    """

    resource: Element
    units: Element
    more: Element


def _read_test(conversion: Conversion, node: Node) -> Test:
    resource: Element = {"resourceType": "Observation"}
    _add_identifier(conversion, node, resource)
    _add_status(node, resource)
    resource["category"] = BLANK
    if node.has(29):
        put(resource, "category", conversion.concepts(node, 29, "0936"))
    resource["code"] = _code(conversion, node)
    resource["subject"] = resource["encounter"] = BLANK
    units = unit(conversion.feed, node.first(6)) if node.has(6) else {}
    more: Element = {}
    _add_judgement(conversion, node, more, units)
    more["specimen"] = BLANK
    _add_circumstances(conversion, node, more)
    return Test(resource, units, more)


def _add_common(
    conversion: Conversion, node: Node, resource: Element, order: Order
) -> None:
    """Add what the results of one order share: status, category, patient, visit."""
    if resource["status"] is BLANK:
        resource["status"] = order.status or "unknown"
    put(resource, "category", order.category + listed(resource, "category"))
    subject = conversion.about(node, resource)
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference


def _add_more(resource: Element, more: Element) -> None:
    """Add what follows the value; the value may have made extensions before."""
    before = listed(resource, "extension")
    resource.update(more)
    if before:
        resource["extension"] = before + listed(more, "extension")


def _add(conversion: Conversion, node: Node, resource: Element, order: Order) -> Entry:
    own = node.segment.raw(21)
    if own:
        known = resource.get("identifier")
        if isinstance(known, list):
            system, value = known[0]["system"], known[0]["value"]
            if not conversion.holds("Observation", system, value):
                return conversion.upsert(node, resource, system, value)
            parts = _key(conversion, node, order)
            return conversion.upsert_beside(node, 21, resource, *parts)
    return conversion.upsert_own(node, resource, *_key(conversion, node, order))


def _key(conversion: Conversion, node: Node, order: Order) -> tuple[str, ...]:
    """Return what names a result without a number: its test, and which one of it."""
    parts = (order.key, node.segment.raw(3), node.segment.raw(4))
    return *parts, conversion.count(*parts)


def _add_identifier(conversion: Conversion, node: Node, resource: Element) -> None:
    source = node.first(21) if node.has(21) else None
    if source is None:
        return
    one = entity_identifier(conversion.feed, Ei.of(source))
    if one:
        one["type"] = coded(IDENTIFIER_TYPE, "FILL")
        resource["identifier"] = [one]


def _add_status(node: Node, resource: Element) -> None:
    """OBX-11 (T10); blank for the report's status where it is empty."""
    sent = code(node.text(11))
    resource["status"] = OBSERVATION_STATUS.get(sent, "unknown") if sent else BLANK
    if sent and sent not in EXACT_OBSERVATION_STATUS:
        resource["_status"] = alternate_codes(coded(_STATUS_TABLE, sent))


def _code(conversion: Conversion, node: Node) -> Element:
    found = conversion.concept(node, 3)
    if found:
        return found
    conversion.find("observation_without_code", node, 3, "OBX-3 is empty")
    return coded(ABSENT, "unknown")


def _add_effective(
    conversion: Conversion, node: Node, resource: Element, order: Order
) -> None:
    if node.has(14) and (when := conversion.when(node, 14)):
        resource["effectiveDateTime"] = when
    else:
        resource.update(order.effective)
    if node.has(19) and (when := conversion.when(node, 19)):
        append(
            resource,
            "extension",
            extension("observation-analysis-date-time", "DateTime", when),
        )


def _add_value(
    conversion: Conversion, lines: list[Node], resource: Element, units: Element
) -> bool:
    """Add OBX-5 by OBX-2; tell whether there was a value (T11, T13)."""
    node = lines[0]
    if len(lines) > 1:
        put(resource, "valueString", joined(lines))
        return "valueString" in resource
    sources = node.all(5)
    if not sources:
        return False
    if len(sources) > 1 and node.text(2) != "NA":
        return _add_components(conversion, node, resource, units)
    name, value = read_value(conversion, node, sources, units)
    if name == "extension" and isinstance(value, dict):
        append(resource, "extension", value)
    elif value:
        resource[name] = value
    return bool(value)


def _lose_units(conversion: Conversion, lines: list[Node]) -> None:
    for line in lines:
        if line.has(6):
            conversion.lose(line, 6, "no-fhir-home")


def _has_unit(resource: Element) -> bool:
    """Whether a value of a result, or its normal range, has a place for its unit."""
    if not _MEASURED.isdisjoint(resource):
        return True
    parts = listed(resource, "component") + listed(resource, "referenceRange")
    return not all(_MEASURED.isdisjoint(each) for each in parts)


def _join(conversion: Conversion, first: Node, line: Node) -> None:
    """Account for a further line of text: what it says otherwise than the first."""
    for place in line.segment.populated():
        if not first.taken >> place & 1:
            continue  # nobody reads it in the first line either
        line.take(place)
        raw = line.segment.raw(place)
        if place not in _OF_A_LINE and raw != first.segment.raw(place):
            conversion.lose(line, place, "not-mapped-by-choice")


def _add_components(
    conversion: Conversion, node: Node, resource: Element, units: Element
) -> bool:
    """Several values become components of the same code."""
    for source in node.all(5):
        name, value = read_value(conversion, node, [source], units)
        if value:
            component: Element = {"code": resource["code"]}
            component[name] = [value] if name == "extension" else value
            append(resource, "component", component)
    return "component" in resource


def _add_judgement(
    conversion: Conversion, node: Node, resource: Element, units: Element
) -> None:
    """OBX-7, 8 and 10: range, interpretation, nature of the test."""
    if node.has(7) and (text := conversion.string(node, 7)):
        resource["referenceRange"] = [reference_range(text, units)]
    if node.has(8):
        resource["interpretation"] = [
            translated(found, _INTERPRETATION_CODES, V3_INTERPRETATION)
            for found in conversion.concepts(node, 8, "0078")
        ]
        if not resource["interpretation"]:
            del resource["interpretation"]
    if node.has(10):
        for one in conversion.concepts(node, 10, "0080"):
            name = "observation-nature-of-abnormal-test"
            append(resource, "extension", extension(name, "CodeableConcept", one))
    if node.has(30) and (kind := conversion.concept(node, 30, "0937")):
        keep(resource, "observation-structure-type", "CodeableConcept", kind)
    if node.has(4) and (text := conversion.string(node, 4)):
        inner: Element = {"url": "original-sub-identifier", "valueString": text}
        url = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"
        append(resource, "extension", {"url": url, "extension": [inner]})


def _add_circumstances(conversion: Conversion, node: Node, resource: Element) -> None:
    """Who, how, with what and where on the body."""
    if not node.reaches(15):
        return
    put(resource, "performer", performers(conversion, node))
    conversion.put_concept(resource, "method", node, 17)
    conversion.put_concept(resource, "bodySite", node, 20, "0163")
    source = node.first(18) if node.has(18) else None
    device = device_of_entity(conversion, node, source) if source else None
    if device is not None:
        resource["device"] = device.mention()
    elif source is not None:
        node.leave(18)


def _specimen(node: Node, order: Order) -> Entry:
    """Return the specimen OBX-33 names, else the one it stands below or the first."""
    for part in (1, 2) if node.has(33) else ():
        name = node.text(33, part)
        if name and name in order.specimens:
            return order.specimens[name]
    above = node.above("SPM")
    if above is not None and f"#{above.position}" in order.specimens:
        return order.specimens[f"#{above.position}"]
    return next(iter(order.specimens.values()))


def _group(order: Order) -> None:
    """Put ``1.1`` and ``1.2`` below the observation that is sub-identified ``1``."""
    if not any("." in node.text(4) for _, node in order.results):
        return
    heads = {
        plain(node.segment.text(4)): entry
        for entry, node in reversed(order.results)
        if node.segment.raw(4) and "." not in node.segment.raw(4)
    }
    for entry, node in order.results:
        head, dot, _ = node.segment.text(4).partition(".")
        above = heads.get(head) if dot else None
        if above is not None and above is not entry:
            members = above.resource.setdefault("hasMember", [])
            if isinstance(members, list) and entry.reference not in members:
                members.append(entry.reference)
