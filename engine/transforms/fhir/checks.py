"""The output gate's own checks of a Bundle: what no general validator looks for.

Spec:
    fhir.md section 9, number 4.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7.conformance import Finding
from engine.hl7.segment import NULL
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import is_absolute


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GENDER: Final = _set("male female other unknown")
_EVENT_STATUS: Final = _set(
    "preparation in-progress not-done on-hold stopped completed entered-in-error"
    " unknown"
)
_REQUEST_STATUS: Final = _set(
    "draft active on-hold revoked completed entered-in-error unknown"
)

REQUIRED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Account.status": _set("active inactive entered-in-error on-hold unknown"),
        "AllergyIntolerance.category": _set("food medication environment biologic"),
        "AllergyIntolerance.criticality": _set("low high unable-to-assess"),
        "AllergyIntolerance.reaction.severity": _set("mild moderate severe"),
        "AllergyIntolerance.type": _set("allergy intolerance"),
        "Appointment.participant.status": _set(
            "accepted declined tentative needs-action"
        ),
        "Appointment.status": _set(
            "proposed pending booked arrived fulfilled cancelled noshow"
            " entered-in-error checked-in waitlist"
        ),
        "Coverage.status": _set("active cancelled draft entered-in-error"),
        "DiagnosticReport.status": _set(
            "registered partial preliminary final amended corrected appended cancelled"
            " entered-in-error unknown"
        ),
        "DocumentReference.docStatus": _set(
            "preliminary final amended entered-in-error"
        ),
        "DocumentReference.relatesTo.code": _set("replaces transforms signs appends"),
        "DocumentReference.status": _set("current superseded entered-in-error"),
        "Encounter.location.status": _set("planned active reserved completed"),
        "Encounter.status": _set(
            "planned arrived triaged in-progress onleave finished cancelled"
            " entered-in-error unknown"
        ),
        "Immunization.status": _set("completed entered-in-error not-done"),
        "Location.mode": _set("instance kind"),
        "Observation.status": _set(
            "registered preliminary final amended corrected cancelled entered-in-error"
            " unknown"
        ),
        "Patient.contact.gender": _GENDER,
        "Patient.gender": _GENDER,
        "Patient.link.type": _set("replaced-by replaces refer seealso"),
        "Procedure.status": _EVENT_STATUS,
        "Provenance.entity.role": _set("derivation revision quotation source removal"),
        "RelatedPerson.gender": _GENDER,
        "ServiceRequest.intent": _set(
            "proposal plan directive order original-order reflex-order filler-order"
            " instance-order option"
        ),
        "ServiceRequest.priority": _set("routine urgent asap stat"),
        "ServiceRequest.status": _REQUEST_STATUS,
        "Specimen.status": _set(
            "available unavailable unsatisfactory entered-in-error"
        ),
    }
)
"""Codes of required bindings, for every element the built-in map writes one in."""

REQUIRED_ANYWHERE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "name.use": _set("usual official temp nickname anonymous old maiden"),
        "address.use": _set("home work temp old billing"),
        "address.type": _set("postal physical both"),
        "telecom.use": _set("home work temp old mobile"),
        "telecom.system": _set("phone fax email pager url sms other"),
        "identifier.use": _set("usual official temp secondary old"),
        "valueQuantity.comparator": _set("< <= >= >"),
    }
)
"""Codes of data types, by the last two names of their path."""


def check(bundle: Element) -> list[Finding]:
    """Return what is wrong with a Bundle of ours; an empty list is the gate's yes.

    Args:
        bundle: as `transaction`, `message_bundle` or `collection` made it.
    """
    entries = bundle.get("entry")
    rows = entries if isinstance(entries, list) else []
    urls = [str(row["fullUrl"]) for row in rows]
    found: list[Finding] = []
    if len(set(urls)) != len(urls):
        found.append(Finding("full_url_twice", "", "two entries share a fullUrl"))
    known = frozenset(urls)
    for row in rows:
        resource = row["resource"]
        kind = str(resource["resourceType"])
        for path, value in _walk(resource, kind):
            finding = _check_value(path, value, known)
            if finding is not None:
                found.append(finding)
    return found


def _walk(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Return every element with its path, indexes left out."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, path)


def _check_value(path: str, value: object, urls: frozenset[str]) -> Finding | None:
    if value is not False and value in _EMPTY:
        return Finding("empty_value", path, "an element without content")
    if isinstance(value, dict):
        return _check_element(path, value, urls)
    if isinstance(value, str):
        codes = REQUIRED.get(path) or REQUIRED_ANYWHERE.get(_tail(path))
        if codes is not None and value not in codes:
            return Finding("code_not_in_binding", path, "a code FHIR does not have")
    return None


_EMPTY: Final[tuple[object, ...]] = ("", NULL, [], {})


def _tail(path: str) -> str:
    return ".".join(path.rsplit(".", 2)[-2:])


def _check_element(path: str, value: Element, urls: frozenset[str]) -> Finding | None:
    target = value.get("reference")
    if isinstance(target, str) and not (
        target in urls or "?" in target or target.startswith("#")
    ):
        return Finding("reference_dangles", path, "a reference leads nowhere")
    name = path.rsplit(".", 1)[-1]
    needs_system = (name in _CODINGS and "code" in value) or name in _IDENTIFIERS
    if needs_system and not is_absolute(str(value.get("system", ""))):
        return Finding("system_not_absolute", path, "a system that is no URI")
    return None


_CODINGS: Final = frozenset(("coding", "tag", "security", "class", "eventCoding"))
_IDENTIFIERS: Final = frozenset(
    ("identifier", "masterIdentifier", "accessionIdentifier", "requisition",
     "preAdmissionIdentifier")
)  # fmt: skip
