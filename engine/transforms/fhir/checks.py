"""The output gate's own checks: what every Bundle must hold, message by message.

References, systems, required codes, nothing empty. Structure, cardinality and primitives
are left to the validators.

Spec:
    fhir.md 9, item 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from engine.hl7 import Finding
from engine.transforms.fhir.mapped import Entry

_SCHEMES: Final = ("http://", "https://", "urn:")

REQUIRED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "Patient": {
            "gender": frozenset({"male", "female", "other", "unknown"}),
        },
        "Encounter": {
            "status": frozenset(
                {"planned", "arrived", "triaged", "in-progress", "onleave"}
                | {"finished", "cancelled", "entered-in-error", "unknown"}
            )
        },
        "Observation": {
            "status": frozenset(
                {"registered", "preliminary", "final", "amended", "corrected"}
                | {"cancelled", "entered-in-error", "unknown"}
            )
        },
        "DiagnosticReport": {
            "status": frozenset(
                {"registered", "partial", "preliminary", "final", "amended"}
                | {"corrected", "appended", "cancelled", "entered-in-error"}
                | {"unknown"}
            )
        },
        "ServiceRequest": {
            "status": frozenset(
                {"draft", "active", "on-hold", "revoked", "completed"}
                | {"entered-in-error", "unknown"}
            ),
            "intent": frozenset(
                {"proposal", "plan", "directive", "order", "original-order"}
                | {"reflex-order", "filler-order", "instance-order", "option"}
            ),
        },
        "DocumentReference": {
            "status": frozenset({"current", "superseded", "entered-in-error"}),
            "docStatus": frozenset(
                {"preliminary", "final", "amended", "entered-in-error"}
            ),
        },
        "Procedure": {
            "status": frozenset(
                {"preparation", "in-progress", "not-done", "on-hold", "stopped"}
                | {"completed", "entered-in-error", "unknown"}
            )
        },
        "Coverage": {
            "status": frozenset({"active", "cancelled", "draft", "entered-in-error"})
        },
        "Account": {
            "status": frozenset(
                {"active", "inactive", "entered-in-error", "on-hold", "unknown"}
            )
        },
        "Specimen": {
            "status": frozenset(
                {"available", "unavailable", "unsatisfactory", "entered-in-error"}
            )
        },
        "AllergyIntolerance": {
            "type": frozenset({"allergy", "intolerance"}),
            "criticality": frozenset({"low", "high", "unable-to-assess"}),
        },
    }
)
"""Required bindings of the elements the built-in map writes, by resource type.

Spec:
    FHIR R4 (4.0.1), value sets bound as required to these elements.
"""


def check_bundle(entries: Sequence[Entry]) -> list[Finding]:
    """Return what is wrong with the entries of one message; no patient data in it."""
    urls = {entry.full_url for entry in entries}
    found: list[Finding] = []
    if len(urls) != len(entries):
        found.append(
            Finding("duplicate-url", "Bundle.entry", "two entries have one fullUrl")
        )
    for entry in entries:
        found += _bindings(entry)
        found += _walk(entry.resource, entry.kind, urls)
    return found


def _bindings(entry: Entry) -> Iterator[Finding]:
    for name, allowed in REQUIRED.get(entry.kind, {}).items():
        value = entry.resource.get(name)
        if value is not None and value not in allowed:
            path = f"{entry.kind}.{name}"
            yield Finding("code", path, "the code is not in the required value set")


def _walk(node: dict[str, object], path: str, urls: set[str]) -> Iterator[Finding]:
    for name, value in node.items():
        if isinstance(value, str):
            yield from _text(name, value, path, urls)
        elif isinstance(value, dict | list):
            yield from _container(value, f"{path}.{name}", urls)
        elif value is None:
            yield Finding("empty", f"{path}.{name}", "an element is empty")


def _container(
    value: dict[str, object] | list[object], path: str, urls: set[str]
) -> Iterator[Finding]:
    if not value:
        yield Finding("empty", path, "an element is empty")
    elif isinstance(value, dict):
        yield from _walk(value, path, urls)
    else:
        for item in value:
            if isinstance(item, dict | list):
                yield from _container(item, path, urls)


def _text(name: str, value: str, path: str, urls: set[str]) -> Iterator[Finding]:
    if not value:
        yield Finding("empty", f"{path}.{name}", "an element is empty")
    elif name == "reference":
        known = value in urls or "?" in value or value.startswith("#")
        if not known and value.startswith("urn:uuid:"):
            yield Finding("reference", path, "a reference leads nowhere in the Bundle")
    elif name == "system" and not path.endswith("telecom"):
        if not value.startswith(_SCHEMES):
            yield Finding("system", path, "the system is not an absolute URI")
