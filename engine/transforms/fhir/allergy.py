"""AL1 and IAM to AllergyIntolerance.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps AL1[AllergyIntolerance] and
    IAM[AllergyIntolerance]; fhir.md T20, T22, T35.
"""

from dataclasses import dataclass
from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    append,
    coded,
    entity_identifier,
    listed,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import (
    ALLERGY_CATEGORY,
    ALLERGY_TYPE,
    CRITICALITY,
    REACTION_SEVERITY,
)

_CLINICAL: Final = HL7 + "allergyintolerance-clinical"
_VERIFICATION: Final = HL7 + "allergyintolerance-verification"
_CLINICAL_CODES: Final = frozenset(("active", "inactive", "resolved"))


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a segment says when, and what the patient or sender calls the allergy."""

    onset: int
    action: int = 0
    number: int = 0
    recorded: int = 0
    onset_text: int = 0
    clinical: int = 0


AL1: Final = Fields(onset=6)
IAM: Final = Fields(
    onset=11, action=6, number=7, recorded=13, onset_text=12, clinical=17
)


def map_allergy(conversion: Conversion, node: Node) -> None:
    """Add the AllergyIntolerance of an AL1 or IAM."""
    resource = conversion.said(node, _read_allergy)
    if not resource:
        conversion.lose_all(node, "unreadable")
        return
    subject = conversion.about(node, resource, "patient")
    put(resource, "note", notes_of(conversion, node))
    if numbers := listed(resource, "identifier"):
        system, value = str(numbers[0]["system"]), str(numbers[0]["value"])
        conversion.upsert(node, resource, system, value)
        return
    substance = node.segment.raw(3) or node.segment.raw(2)
    conversion.upsert_own(node, resource, subject.key, substance)


def _read_allergy(conversion: Conversion, node: Node) -> Element:
    """Return the allergy, whoever has it; ``{}`` where the segment names none."""
    fields = IAM if node.id == "IAM" else AL1
    node.take(1)
    what = conversion.concept(node, 3)
    if not what and not node.has(2):
        return {}
    resource: Element = {"resourceType": "AllergyIntolerance"}
    number = _identifier(conversion, node, fields)
    put(resource, "identifier", [number] if number else [])
    _add_status(conversion, node, resource, fields)
    _add_kind(conversion, node, resource)
    put(resource, "code", what)
    resource["patient"] = {"display": "unknown"}
    _add_times(conversion, node, resource, fields)
    _add_severity(conversion, node, resource)
    return resource


def _identifier(conversion: Conversion, node: Node, fields: Fields) -> Element:
    if not fields.number or not node.has(fields.number):
        return {}
    source = node.first(fields.number)
    return entity_identifier(conversion.feed, Ei.of(source)) if source else {}


def _add_status(
    conversion: Conversion, node: Node, resource: Element, fields: Fields
) -> None:
    """A deleted allergy is entered in error and has no clinical status (T20)."""
    if fields.action and node.text(fields.action) == "D":
        resource["verificationStatus"] = coded(_VERIFICATION, "entered-in-error")
        return
    status: Element = coded(_CLINICAL, "active")
    if fields.clinical and node.has(fields.clinical):
        sent = node.text(fields.clinical).strip().lower()
        if sent in _CLINICAL_CODES:
            status = coded(_CLINICAL, sent)
        else:
            conversion.lose(node, fields.clinical, "vocabulary-miss")
    resource["clinicalStatus"] = status


def _add_kind(conversion: Conversion, node: Node, resource: Element) -> None:
    """AL1-2: category and type, the code sent kept beside them."""
    source = node.first(2) if node.has(2) else None
    if source is None:
        return
    sent = conversion.concept_of(node, 2, source, "0127")
    kind = source.text()
    put(resource, "type", ALLERGY_TYPE.get(kind))
    category = ALLERGY_CATEGORY.get(kind)
    if category:
        resource["category"] = [category]
        resource["_category"] = [alternate_codes(sent)]
    elif sent:
        kept = alternate_codes(sent)["extension"]
        append(resource, "extension", kept[0])  # type: ignore[index]


def _add_times(
    conversion: Conversion, node: Node, resource: Element, fields: Fields
) -> None:
    conversion.put_time(resource, "onsetDateTime", node, fields.onset)
    if fields.recorded:
        conversion.put_time(resource, "recordedDate", node, fields.recorded)
    if fields.onset_text and "onsetDateTime" not in resource:
        put(resource, "onsetString", conversion.string(node, fields.onset_text))


def _add_severity(conversion: Conversion, node: Node, resource: Element) -> None:
    """AL1-4: criticality, and the severity of the reaction where there is one (T35)."""
    severity = ""
    if node.has(4) and (source := node.first(4)):
        sent = conversion.concept_of(node, 4, source, "0128")
        word = source.text()
        severity = REACTION_SEVERITY.get(word, "")
        put(resource, "criticality", CRITICALITY.get(word))
        if sent:
            resource["_criticality"] = alternate_codes(sent)
    if not node.has(5):
        return
    manifestations = [
        found
        for source in node.all(5)
        if (found := conversion.concept_of(node, 5, source))
    ]
    if node.id == "AL1":
        manifestations = [_text_only(found) for found in manifestations]
    if manifestations:
        reaction: Element = {"manifestation": manifestations}
        put(reaction, "severity", severity)
        resource["reaction"] = [reaction]


def _text_only(found: Element) -> Element:
    """Return AL1-5, which is a string: text, with codes only where some were sent."""
    codings = found.get("coding")
    if isinstance(codings, list) and ":codes:" in codings[0]["system"]:
        return {"text": found.get("text") or codings[0]["code"]}
    return found
