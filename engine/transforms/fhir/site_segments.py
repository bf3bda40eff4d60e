"""Z segments: fields for which the feed names an extension, and nothing else.

Spec:
    fhir.md section 7: nothing is mapped by guess.
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, code, extension, plain
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.patient import flag
from engine.transforms.leftover import Numbers, left_over

_CONCEPT: Final = frozenset((1, component, 1) for component in range(1, 23))
"""The leaves of a coded field, CWE.1 to CWE.22, of which one concept is made."""


def map_site_segment(conversion: Conversion, node: Node) -> None:
    """Add the extensions a feed names for a Z segment to the visit or the patient."""
    subject = conversion.subject_of(node)
    owner = subject.encounter or subject.patient
    if owner is None:
        return
    carried: dict[int, set[Numbers]] = {}
    for path, rule in conversion.context.options.z.items():
        segment_id, _, place = path.partition("-")
        field, _, component = place.partition(".")
        if segment_id == node.id and node.has(int(field)):
            number, part = int(field), int(component or 1)
            kind, value = _value(conversion, node, (number, part), rule["type"])
            if value in ("", None, {}):
                conversion.lose(node, number, "unreadable")
                continue
            one = extension(rule["url"], kind, value)
            append(owner.resource, "extension", one)
            spots = carried.setdefault(number, set())
            spots |= _CONCEPT if kind == "CodeableConcept" else {(1, part, 1)}
    for number, spots in carried.items():
        for _, part in left_over(node.segment, number, spots):
            conversion.lose(node, number, "z-segment", part)


def _value(
    conversion: Conversion, node: Node, place: tuple[int, int], kind: str
) -> tuple[str, object]:
    """Return the name FHIR has for a type, and the value read as that type."""
    text = node.text(*place)
    if kind == "CodeableConcept":
        source = node.first(place[0])
        found: Element = conversion.concept_of(node, place[0], source) if source else {}
        return kind, found
    if kind in ("dateTime", "date"):
        moment = conversion.feed.moment(text)
        return kind[0].upper() + kind[
            1:
        ], moment.date if kind == "date" else moment.text
    if kind == "boolean":
        return "Boolean", flag(text)
    if kind == "integer":
        return "Integer", int(text) if text.strip().isdecimal() else None
    if kind == "code":
        return "Code", code(text)
    return "String", plain(text)
