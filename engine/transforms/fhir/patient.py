"""PID and PD1 to Patient.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps PID[Patient] and PD1[Patient]; fhir.md T01, T18,
    T22, T26, T27.
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    code,
    coded,
    extension,
    identifier_of,
    listed,
    plain,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import Phones, address, human_names, phones
from engine.transforms.fhir.origins import person_extensions
from engine.transforms.fhir.parties import organization, practitioners
from engine.transforms.fhir.systems import HL7, IDENTIFIER_TYPE, SSN
from engine.transforms.fhir.vocabulary import (
    GENDER,
    MARITAL,
    V3_MARITAL,
    V3_NULL,
)

NULLS: Final = {
    2: "identifier", 3: "identifier", 5: "name", 7: "birthDate", 8: "gender",
    11: "address", 13: "telecom", 14: "telecom", 15: "communication",
    16: "maritalStatus", 24: "multipleBirthBoolean", 25: "multipleBirthInteger",
    29: "deceasedDateTime", 30: "deceasedBoolean",
}  # fmt: skip
"""PID fields whose HL7 null removes an element."""


def map_patient(conversion: Conversion, pid: Node) -> Subject:
    """Add the Patient a PID is about and return it as subject."""
    resource = conversion.said(pid, _read_person)
    if conversion.plan.inactive:
        resource = {"resourceType": "Patient", "active": False, **resource}
    pd1 = pid.child("PD1")
    if pd1 is not None:
        _add_care(conversion, pd1, resource)
    entry = _add(conversion, pid, resource)
    conversion.note_nulls(entry, pid, NULLS)
    subject = Subject(pid, entry)
    conversion.add_subject(subject)
    return subject


def _read_person(conversion: Conversion, pid: Node) -> Element:
    """Return the person as the PID tells of them."""
    resource: Element = {"resourceType": "Patient"}
    put(resource, "identifier", patient_identifiers(conversion, pid))
    _add_names(conversion, pid, resource)
    _add_birth(conversion, pid, resource)
    add_gender(resource, pid.text(8))
    _add_contact(conversion, pid, resource)
    _add_life(conversion, pid, resource)
    put(resource, "extension", person_extensions(conversion, pid))
    pid.take(1)
    return resource


def _add(conversion: Conversion, node: Node, resource: Element) -> Entry:
    identifiers = listed(resource, "identifier")
    best = preferred(identifiers, conversion.context.options.identifier)
    if best is None:
        parts = (conversion.message_key, str(node.position))
        return conversion.upsert_own(node, resource, *parts)
    system, value = str(best["system"]), str(best["value"])
    return conversion.upsert(node, resource, system, value)


def preferred(identifiers: list[Element], type_code: str) -> Element | None:
    """Return the identifier a Patient is known by: of the feed's type, or the first."""
    for one in identifiers:
        kind = one.get("type")
        if isinstance(kind, dict) and kind["coding"][0]["code"] == type_code:
            return one
    return identifiers[0] if identifiers else None


def patient_identifiers(conversion: Conversion, pid: Node) -> list[Element]:
    """Return the identifiers of PID-3, 2, 4, 19 and 20, each once."""
    feed = conversion.feed
    found: list[Element] = []
    for field in (3, 2, 4):
        if pid.has(field):
            for source in pid.all(field):
                add_new(found, identifier_of(feed, source))
    if pid.has(19):
        ssn: Element = {"system": SSN, "value": plain(pid.text(19))}
        ssn["type"] = coded(IDENTIFIER_TYPE, "SS")
        if ssn["value"]:
            add_new(found, ssn)
    if pid.has(20):
        add_new(found, _licence(conversion, pid))
    return found


def add_new(found: list[Element], one: Element) -> None:
    """Add an identifier unless the list has it."""
    if one and not any(
        known["value"] == one["value"] and known["system"] == one["system"]
        for known in found
    ):
        found.append(one)


def _licence(conversion: Conversion, pid: Node) -> Element:
    """Return PID-20, a DLN; some senders write a CX there."""
    source = pid.first(20)
    number = plain(source.text()) if source else ""
    if source is None or not number:
        return {}
    feed = conversion.feed
    if source.text(4):
        return identifier_of(feed, source, "DL")
    found: Element = {
        "type": coded(IDENTIFIER_TYPE, "DL"),
        "system": feed.licence_system(source.text(2)),
        "value": number,
    }
    if end := feed.date_time(source.text(3)):
        found["period"] = {"end": end}
    if state := plain(source.text(2)):
        found["assigner"] = {"display": state}
    return found


def _add_names(conversion: Conversion, pid: Node, resource: Element) -> None:
    feed = conversion.feed
    names: list[Element] = []
    for source in pid.all(5):
        names += human_names(feed, source)
    if pid.has(9):
        for source in pid.all(9):
            names += human_names(feed, source)
    put(resource, "name", names)


def _add_birth(conversion: Conversion, pid: Node, resource: Element) -> None:
    """PID-7: the date, and the time of birth as extension."""
    if not pid.has(7):
        return
    born = conversion.moment(pid, 7)
    if born.text:
        resource["birthDate"] = born.date
    if born.instant:
        time = extension("patient-birthTime", "DateTime", born.instant)
        resource["_birthDate"] = {"extension": [time]}


def add_gender(resource: Element, sent: str) -> None:
    """Set gender from table 0001; a code FHIR does not have is kept beside it (T22)."""
    sex = code(sent)
    if not sex:
        return
    gender = GENDER.get(sex.upper())
    resource["gender"] = gender or "unknown"
    if gender is None or sex not in ("F", "M", "O", "U"):
        resource["_gender"] = alternate_codes(coded(HL7 + "v2-0001", sex))


def _add_contact(conversion: Conversion, pid: Node, resource: Element) -> None:
    feed = conversion.feed
    addresses = [found for source in pid.all(11) if (found := address(feed, source))]
    if pid.has(12):
        _add_county(conversion, pid, addresses)
    put(resource, "address", addresses)
    put(resource, "telecom", phones(conversion, pid, _PHONES))
    if pid.has(15):
        language = conversion.concept(pid, 15, "0296")
        put(resource, "communication", spoken(language))
    if status := conversion.concept(pid, 16, "0002"):
        image = MARITAL.get(pid.text(16))
        is_null = image in ("UNK", "OTH", "NAVU")
        resource["maritalStatus"] = translated(
            status, MARITAL, V3_NULL if is_null else V3_MARITAL
        )


def _add_county(conversion: Conversion, pid: Node, addresses: list[Element]) -> None:
    """PID-12 completes a single address that has no county of its own."""
    county = conversion.string(pid, 12)
    if not county:
        return
    if len(addresses) == 1 and not addresses[0].get("district"):
        addresses[0] = {**addresses[0], "district": county}
    elif not any(one.get("district") == county for one in addresses):
        addresses.append({"district": county})


def spoken(language: Element) -> list[Element]:
    """Return a language as communication, with its BCP 47 code where that is plain."""
    if not language:
        return []
    codings = language.get("coding")
    if isinstance(codings, list):
        tag = _tag(str(codings[0].get("code", "")))
        if tag and codings[0]["system"] != "urn:ietf:bcp:47":
            known = {"system": "urn:ietf:bcp:47", "code": tag}
            language = {**language, "coding": [known, *codings]}
    return [{"language": language}]


def _tag(text: str) -> str:
    """Return the BCP 47 tag a language code means, or ``""``."""
    if text in _ISO_639_2:
        return _ISO_639_2[text]
    name, _, region = text.partition("-")
    if len(name) == 2 and name.isalpha() and name.islower():  # noqa: PLR2004 - ISO 639-1
        return text if not region or region.isalnum() else ""
    return ""


_ISO_639_2: Final = dict(
    pair.split("=")
    for pair in [
        "eng=en",
        "spa=es",
        "fre=fr",
        "fra=fr",
        "ger=de",
        "deu=de",
        "ita=it",
        "por=pt",
        "dut=nl",
        "nld=nl",
        "rus=ru",
        "pol=pl",
        "chi=zh",
        "zho=zh",
        "jpn=ja",
        "kor=ko",
        "ara=ar",
        "hin=hi",
        "vie=vi",
        "gre=el",
        "swe=sv",
        "nor=no",
        "dan=da",
        "fin=fi",
        "cze=cs",
        "ces=cs",
        "tur=tr",
        "heb=he",
        "ukr=uk",
    ]
)


def _add_life(conversion: Conversion, pid: Node, resource: Element) -> None:
    """PID-24, 25: multiple birth; PID-29 wins over PID-30 for death."""
    order = pid.text(25).strip()
    if order.isdecimal() and int(order) > 0:
        resource["multipleBirthInteger"] = int(order)
        pid.take(24)
    elif (several := flag(pid.text(24))) is not None:
        resource["multipleBirthBoolean"] = several
    elif pid.has(24):
        pid.leave(24)
    if order and "multipleBirthInteger" not in resource:
        conversion.lose(pid, 25, "unreadable")
    if died := conversion.when(pid, 29) if pid.has(29) else "":
        resource["deceasedDateTime"] = died
        pid.take(30)
    elif (dead := flag(pid.text(30))) is not None:
        resource["deceasedBoolean"] = dead
    elif pid.has(30):
        pid.leave(30)


_PHONES: Final[Phones] = ((13, "home"), (14, "work"), (40, ""))
_FLAGS: Final = {"Y": True, "TRUE": True, "N": False, "FALSE": False}


def flag(text: str) -> bool | None:
    """Return table 0136, or a boolean in words; None for anything else."""
    return _FLAGS.get(text.strip().upper())


def _add_care(conversion: Conversion, pd1: Node, resource: Element) -> None:
    """PD1: who cares for the patient, and what else it says of the person."""
    said = conversion.said(pd1, _read_care)
    extensions = listed(resource, "extension") + listed(said, "extension")
    resource.pop("extension", None)
    put(resource, "generalPractitioner", said["generalPractitioner"])
    put(resource, "extension", extensions)


def _read_care(conversion: Conversion, pd1: Node) -> Element:
    firms = (organization(conversion, pd1, source) for source in pd1.all(3))
    doctors = [entry.mention() for entry in firms if entry is not None]
    doctors += [entry.mention() for entry in practitioners(conversion, pd1, 4)]
    extensions: list[Element] = []
    if disability := conversion.concept(pd1, 6, "0295"):
        extensions.append(
            extension("patient-disability", "CodeableConcept", disability)
        )
    if pd1.has(14) and (name := conversion.string(pd1, 14)):
        extensions.append(extension("patient-congregation", "String", name))
    return {"generalPractitioner": doctors, "extension": extensions}


def map_living_will(conversion: Conversion, pd1: Node) -> None:
    """PD1-7 becomes an Observation; the rest of PD1 is on the Patient."""
    will = conversion.concept(pd1, 7, "0315")
    if not will:
        return
    resource: Element = {
        "resourceType": "Observation",
        "status": "final",
        "code": coded("http://loinc.org", "75320-2", "Advance directive"),
        "valueCodeableConcept": will,
    }
    subject = conversion.about(pd1, resource)
    conversion.upsert_own(pd1, resource, subject.key, "living will")


def map_account(conversion: Conversion, pid: Node) -> None:
    """PID-18 becomes the Account of the patient."""
    source = pid.first(18) if pid.has(18) else None
    one = identifier_of(conversion.feed, source, "AN") if source else {}
    if not one:
        return
    resource: Element = {
        "resourceType": "Account",
        "identifier": [one],
        "status": conversion.plan.account,
    }
    subject = conversion.subject_of(pid)
    if subject.patient:
        resource["subject"] = [subject.patient.reference]
    system, value = str(one["system"]), str(one["value"])
    subject.account = conversion.upsert(pid, resource, system, value)
    if conversion.plan.account == "active":  # an ADT opens no account that was closed
        subject.account.presumed = ("status",)
