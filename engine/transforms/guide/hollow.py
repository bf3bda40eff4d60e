"""What lacks its half: a coding without its code, a resource without its status.

Spec:
    fhir.md T18 (every identifier has a system), T21 (no coding with a code and no
    system) and D10 (an NTE is a note; FHIR R4, Annotation.text is 1..1); FHIR R4, the
    elements of resources that are 1..1.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.transforms.guide.result import Result, Verdict

_RULES: Final = "T18, T21, D10"

_ONCE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AllergyIntolerance": ("patient",),
        "Appointment": ("status",),
        "Condition": ("subject",),
        "Coverage": ("status", "beneficiary"),
        "DiagnosticReport": ("status", "code"),
        "DocumentReference": ("status",),
        "Encounter": ("status", "class"),
        "Immunization": ("status", "vaccineCode", "patient"),
        "MedicationRequest": ("status", "intent", "subject"),
        "Observation": ("status", "code"),
        "Procedure": ("status", "subject"),
        "Provenance": ("recorded",),
        "RelatedPerson": ("patient",),
        "ServiceRequest": ("status", "intent", "subject"),
    }
)
"""Elements that R4 wants once in each of the resources that the guide makes."""


def hollow(bundle: Mapping[str, object]) -> Iterator[Result]:
    """Yield where a coding, identifier or note of a Bundle lacks its half."""
    entries = bundle.get("entry")
    for row in entries if isinstance(entries, list) else ():
        resource = row.get("resource") if isinstance(row, dict) else None
        if isinstance(resource, dict):
            kind = str(resource.get("resourceType"))
            for name in _ONCE.get(kind, ()):
                if not {name, f"_{name}"} & resource.keys():
                    place = f"{kind}.{name}"
                    yield Result(
                        Verdict.MISSING, wanted=(place,), found=(kind,), row="FHIR R4"
                    )
            yield from _within(resource, kind)


def _within(value: object, place: str) -> Iterator[Result]:
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _within(inner, f"{place}[{number}]")
    if not isinstance(value, dict):
        return
    name = place.rpartition(".")[2].partition("[")[0]
    for half in _lacking(name, value):
        wanted = f"{place}.{half}"
        yield Result(Verdict.MISSING, wanted=(wanted,), found=(place,), row=_RULES)
    for name, inner in value.items():
        yield from _within(inner, f"{place}.{name}")


def _lacking(name: str, value: Mapping[str, object]) -> Iterator[str]:
    if "system" in value and name in {"coding", "valueCoding", "eventCoding", "tag"}:
        yield from {"code"} - value.keys()
    if "code" in value and name in {"coding", "valueCoding", "eventCoding"}:
        yield from {"system"} - value.keys()
    if name in {"identifier", "valueIdentifier"} and "system" in value:
        yield from {"value"} - value.keys()
    if name == "note":
        yield from {"text"} - value.keys()
