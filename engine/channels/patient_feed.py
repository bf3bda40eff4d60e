"""A FHIR Patient that a source feeds, written as the HL7 v2 message that says the same.

From the journal on it is a registration like any other: filtered, edited, identified by
its PID, mapped, delivered. The resource stays in the message, byte for byte, in a
segment of its own; `opened` takes that out before anything else looks at the message.

Spec:
    identity.md 11, ITI-104; IHE PIXm 3.0.4, 2:3.104.4.1 to 2:3.104.4.3; HL7 v2.9
    chapter 3, A29, A31 and A40.
"""

import base64
import re
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple

import orjson

from engine.channels.patient_pid import cx, pid_fields, pid_segment
from engine.errors import TransformError
from engine.hl7 import Finding, Message, Segment
from engine.hl7.delimiters import STANDARD
from engine.hl7.escapes import encode
from engine.identity.index import Identifier
from engine.transforms.ccda.enclosing import control_id_of
from engine.transforms.fhir.checks import check_resource
from engine.transforms.fhir.definitions import elements
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import IDENTIFIER_TYPE, SSN, is_absolute
from engine.transforms.fhir.xml_form import from_xml

CARRIER: Final = "ZFR"
MOST_BYTES: Final = 1 << 20
_REPLACED: Final = "replaced-by"
_REFERENCE: Final = "Patient?identifier="
_PROTECTED: Final = frozenset({"R", "V"})
_DATE: Final = re.compile(r"\d{4}(?:-\d{2}){0,2}")
_FORMAL: Final = frozenset({"not_r4", "code_not_in_binding"})
_READ: Final = (
    "identifier", "active", "name", "telecom", "gender", "birthDate", "address",
    "deceasedBoolean", "deceasedDateTime", "multipleBirthBoolean",
    "multipleBirthInteger", "link",
)  # fmt: skip
_KNOWN: Final = frozenset(
    (*_READ, "resourceType", "id", "meta", "text", "language", "_birthDate")
)
"""What a message says, or what says nothing about a patient."""


class Form(StrEnum):
    """How a resource is written; the subtype of its media type."""

    JSON = "fhir+json"
    XML = "fhir+xml"


class Fed(NamedTuple):
    """What one Patient says.

    Attributes:
        patient: the resource.
        numbers: its numbers as CX, first the one it was addressed by.
        survivor: CX of the number it was replaced by; ``""`` for none.
        said_at: ``meta.lastUpdated``.
    """

    patient: Element
    numbers: tuple[str, ...]
    survivor: str = ""
    said_at: datetime | None = None


class Enclosed(NamedTuple):
    """A message to journal, and why nobody will be able to read it, or ``""``."""

    message: bytes
    refusal: str = ""


def asked_for(query: str) -> Identifier | None:
    """Return the number in ``identifier=SYSTEM|VALUE``; None where it is none.

    Examples:
        >>> asked_for("urn:oid:1.2.3|7")
        Identifier(authority='urn:oid:1.2.3', type='', value='7')
    """
    system, _, value = query.strip().partition("|")
    if not (value and is_absolute(system)):
        return None
    return Identifier(system, "", value)


def enclosed(
    content: bytes,
    about: Identifier,
    at: datetime,
    name: str,
    form: Form = Form.JSON,
) -> Enclosed:
    """Return the message that says what a Patient says; a refused one is kept in it.

    A resource that tells when it was changed is known by its content, so that sent
    again it is nothing new. One that does not may follow itself: each gets ``name``.

    Args:
        content: the resource, as it was sent.
        about: the number it was addressed by.
        at: aware time of the message.
        name: MSH-10 where the content gives none.
        form: how the resource is written.
    """
    try:
        fed, refusal = read(content, about, form), ""
    except TransformError as error:
        fed, refusal = Fed({}, ()), str(error)
    event = "A40^ADT_A39" if fed.survivor else "A31^ADT_A05"
    addressed = f"{about.authority}|{about.value}"
    if fed.said_at:
        name = control_id_of(addressed.encode() + content)
    held = base64.b64encode(content).decode("ascii")
    segments = (
        *_headed(event, at, name, fed.said_at or at),
        *_patient(fed),
        f"{CARRIER}|1|{encode(addressed, STANDARD)}|^application^{form}^Base64^{held}",
    )
    return Enclosed(_bytes(segments), refusal)


def removal(about: Identifier, at: datetime, name: str) -> bytes:
    """Return the message that says that there is no such patient any more.

    Args:
        about: the number that was removed.
        at: aware time of the message and of the removal.
        name: MSH-10.
    """
    pid = pid_segment({1: "1", 3: cx(about)})
    return _bytes((*_headed("A29^ADT_A21", at, name, at), pid))


def _headed(event: str, at: datetime, name: str, said: datetime) -> tuple[str, str]:
    """Return MSH and EVN."""
    stamp = f"{at:%Y%m%d%H%M%S%z}"
    return (
        f"MSH|^~\\&|FHIR||||{stamp}||ADT^{event}|{name}|P|2.5.1||||||UNICODE UTF-8",
        f"EVN||{said:%Y%m%d%H%M%S%z}",
    )


def _bytes(segments: Iterable[str]) -> bytes:
    return ("\r".join(segments) + "\r").encode()


def opened(message: Message) -> Message:
    """Take the resource out of the message that was written for it.

    Elements the message has no place for are named in a finding.

    Raises:
        TransformError: nothing was written, as the resource cannot be read; its reason.
    """
    for carrier in message.all(CARRIER):
        if carrier.text(3, 3) not in set(Form):
            continue
        form, content = Form(carrier.text(3, 3)), _held(carrier)
        about = asked_for(carrier.text(2))
        if about is not None and message.first("PID") is None:
            read(content, about, form)
        message.remove(carrier)
        if rest := _rest(content, form):
            sentence = f"stays in the resource received: {', '.join(rest)}"
            message.findings.append(Finding("patient-rest", "PID", sentence))
    return message


def _held(carrier: Segment) -> bytes:
    """Return the resource; nothing where somebody has edited it away."""
    try:
        return base64.b64decode(carrier.text(3, 5))
    except ValueError:
        return b""


def read(content: bytes, about: Identifier, form: Form = Form.JSON) -> Fed:
    """Return what a Patient says of the number it was addressed by.

    Raises:
        TransformError: it is no Patient of FHIR R4, is about another number, or says in
            two ways who it is; no value of it is repeated.
    """
    patient = _patient_in(content, form)
    _check(patient)
    numbers = _numbers(patient, about)
    return Fed(patient, numbers, _survivor(patient, about), _said_at(patient))


def _patient(fed: Fed) -> list[str]:
    """Return PID with what goes with it; nothing where nothing could be read."""
    if not fed.numbers:
        return []
    if fed.survivor:  # what the resource says is about the number that was replaced
        return [pid_segment({1: "1", 3: fed.survivor}), f"MRG|{fed.numbers[0]}"]
    found = [pid_segment({1: "1", **pid_fields(fed.patient, fed.numbers)})]
    if _is_protected(fed.patient):
        found.append("PD1" + "|" * 12 + "Y")
    return found


def _patient_in(content: bytes, form: Form) -> Element:
    found: object
    try:
        if form is Form.XML:
            found = from_xml(content, MOST_BYTES)
        else:
            found = orjson.loads(content)
    except TransformError as error:
        sentence = f"the body is not a resource in XML: {error}"
        raise TransformError(sentence, "patient-unreadable") from None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise TransformError("the body is not a JSON object", "patient-unreadable")
    if found.get("resourceType") != "Patient":
        raise TransformError("the resource is no Patient", "patient-unreadable")
    return found


def _check(patient: Element) -> None:
    """Refuse what could be misread; what is not read may be as it likes."""
    for name in ("modifierExtension", "implicitRules"):
        if patient.get(name):
            sentence = f"Patient.{name} may change the meaning and is not understood"
            raise TransformError(sentence, "patient-modified")
    known: Element = {"resourceType": "Patient"}
    known |= {name: patient[name] for name in _READ if name in patient}
    for finding in check_resource(known):
        if finding.code in _FORMAL:
            sentence = f"{_place(finding.path)}: {finding.text}"
            raise TransformError(sentence, "patient-unreadable")
    if not _is_day(str(patient.get("birthDate", "1970"))):
        raise TransformError("Patient.birthDate: no such date", "patient-unreadable")


def _place(path: str) -> str:
    """Return a path as far as it is ours to repeat: names below may be anything."""
    kind, element, *below = path.split(".")
    return f"within {kind}.{element}" if below else path


def _is_day(text: str) -> bool:
    """Whether it is a date of FHIR: a year, a month or a day."""
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(f"{text}-01-01"[: len("YYYY-MM-DD")])
    except ValueError:
        return False
    return True


def _numbers(patient: Element, about: Identifier) -> tuple[str, ...]:
    """Return its numbers as CX; those no longer in use and the SSN are left out.

    The number it was addressed by has no type here, though the resource may give one:
    a link to it gives none, and both must be the same number. The site's table of
    authorities says what its numbers are.
    """
    stated = [one for one in _listed(patient, "identifier") if one.get("value")]
    same = [one for one in stated if one.get("system") == about.authority]
    own = [one for one in same if one["value"] == about.value]
    if same and not own:
        sentence = (
            "Patient.identifier has another number of the system in the address: "
            "one resource is about one number"
        )
        raise TransformError(sentence, "patient-other-number")
    found = {cx(about): None}
    for one in stated:
        issuer = _issuer(one)
        if issuer and one not in own and one.get("use") != "old":
            found[cx(Identifier(issuer, _type(one), str(one["value"])))] = None
    return tuple(found)


def _issuer(identifier: Element) -> str:
    """Return the system of a number, or who assigned it; ``""`` for an SSN."""
    assigner = identifier.get("assigner")
    named = assigner.get("display") if isinstance(assigner, dict) else ""
    issuer = str(identifier.get("system") or named or "")
    return "" if issuer == SSN else issuer


def _type(identifier: Element) -> str:
    """Return the code of table 0203."""
    kind = identifier.get("type")
    codings = _listed(kind, "coding") if isinstance(kind, dict) else []
    codes = (one.get("code") for one in codings if one.get("system") == IDENTIFIER_TYPE)
    return str(next(codes, "") or "")


def _survivor(patient: Element, about: Identifier) -> str:
    """Return the number a Patient was replaced by, as CX."""
    links = [one for one in _listed(patient, "link") if one.get("type") == _REPLACED]
    if not links:
        return ""
    if len(links) > 1 or patient.get("active") is True:
        sentence = "Patient.link: one that is replaced is not active, and by one only"
        raise TransformError(sentence, "patient-link")
    other = links[0].get("other")
    found = _other(other) if isinstance(other, dict) else None
    if found is None:
        sentence = (
            "Patient.link.other: name the survivor by identifier.system and "
            f"identifier.value, or by the reference {_REFERENCE}SYSTEM|VALUE"
        )
        raise TransformError(sentence, "patient-link")
    return cx(found._replace(type="") if found.authority == about.authority else found)


def _other(other: Element) -> Identifier | None:
    identifier = other.get("identifier")
    if isinstance(identifier, dict):
        named = f"{identifier.get('system', '')}|{identifier.get('value', '')}"
        found = asked_for(named)
        return found._replace(type=_type(identifier)) if found else None
    reference = str(other.get("reference", ""))
    if not reference.startswith(_REFERENCE):
        return None
    return asked_for(reference.removeprefix(_REFERENCE))


def _said_at(patient: Element) -> datetime | None:
    """Return ``meta.lastUpdated``, aware."""
    meta = patient.get("meta")
    said = str(meta.get("lastUpdated", "")) if isinstance(meta, dict) else ""
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _is_protected(patient: Element) -> bool:
    """Whether a label says restricted; that one is not says nothing."""
    meta = patient.get("meta")
    labels = _listed(meta, "security") if isinstance(meta, dict) else []
    return any(one.get("code") in _PROTECTED for one in labels)


def _rest(content: bytes, form: Form) -> list[str]:
    """Return the elements of a readable resource that the message has no place for."""
    try:
        patient = _patient_in(content, form)
    except TransformError:
        return []
    known = elements("Patient")
    rest = (name.removeprefix("_") for name in patient if name not in _KNOWN)
    return sorted({f"Patient.{name}" if name in known else "others" for name in rest})


def _listed(element: Element, name: str) -> list[Element]:
    found = element.get(name)
    values = found if isinstance(found, list) else []
    return [one for one in values if isinstance(one, dict)]
