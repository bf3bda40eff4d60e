"""Elements a receiver of US Core profiles asks for: hints, never a refusal."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7.conformance import Finding
from engine.transforms.fhir.mapped import Element

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AllergyIntolerance": ("code", "patient"),
        "Condition": ("category", "code", "subject"),
        "DiagnosticReport": ("status", "category", "code", "subject"),
        "Encounter": ("status", "class", "type", "subject"),
        "Immunization": ("status", "vaccineCode", "patient"),
        "Observation": ("status", "category", "code", "subject"),
        "Organization": ("name",),
        "Patient": ("identifier", "name", "gender"),
        "Practitioner": ("identifier", "name"),
        "Procedure": ("status", "code", "subject"),
    }
)
"""Elements with a lower bound of one in the profiles of these resources."""


def hints(bundle: Element) -> list[Finding]:
    """Return which elements of its profile a resource lacks, each path once."""
    rows = bundle.get("entry")
    found: dict[str, Finding] = {}
    for row in rows if isinstance(rows, list) else ():
        resource = row["resource"]
        kind = str(resource["resourceType"])
        for name in REQUIRED.get(kind, ()):
            if name not in resource:
                path = f"{kind}.{name}"
                found[path] = Finding("us_core", path, "US Core asks for it")
    return list(found.values())
