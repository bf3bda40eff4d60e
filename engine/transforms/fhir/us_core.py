"""Elements a receiver of US Core profiles asks for: hints, never a refusal.

Spec:
    US Core 6.1.0, the mandatory elements of each profile.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7.conformance import Finding
from engine.transforms.fhir.header import ER7
from engine.transforms.fhir.mapped import Element, Entry

US_CORE: Final = "us-core"

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AllergyIntolerance": ("code", "patient"),
        "Condition": ("category", "code", "subject"),
        "Coverage": ("status", "beneficiary", "relationship", "payor"),
        "DiagnosticReport": ("status", "category", "code", "subject"),
        "DocumentReference": ("status", "type", "category", "subject", "content"),
        "Encounter": ("status", "class", "type", "subject"),
        "Immunization": ("status", "vaccineCode", "patient"),
        "Location": ("name",),
        "Observation": ("status", "category", "code", "subject"),
        "Organization": ("active", "name"),
        "Patient": ("identifier", "name", "gender"),
        "Practitioner": ("identifier", "name"),
        "Procedure": ("status", "code", "subject"),
        "RelatedPerson": ("active", "patient"),
        "ServiceRequest": ("status", "intent", "code", "subject"),
        "Specimen": ("type",),
    }
)
"""Elements with a lower bound of one in the profiles of these resources."""

TOLD_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Condition.category": "PRB-10, and a DG1 has none",
        "Coverage.relationship": "IN1-17",
        "DiagnosticReport.category": "OBR-24",
        "DocumentReference.subject": "PID",
        "DocumentReference.type": "TXA-2",
        "Encounter.type": "PV1-4",
        "Observation.category": "OBX-29 or OBR-24",
        "Organization.name": "the name beside its number",
        "Patient.gender": "PID-8",
        "Patient.identifier": "PID-3",
        "Patient.name": "PID-5",
        "Practitioner.identifier": "the number before the name",
        "Practitioner.name": "the name beside the number",
        "ServiceRequest.code": "OBR-4",
        "Specimen.type": "SPM-4 or OBR-15",
    }
)
"""What of a message the element comes from; the others take a row of ``map:``."""


def hints(profile: str, entries: Iterable[Entry]) -> list[Finding]:
    """Return which elements of its profile a resource lacks, each path once.

    The sentence says where the element comes from. The copy of the message that a
    Provenance names is no document of the patient, so nothing is asked of it; nor is
    anything asked in a feed of another ``profile`` than ``us-core``.
    """
    found: dict[str, Finding] = {}
    for resource in (each.resource for each in entries if profile == US_CORE):
        kind = str(resource["resourceType"])
        for name in () if _is_message(resource) else REQUIRED.get(kind, ()):
            if name not in resource:
                path = f"{kind}.{name}"
                found[path] = Finding("us_core", path, _sentence(path))
    return list(found.values())


def _sentence(path: str) -> str:
    source = TOLD_BY.get(path)
    if source is None:
        return "US Core asks for it; no field tells it, a row of map: can"
    return f"US Core asks for it; it comes from {source}"


def _is_message(resource: Element) -> bool:
    """Whether a resource is the message itself."""
    content = resource.get("content")
    return isinstance(content, list) and any(
        part["attachment"].get("contentType") == ER7 for part in content
    )
