"""A person's demographics as FHIR Patient and as PID, and back to traits.

Spec:
    identity.md 11, FHIR identifiers; HL7 v2.5.1 chapter 3, 3.4.2 (PID).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.escapes import encode
from engine.hl7.segment import Segment
from engine.identity.index import Identifier
from engine.identity.traits import Traits, traits_of
from engine.store.person_numbers import Number
from engine.transforms.fhir.bundle import enterprise_identifier
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import IDENTIFIER_TYPE, SSN, is_absolute

SHOWN: Final = (
    "name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime",
    "address", "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger",
    "communication",
)  # fmt: skip
"""What of a Patient is demographics; everything else refers to other resources."""

_SEXES: Final = {"M": "male", "F": "female"}
_GENDERS: Final = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_NAME_TYPES: Final = {"maiden": "M", "nickname": "N", "anonymous": "S"}
_PHONE_USES: Final = {"home": "PRN", "work": "WPN", "mobile": "PRS"}


def patient_of(
    eid: str, system: str, known: Element, numbers: Iterable[Number]
) -> Element:
    """Return a Patient: enterprise identifier first, then the sources' numbers."""
    patient: Element = {"resourceType": "Patient", "id": eid}
    listed = [enterprise_identifier(system, eid), *map(identifier_of, numbers)]
    patient["identifier"] = [*listed, *_others(known, listed)]
    patient["active"] = True
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


# ---- PID ----


def pid_fields(patient: Element, numbers: Sequence[str]) -> dict[int, str]:
    """Return what PID says of a Patient, encoded, by field number.

    Args:
        patient: as `patient_of` or a client wrote it; what is oddly formed is left out.
        numbers: PID-3, its repetitions.
    """
    birth = patient.get("birthDate")
    fields = {
        3: "~".join(numbers),
        5: "~".join(map(_name, _current(patient, "name"))),
        7: str(birth).replace("-", "") if birth else "",
        8: _GENDERS.get(str(patient.get("gender")), ""),
        11: "~".join(map(_address, _current(patient, "address"))),
        13: "~".join(filter(None, map(_telecom, _current(patient, "telecom")))),
        19: next(_ssns(patient), ""),
    }
    if patient.get("multipleBirthInteger"):
        fields[24] = "Y"
        fields[25] = _text(patient["multipleBirthInteger"])
    elif patient.get("multipleBirthBoolean") is True:
        fields[24] = "Y"
    if patient.get("deceasedDateTime"):
        fields[29] = _text(patient["deceasedDateTime"])[:10].replace("-", "")
    return {number: text for number, text in fields.items() if text}


def pid_segment(fields: Mapping[int, str]) -> str:
    """Return a PID segment in HL7's own delimiters."""
    last = max(fields, default=0)
    return "|".join(["PID", *(fields.get(number, "") for number in range(1, last + 1))])


def traits_in(patient: Element, marks: Delimiters = STANDARD) -> Traits:
    """Return the traits a Patient resource states."""
    return traits_of(Segment(pid_segment(pid_fields(patient, ())), marks, "utf-8"))


def cx(identifier: Identifier, oid: str = "", namespace: str = "") -> str:
    """Return a number as CX: value, authority and type."""
    authority, universal = namespace, oid
    if not (authority or universal):
        authority = "" if is_absolute(identifier.authority) else identifier.authority
        universal = identifier.authority.removeprefix("urn:oid:")
    kind = "ISO" if universal.replace(".", "").isdigit() else "URI"
    issuer = [authority]
    if universal and universal != authority:
        issuer += [universal, kind]
    return "^".join(
        (
            _text(identifier.value),
            "",
            "",
            "&".join(map(_text, issuer)),
            _text(identifier.type),
        )
    )


def _current(patient: Element, element: str) -> list[Element]:
    """Return the values of an element, those in use before old ones."""
    found = patient.get(element)
    values = (
        [one for one in found if isinstance(one, dict)]
        if isinstance(found, list)
        else []
    )
    return sorted(values, key=lambda one: one.get("use") == "old")


def _name(name: Element) -> str:
    given = _list(name, "given")
    kind = _NAME_TYPES.get(str(name.get("use")), "L")
    if name.get("use") == "old":
        kind = "B"
    parts = [
        _text(name.get("family")),
        given[0] if given else "",
        " ".join(given[1:]),
        " ".join(_list(name, "suffix")),
        " ".join(_list(name, "prefix")),
        "",
        kind,
    ]
    return "^".join(parts)


def _address(address: Element) -> str:
    lines = _list(address, "line")
    keys = ("city", "state", "postalCode", "country")
    use = "BA" if address.get("use") == "old" else "H"
    parts = [lines[0] if lines else "", " ".join(lines[1:])]
    return "^".join((*parts, *(_text(address.get(key)) for key in keys), use))


def _telecom(telecom: Element) -> str:
    value = _text(telecom.get("value"))
    if not value:
        return ""
    if telecom.get("system") == "email":
        return f"^NET^Internet^{value}"
    return f"{value}^{_PHONE_USES.get(str(telecom.get('use')), 'PRN')}^PH"


def _ssns(patient: Element) -> Iterator[str]:
    return (
        _text(one.get("value"))
        for one in _current(patient, "identifier")
        if one.get("system") == SSN
    )


def _list(element: Element, key: str) -> list[str]:
    found = element.get(key)
    return list(map(_text, found)) if isinstance(found, list) else []


def _text(value: object) -> str:
    """Return a value as it is written in a field; anything but text is nothing."""
    return encode(str(value), STANDARD) if isinstance(value, str | int) else ""
