"""What a PID says about a person that Patient has no element for.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map PID[Patient]; fhir.md T27.
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import extension, plain, translated
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.names import address, human_names
from engine.transforms.fhir.systems import EXTENSION
from engine.transforms.fhir.vocabulary import RELIGION, V3_RELIGION

_US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_OMB_SYSTEM: Final = "urn:oid:2.16.840.1.113883.6.238"
_OMB_RACES: Final = frozenset(
    ("1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2131-1", "UNK", "ASKU")
)
_OMB_ETHNICITIES: Final = frozenset(("2135-2", "2186-5"))
_PLAIN: Final = "urn:id:interop-engine:patient-"


def person_extensions(conversion: Conversion, pid: Node) -> list[Element]:
    """Return what Patient has no element for."""
    found: list[Element] = []
    if pid.has(6):
        found += _maiden_name(conversion, pid)
    found += _origins(conversion, pid)
    if sent := conversion.concept(pid, 17, "0006"):
        religion = translated(sent, RELIGION, V3_RELIGION)
        found.append(extension("patient-religion", "CodeableConcept", religion))
    if pid.has(23) and (source := pid.first(23)):
        place = (
            address(conversion.feed, source)
            if source.component_count > 1
            else {"text": text}
            if (text := plain(source.text()))
            else {}
        )
        if place:
            found.append(extension("patient-birthPlace", "Address", place))
    for field, name in ((26, "citizenship"), (28, "nationality"), (39, "citizenship")):
        if pid.has(field):
            found += [
                _nested("patient-" + name, "code", one)
                for one in conversion.concepts(pid, field)
            ]
    if pid.has(35) or pid.has(36):
        found += _animal(conversion, pid)
    return found


def _maiden_name(conversion: Conversion, pid: Node) -> list[Element]:
    source = pid.first(6)
    names = human_names(conversion.feed, source) if source else []
    if not names:
        return []
    given = names[0].get("given")
    parts = [*(given if isinstance(given, list) else ()), names[0].get("family", "")]
    text = " ".join(str(part) for part in parts if part)
    return [extension("patient-mothersMaidenName", "String", text)] if text else []


def _nested(name: str, part: str, value: Element) -> Element:
    inner = {"url": part, "valueCodeableConcept": value}
    return {"url": EXTENSION + name,
            "extension": [inner]}  # fmt: skip


def _animal(conversion: Conversion, pid: Node) -> list[Element]:
    parts: list[Element] = [
        {"url": name, "valueCodeableConcept": one}
        for field, name in ((35, "species"), (36, "breed"))
        if (one := conversion.concept(pid, field))
    ]
    url = EXTENSION + "patient-animal"
    return [{"url": url, "extension": parts}] if parts else []


def _origins(conversion: Conversion, pid: Node) -> list[Element]:
    """PID-10 and PID-22: US Core where the feed is American, else plain codes."""
    found: list[Element] = []
    for field, name, categories in (
        (10, "race", _OMB_RACES),
        (22, "ethnicity", _OMB_ETHNICITIES),
    ):
        if not pid.has(field):
            continue
        table = "0005" if field == 10 else "0189"  # noqa: PLR2004 - PID-10
        concepts = [
            one
            for source in pid.all(field)
            if (one := conversion.concept_of(pid, field, source, table))
        ]
        if conversion.context.options.profile == "us-core":
            found += _us_core(name, concepts, categories)
        else:
            found += [
                extension(_PLAIN + name, "CodeableConcept", one) for one in concepts
            ]
    return found


def _us_core(
    name: str, concepts: list[Element], categories: frozenset[str]
) -> list[Element]:
    """Return the US Core extension: OMB categories, other codes, text."""
    parts: list[Element] = []
    texts: list[str] = []
    for one in concepts:
        codings = one.get("coding")
        first = codings[0] if isinstance(codings, list) else {}
        value = first.get("code", "")
        text = str(one.get("text") or first.get("display") or value)
        texts.append(text)
        if value in categories:
            coding = {"system": _OMB_SYSTEM, "code": value, "display": text}
            parts.append({"url": "ombCategory", "valueCoding": coding})
        elif value:
            parts.append({"url": "detailed", "valueCoding": first})
    if not texts:
        return []
    parts.append({"url": "text", "valueString": ", ".join(texts)})
    return [{"url": _US_CORE + name, "extension": parts}]
