"""PRB to Condition.

Spec:
    fhir.md D15 and T20; FHIR R4, Condition (con-4, con-5). The guide has no PRB map.
"""

from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import coded, entity_identifier, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.systems import HL7

_CLINICAL: Final = HL7 + "condition-clinical"
_VERIFICATION: Final = HL7 + "condition-ver-status"
_LIFE: Final = {
    **{word: word for word in (
        "active", "recurrence", "relapse", "inactive", "remission", "resolved"
    )},
    "a": "active", "i": "inactive", "r": "resolved",
}  # fmt: skip
_OVER: Final = frozenset(("inactive", "remission", "resolved"))
_CERTAINTY: Final = {
    **{word: word for word in (
        "unconfirmed", "provisional", "differential", "confirmed", "refuted"
    )},
    "c": "confirmed", "p": "provisional", "d": "differential", "u": "unconfirmed",
}  # fmt: skip
_DELETED: Final = "DE"


def map_problem(conversion: Conversion, prb: Node) -> None:
    """Add the Condition of a PRB."""
    concept = conversion.concept(prb, 3)
    if not concept:
        conversion.lose_all(prb, "unreadable")
        return
    resource: Element = {"resourceType": "Condition"}
    source = prb.first(4) if prb.has(4) else None
    number = entity_identifier(conversion.feed, Ei.of(source)) if source else {}
    put(resource, "identifier", [number] if number else [])
    _add_status(conversion, prb, resource)
    if prb.has(10):
        put(resource, "category", conversion.concepts(prb, 10))
    resource["code"] = concept
    subject = conversion.about(prb, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    conversion.put_time(resource, "onsetDateTime", prb, 16)
    if "onsetDateTime" not in resource:
        put(resource, "onsetString", conversion.string(prb, 17))
    conversion.put_time(resource, "recordedDate", prb, 7)
    put(resource, "note", notes_of(conversion, prb))
    if number:
        system, value = str(number["system"]), str(number["value"])
        conversion.upsert(prb, resource, system, value)
    else:
        conversion.upsert_own(prb, resource, subject.key, prb.segment.raw(3))


def _add_status(conversion: Conversion, prb: Node, resource: Element) -> None:
    """PRB-1, 13, 14 and 9: deleted or not, how sure, and whether it is over.

    What is entered in error has neither a clinical status (con-5) nor, for want of one,
    an end (con-4); what has an end is over.
    """
    if prb.text(1) == _DELETED or conversion.plan.deletes:
        resource["verificationStatus"] = coded(_VERIFICATION, "entered-in-error")
        return
    certainty = _word(conversion, prb, 13, _CERTAINTY)
    if certainty:
        resource["verificationStatus"] = coded(_VERIFICATION, certainty)
    life = _word(conversion, prb, 14, _LIFE)
    conversion.put_time(resource, "abatementDateTime", prb, 9)
    if "abatementDateTime" in resource and life not in _OVER:
        life = "resolved"
    resource["clinicalStatus"] = coded(_CLINICAL, life or "active")


def _word(conversion: Conversion, prb: Node, field: int, words: dict[str, str]) -> str:
    """Return the FHIR code of a field whose table each site fills itself."""
    for part in (1, 2):
        if found := words.get(prb.text(field, part).strip().lower()):
            return found
    if prb.has(field):
        conversion.lose(prb, field, "vocabulary-miss")
    return ""
