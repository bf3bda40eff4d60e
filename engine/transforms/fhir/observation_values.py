"""OBX-2 decides what OBX-5 is.

Spec:
    fhir.md T04, T07, T08, T09.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.hl7 import Repetition
from engine.hl7.segment import NULL
from engine.hl7.timestamps import read_time
from engine.transforms.fhir.attachments import encapsulated, pointer
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    extension,
    free_text,
    period,
    plain,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.quantities import numeric, sampled, span_of, structured

Value: TypeAlias = tuple[str, object]
"""Name of the value element and what it holds; empty where nothing was readable."""

TEXT_KINDS: Final = ("TX", "FT")
_ATTACHED: Final = (
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.valueAttachment"
)


def joined(lines: list[Node]) -> str:
    """Return the text of OBX sent line by line, blank lines kept."""
    texts = ["\n".join(map(free_text, line.all(5))) for line in lines]
    return "\n".join(texts).strip("\n")


def read_value(
    conversion: Conversion, node: Node, sources: list[Repetition], units: Element
) -> Value:
    """Return a value[x] of an Observation: element name and value.

    Args:
        conversion: the message on its way.
        node: the OBX.
        sources: one repetition of OBX-5, of NA all of them.
        units: OBX-6 as the unit parts of a Quantity.
    """
    kind = node.text(2).strip().upper()
    source = sources[0]
    if kind == "NA":
        return sampled(sources, units)
    if kind == "NM":
        return _number(conversion, node, source, units)
    if kind in ("SN", "NR"):
        return (structured if kind == "SN" else span_of)(source, units)
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(conversion, node, source)
    if not kind:
        conversion.find("observation_without_type", node, 2, "OBX-2 is empty")
    return "valueString", _readable(source)


def _number(
    conversion: Conversion, node: Node, source: Repetition, units: Element
) -> Value:
    name, value = numeric(source.strings(1)[0], units)
    if name == "valueString":
        conversion.find("number_expected", node, 5, "OBX-2 says NM, OBX-5 is no number")
        value = value or _readable(source)
    return name, value


def _text(_conversion: Conversion, _node: Node, source: Repetition) -> Value:
    text = free_text(source).strip()
    return "valueString", "" if text == NULL else text


def _readable(source: Repetition) -> str:
    """Return a value of a type FHIR has no element for."""
    parts = [part for n in range(1, source.component_count + 1)
             for part in source.sub(n) if part.strip()]  # fmt: skip
    return plain(" ".join(parts))


def _concept(conversion: Conversion, node: Node, source: Repetition) -> Value:
    return "valueCodeableConcept", conversion.concept_of(node, 5, source)


def _moment(conversion: Conversion, node: Node, source: Repetition) -> Value:
    found = conversion.feed.moment(source.text())
    if found.cut:
        conversion.feed.cuts.clear()
        conversion.lose(node, 5, "cut-to-date")
    if found.text:
        return "valueDateTime", found.text
    return "valueString", _readable(source)


def _time(conversion: Conversion, node: Node, source: Repetition) -> Value:
    """Return a time of day; FHIR's has no zone, which is listed as lost."""
    text = source.text()
    found = read_time(text)
    if not found:
        return "valueString", _readable(source)
    if "+" in text or "-" in text:
        conversion.lose(node, 5, "no-fhir-home")
    return "valueTime", found


def _period(conversion: Conversion, _node: Node, source: Repetition) -> Value:
    found = period(conversion.feed, *source.texts(2))
    return ("valuePeriod", found) if found else ("valueString", _readable(source))


def _data(conversion: Conversion, node: Node, source: Repetition) -> Value:
    found = encapsulated(source)
    if not found:
        conversion.lose(node, 5, "unreadable")
        return "valueString", ""
    return "extension", extension(_ATTACHED, "Attachment", found)


def _pointer(conversion: Conversion, node: Node, source: Repetition) -> Value:
    found = pointer(source)
    if not found:
        conversion.lose(node, 5, "unreadable")
        return "valueString", ""
    return "extension", extension(_ATTACHED, "Attachment", found)


_READERS: Final[Mapping[str, Callable[[Conversion, Node, Repetition], Value]]] = (
    MappingProxyType(
        {
            **dict.fromkeys(("ST", "FT", "TX"), _text),
            **dict.fromkeys(("CE", "CWE", "CNE", "CF", "IS", "ID"), _concept),
            **dict.fromkeys(("DT", "DTM", "TS"), _moment),
            "TM": _time,
            "DR": _period,
            "ED": _data,
            "RP": _pointer,
        }
    )
)
