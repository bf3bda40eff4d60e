"""A person's demographics as FHIR Patient.

Spec:
    identity.md 11, FHIR identifiers.
"""

from collections.abc import Sequence
from typing import Final

from engine.identity.traits import Traits
from engine.store.person_numbers import Number
from engine.transforms.fhir.bundle import enterprise_identifier
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import IDENTIFIER_TYPE, is_absolute

SHOWN: Final = (
    "name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime",
    "address", "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger",
    "communication",
)  # fmt: skip
"""What of a Patient is demographics; everything else refers to other resources."""

_SEXES: Final = {"M": "male", "F": "female"}


def patient_of(
    eid: str, system: str, known: Element, numbers: Sequence[Number]
) -> Element:
    """Return a Patient: enterprise identifier first, then the sources' numbers.

    One of whose numbers none is in use was removed by whoever had registered them.
    """
    patient: Element = {"resourceType": "Patient", "id": eid}
    listed = [enterprise_identifier(system, eid), *map(identifier_of, numbers)]
    patient["identifier"] = [*listed, *_others(known, listed)]
    patient["active"] = any(each.active for each in numbers) or not numbers
    return patient | {name: known[name] for name in SHOWN if name in known}


def identifier_of(number: Number) -> Element:
    """Return one number as FHIR Identifier; one without a URI names its assigner."""
    issuer, kind, value = number.identifier
    coding = {"system": IDENTIFIER_TYPE, "code": kind}
    found: Element = {"use": "usual" if number.active else "old"}
    found["type"] = {"coding": [coding]}
    if is_absolute(issuer):
        found["system"] = issuer
    found["value"] = value
    if not is_absolute(issuer):
        found["assigner"] = {"display": issuer}
    return found


def _others(known: Element, listed: Sequence[Element]) -> list[Element]:
    """Return identifiers of the sources that are no keys here, such as an SSN."""
    stated = known.get("identifier")
    values = {one["value"] for one in listed}
    return [
        one
        for one in (stated if isinstance(stated, list) else ())
        if one.get("value") not in values
    ]


def stated(traits: Traits) -> Element:
    """Return traits as a Patient, where no Patient of the sources was kept."""
    given = [each.title() for each in (traits.given, traits.middle) if each]
    name: Element = {}
    if traits.family:
        name["family"] = traits.family.title()
    if given:
        name["given"] = given
    if traits.suffix:
        name["suffix"] = [traits.suffix]
    line = f"{traits.number} {traits.street}".strip().title()
    place = {"city": traits.city.title(), "state": traits.state.upper()}
    address: Element = {"line": [line]} if line else {}
    address |= {key: text for key, text in place.items() if text}
    if traits.zip5:
        address["postalCode"] = traits.zip5
    telecom = [("phone", traits.phone), ("email", traits.email)]
    parts: Element = {
        "name": [name] if name else [],
        "telecom": [{"system": kind, "value": text} for kind, text in telecom if text],
        "gender": _SEXES.get(traits.sex, ""),
        "birthDate": _dashed(traits.birth),
        "address": [address] if address else [],
    }
    return {key: value for key, value in parts.items() if value}


def _dashed(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else ""
