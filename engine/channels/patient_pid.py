"""What a FHIR Patient says, as PID, and from there as traits.

Spec:
    HL7 v2.5.1 chapter 3, 3.4.2 (PID).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.escapes import encode
from engine.hl7.segment import Segment
from engine.identity.index import Identifier
from engine.identity.traits import Traits, traits_of
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import SSN, is_absolute

_GENDERS: Final = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_NAME_TYPES: Final = {"maiden": "M", "nickname": "N", "anonymous": "S"}
_PHONE_USES: Final = {"home": "PRN", "work": "WPN", "mobile": "PRS"}
_PHONES: Final = frozenset({"phone", "sms", "None"})
_ADDRESS_TYPES: Final = {"old": "BA", "work": "B", "temp": "C", "billing": "BI"}
_EXTENSIONS: Final = "http://hl7.org/fhir/StructureDefinition/"
_MULTIPLE: Final = {True: "Y", False: "N"}


def pid_fields(patient: Element, numbers: Sequence[str]) -> dict[int, str]:
    """Return what PID says of a Patient, encoded, by field number.

    Args:
        patient: as `patient_of` or a client wrote it; what is oddly formed is left out.
        numbers: PID-3, its repetitions.
    """
    fields = {
        3: "~".join(numbers),
        5: "~".join(map(_name, _current(patient, "name"))),
        6: _maiden_name(patient),
        7: _birth(patient),
        8: _GENDERS.get(str(patient.get("gender")), ""),
        11: "~".join(map(_address, _current(patient, "address"))),
        13: "~".join(filter(None, map(_telecom, _current(patient, "telecom")))),
        19: next(_ssns(patient), ""),
    }
    multiple = patient.get("multipleBirthBoolean")
    if patient.get("multipleBirthInteger"):
        fields[24] = "Y"
        fields[25] = _text(patient["multipleBirthInteger"])
    elif isinstance(multiple, bool):
        fields[24] = _MULTIPLE[multiple]
    if patient.get("deceasedDateTime"):
        fields[29] = _text(patient["deceasedDateTime"])[:10].replace("-", "")
        fields[30] = "Y"
    elif patient.get("deceasedBoolean") is True:
        fields[30] = "Y"
    return {number: text for number, text in fields.items() if text}


def _birth(patient: Element) -> str:
    """Return the birth date, or its time where an extension tells that too."""
    day = _text(patient.get("birthDate")).replace("-", "")
    beside = patient.get("_birthDate")
    time = _extended(beside, "patient-birthTime", "valueDateTime")
    minute = time[11:16].replace(":", "")
    return day + minute if time[:10].replace("-", "") == day else day


def _maiden_name(patient: Element) -> str:
    """Return the mother's maiden name as XPN."""
    name = _extended(patient, "patient-mothersMaidenName", "valueString")
    return f"{name}^^^^^^M" if name else ""


def _extended(element: object, name: str, kind: str) -> str:
    """Return the value of one of FHIR's own extensions of an element, encoded."""
    found = _current(element, "extension") if isinstance(element, dict) else []
    url = f"{_EXTENSIONS}{name}"
    return next((_text(one.get(kind)) for one in found if one.get("url") == url), "")


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
    whole = "" if name.get("family") or given else _text(name.get("text"))
    parts = [
        _text(name.get("family")) or whole,
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
    use = _ADDRESS_TYPES.get(str(address.get("use")), "H")
    parts = [lines[0] if lines else "", " ".join(lines[1:])]
    return "^".join((*parts, *(_text(address.get(key)) for key in keys), use))


def _telecom(telecom: Element) -> str:
    value, system = _text(telecom.get("value")), str(telecom.get("system"))
    if not value or system not in _PHONES | {"email"}:
        return ""  # a fax is nobody's phone
    if system == "email":
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
