"""The header of a document: who, when, by whom and for whom it is kept."""

from dataclasses import dataclass
from typing import Final

from engine.transforms.ccda.codes import (
    CONFIDENTIALITY,
    GENDER,
    MARITAL,
    NUBC,
    RELIGION,
    Code,
    concept,
)
from engine.transforms.ccda.demographics import ethnicity_elements, race_elements
from engine.transforms.ccda.elements import Element, element, null
from engine.transforms.ccda.facts import (
    NOTHING,
    Resource,
    child,
    children,
    codes,
    extension,
    text,
)
from engine.transforms.ccda.parties import (
    authors,
    custodian,
    guardians,
    informants,
    legal_authenticator,
    orders,
    participants,
)
from engine.transforms.ccda.people import addresses, ids, names, telecoms
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.times import known, moment, period_of, time_stamp
from engine.transforms.ccda.versions import Version, version_elements

GENDERS: Final = {
    "male": Code("M", GENDER, "Male"),
    "female": Code("F", GENDER, "Female"),
    "other": Code("UN", GENDER, "Undifferentiated"),
}
UNKNOWN_GENDERS: Final = frozenset({"U", ""})
MARITAL_CODES: Final = frozenset("ADILMPSTWC")
SECRECY: Final = {"N": "Normal", "R": "Restricted", "V": "Very restricted"}


@dataclass(frozen=True, slots=True)
class Heading:
    """What tells one document type from another in the header.

    ``care_period`` asks for the documented period, ``visit`` for the encounter: ``""``
    not at all, ``known`` when there is one, ``demanded`` in any case, ``discharge``
    with end and disposition.
    """

    templates: list[Element]
    code: Code
    title: str
    translation: Code | None = None
    care_period: bool = False
    visit: str = ""


def header(
    heading: Heading, rendering: Rendering, version: Version, note: Resource
) -> list[Element]:
    """Return every header element of a document, in any order.

    Args:
        heading: the document type.
        rendering: facts, site and time.
        version: ids and numbers.
        note: the DocumentReference a note document is about, else an empty object.
    """
    site = rendering.site
    now = time_stamp(rendering.now)
    translation = heading.translation
    code = heading.code.element("code")
    if translation is not None:
        code.children.append(translation.element("translation"))
    return [
        Element("realmCode", {"code": "US"}, []),
        Element(
            "typeId",
            {"root": "2.16.840.1.113883.1.3", "extension": "POCD_HD000040"},
            [],
        ),
        *heading.templates,
        *version_elements(site, version),
        code,
        element("title", text=heading.title),
        Element("effectiveTime", {"value": now}, []),
        _confidentiality(rendering),
        Element("languageCode", {"code": site.language}, []),
        _record_target(rendering),
        *authors(rendering, note, now),
        *informants(rendering),
        custodian(rendering),
        *legal_authenticator(rendering, note),
        *participants(rendering),
        *orders(rendering, note),
        *(_care_period(rendering, now) if heading.care_period else ()),
        *_visit(heading, rendering, note),
    ]


def _confidentiality(rendering: Rendering) -> Element:
    marks: set[str] = set()
    for resource in rendering.facts.resources.values():
        labels = children(child(resource, "meta"), "security")
        marks.update(text(label, "code") for label in labels)
    level = max(marks & set(SECRECY), key="NRV".index, default="N")
    return Code(level, CONFIDENTIALITY, SECRECY[level]).element("confidentialityCode")


def _record_target(rendering: Rendering) -> Element:
    patient = rendering.facts.patient
    patient_role = element(
        "patientRole",
        None,
        _patient_ids(patient, rendering),
        addresses(patient, rendering),
        telecoms(patient),
        _patient(patient, rendering),
    )
    return element("recordTarget", None, patient_role)


def _patient_ids(patient: Resource, rendering: Rendering) -> list[Element]:
    """Return the person's ids, the enterprise identifier first."""
    found = ids(patient, rendering)
    enterprise = rendering.site.enterprise
    return sorted(found, key=lambda made: made.attributes.get("root") != enterprise)


def _patient(patient: Resource, rendering: Rendering) -> Element:
    race, more_races = race_elements(patient, rendering)
    return element(
        "patient",
        None,
        names(patient, rendering, fielded=True),
        _gender(patient, rendering),
        _birth_time(patient, rendering),
        _deceased(patient, rendering),
        _marital_status(patient, rendering),
        _religion(patient, rendering),
        race,
        more_races,
        ethnicity_elements(patient, rendering),
        guardians(rendering),
        _languages(patient),
    )


def _gender(patient: Resource, rendering: Rendering) -> Element:
    """Return the gender; a code of the sender's that means none of them is a loss."""
    if known_code := GENDERS.get(text(patient, "gender")):
        return known_code.element("administrativeGenderCode")
    sent = extension(child(patient, "_gender"), "alternate-codes")
    for code in sorted(codes(child(sent, "valueCodeableConcept")) - UNKNOWN_GENDERS):
        rendering.lose("Patient.gender", "no-cda-home", code)
    return null("administrativeGenderCode")


def _birth_time(patient: Resource, rendering: Rendering) -> Element:
    exact = text(
        extension(child(patient, "_birthDate"), "patient-birthTime"), "valueDateTime"
    )
    found = moment(exact) or known(
        patient.get("birthDate"), rendering, "Patient.birthDate"
    )
    return found.element("birthTime") if found else null("birthTime")


def _deceased(patient: Resource, rendering: Rendering) -> list[Element]:
    """Return flag and time of death; a flag without a time has the time ``UNK``."""
    flag = patient.get("deceasedBoolean")
    died = text(patient, "deceasedDateTime")
    if flag is not True and not died:
        said = flag is False
        return [Element("sdtc:deceasedInd", {"value": "false"}, [])] if said else []
    found = known(died, rendering, "Patient.deceasedDateTime")
    return [
        Element("sdtc:deceasedInd", {"value": "true"}, []),
        found.element("sdtc:deceasedTime") if found else null("sdtc:deceasedTime"),
    ]


def _marital_status(patient: Resource, rendering: Rendering) -> Element | None:
    source = child(patient, "maritalStatus")
    found = concept(source, rendering, "Patient.maritalStatus", MARITAL)
    if not found:
        return None
    if found.main and found.main.code not in MARITAL_CODES:
        return null("maritalStatusCode")
    return found.element("maritalStatusCode")


def _religion(patient: Resource, rendering: Rendering) -> Element | None:
    source = child(extension(patient, "patient-religion"), "valueCodeableConcept")
    found = concept(source, rendering, "Patient.religion", RELIGION)
    return found.element("religiousAffiliationCode") if found else None


def _languages(patient: Resource) -> list[Element]:
    made = []
    for spoken in children(patient, "communication"):
        for code in sorted(codes(child(spoken, "language")) - {""})[:1]:
            preferred = []
            if isinstance(spoken.get("preferred"), bool):
                said = "true" if spoken["preferred"] else "false"
                preferred = [Element("preferenceInd", {"value": said}, [])]
            language = Element("languageCode", {"code": "-".join(code.split())}, [])
            made.append(element("languageCommunication", None, language, preferred))
    return made


_CARE_DATES: Final = (
    ("Encounter", "period", "start"),
    ("Condition", "recordedDate"),
    ("Condition", "onsetDateTime"),
    ("Observation", "effectiveDateTime"),
    ("DiagnosticReport", "effectiveDateTime"),
    ("Procedure", "performedDateTime"),
    ("Immunization", "occurrenceDateTime"),
    ("MedicationRequest", "authoredOn"),
    ("MedicationAdministration", "effectiveDateTime"),
    ("DocumentReference", "date"),
)


def _care_period(rendering: Rendering, now: str) -> list[Element]:
    """Return the documented care: from the earliest date of the facts until now."""
    dates = [
        found
        for kind, *path in _CARE_DATES
        for _, resource in rendering.facts.of(kind)
        if (found := moment(text(resource, *path))) and found.ts[:8] <= now[:8]
    ]
    earliest = min(dates, key=lambda found: found.ts, default=None)
    low = earliest.element("low") if earliest else null("low")
    time = element("effectiveTime", None, low, Element("high", {"value": now}, []))
    event = element("serviceEvent", {"classCode": "PCPR"}, time)
    return [element("documentationOf", None, event)]


def _visit(heading: Heading, rendering: Rendering, note: Resource) -> list[Element]:
    encounter = visit_of(rendering, note)
    if not heading.visit or (not encounter and heading.visit == "known"):
        return []
    period = period_of(child(encounter, "period"), rendering, "Encounter.period")
    discharge = heading.visit == "discharge"
    body = element(
        "encompassingEncounter",
        None,
        ids(encounter, rendering),
        element("effectiveTime", None, period.bounds(closed=discharge)),
        _disposition(encounter, rendering) if discharge or encounter else None,
        _location(encounter, rendering, demanded=heading.visit == "demanded"),
    )
    return [element("componentOf", None, body)]


def visit_of(rendering: Rendering, note: Resource) -> Resource:
    """Return the visit a document is about: the note's, else the only one there is."""
    named = children(child(note, "context"), "encounter")
    for reference in [*named, child(note, "encounter")]:
        if found := rendering.facts.resolve({"encounter": reference}, "encounter"):
            return found
    visits = rendering.facts.of("Encounter")
    return visits[0][1] if len(visits) == 1 else NOTHING


def _disposition(encounter: Resource, rendering: Rendering) -> Element | None:
    source = child(encounter, "hospitalization", "dischargeDisposition")
    path = "Encounter.dischargeDisposition"
    found = concept(source, rendering, path, NUBC)
    if not found:
        return null("dischargeDispositionCode")
    return found.element("dischargeDispositionCode")


def _location(
    encounter: Resource, rendering: Rendering, *, demanded: bool
) -> Element | None:
    place = NOTHING
    for item in children(encounter, "location"):
        place = place or rendering.facts.resolve(item, "location")
    if not place and not demanded:
        return None
    facility = element("healthCareFacility", None, ids(place, rendering))
    return element("location", None, facility)
