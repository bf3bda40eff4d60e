"""The header: who, when, by whom, and what is said when nobody said it."""

from datetime import datetime, timedelta, timezone

import pytest

from engine.transforms.ccda.document import render
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.versions import Predecessor, Version
from tests.ccda_facts import (
    ENTERPRISE,
    PATIENT,
    ROOT,
    SITE,
    about,
    coded,
    document,
    note,
    patient,
    tree,
)

NS = {"h": "urn:hl7-org:v3", "s": "urn:hl7-org:sdtc"}
DEMOGRAPHICS = "http://terminology.hl7.org/CodeSystem/"


def header(*resources, **given):
    return tree(document("ccd", *resources, **given).document)


def one(root, path):
    [found] = root.xpath(path, namespaces=NS)
    return found


def person(**more):
    return one(header(person=patient(**more)), "//h:recordTarget//h:patient")


def test_the_enterprise_identifier_comes_first():
    numbers = [
        {"system": "urn:oid:2.25.5", "value": "MRN1"},
        {"system": ENTERPRISE, "value": "E1"},
    ]

    root = header(person=patient(identifier=numbers))

    ids = root.xpath("//h:patientRole/h:id", namespaces=NS)
    assert [(i.get("root"), i.get("extension")) for i in ids] == [
        (f"{ROOT}.1", "E1"),
        ("2.25.5", "MRN1"),
    ]


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ({"system": "urn:id:site:sender:NORTH", "value": "1"}, "no-oid"),
        ({"system": "urn:oid:2.999.1", "value": "1"}, "no-oid"),
        ({"system": "urn:oid:2.25.5", "value": "1", "use": "old"}, "old-identifier"),
    ],
)
def test_an_identifier_that_could_name_somebody_else_stays_out(identifier, reason):
    rendered = document("ccd", person=patient(identifier=[identifier]))

    assert reason in {loss.reason for loss in rendered.losses}
    assert b'extension="1"' not in rendered.document


@pytest.mark.parametrize(
    ("gender", "code"), [("male", "M"), ("female", "F"), ("other", "UN")]
)
def test_gender_is_written_as_it_is_known(gender, code):
    assert one(person(gender=gender), "h:administrativeGenderCode").get("code") == code


@pytest.mark.parametrize("gender", ["unknown", "", "X"])
def test_no_gender_is_assumed(gender):
    found = one(person(gender=gender), "h:administrativeGenderCode")

    assert dict(found.attrib) == {"nullFlavor": "UNK"}


def test_birth_time_keeps_its_precision():
    assert one(person(birthDate="1980-02"), "h:birthTime").get("value") == "198002"


def test_a_dead_patient_without_a_time_of_death_has_an_unknown_time():
    found = person(deceasedBoolean=True)

    assert one(found, "s:deceasedInd").get("value") == "true"
    assert one(found, "s:deceasedTime").get("nullFlavor") == "UNK"


def test_further_races_stand_beside_the_first_category():
    system = "urn:oid:2.16.840.1.113883.6.238"
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
    parts = [
        {"url": "ombCategory", "valueCoding": {"system": system, "code": code}}
        for code in ("2106-3", "2028-9")
    ]

    found = person(extension=[{"url": url, "extension": parts}])

    assert one(found, "h:raceCode").get("code") == "2106-3"
    assert one(found, "s:raceCode").get("code") == "2028-9"


def test_race_in_another_system_is_original_text():
    url = "https://example.org/race"
    value = coded("urn:id:x", "W", "white (local)")

    found = person(extension=[{"url": url, "valueCodeableConcept": value}])

    race = one(found, "h:raceCode")
    assert race.get("nullFlavor") == "OTH"
    assert one(race, "h:originalText").text == "white (local)"


def test_a_name_without_family_says_that_it_is_not_known():
    found = person(name=[{"given": ["Ann"]}])

    assert one(found, "h:name/h:family").get("nullFlavor") == "UNK"


def test_only_addresses_abroad_may_lack_state_and_postal_code():
    home = {"line": ["1 Rue X"], "city": "Paris"}

    abroad = header(person=patient(address=[{**home, "country": "FR"}]))
    nowhere = header(person=patient(address=[home]))

    path = "//h:patientRole/h:addr/h:state"
    assert abroad.xpath(path, namespaces=NS) == []
    assert one(nowhere, path).get("nullFlavor") == "UNK"


def test_a_telephone_number_becomes_a_url_without_blanks():
    numbers = [{"system": "phone", "value": "(555) 555 1234 <b>", "use": "mobile"}]

    found = one(header(person=patient(telecom=numbers)), "//h:patientRole/h:telecom")

    assert found.get("value") == "tel:(555)-555-1234-%3Cb%3E"
    assert found.get("use") == "MC"


def test_document_time_keeps_the_offset_it_was_given():
    east = timezone(timedelta(hours=-5))
    now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=east)
    facts = Facts({PATIENT: patient()}, ENTERPRISE)

    rendered = render("ccd", facts, SITE, Version("s"), now)

    root = tree(rendered.document)
    assert one(root, "/*/h:effectiveTime").get("value") == "20300102030405-0500"


def test_the_care_period_begins_with_the_earliest_fact_and_ends_now():
    early = about("Condition", recordedDate="2019-05-06")
    late = about("Procedure", status="completed", performedDateTime="2020-01-01")

    period = one(header(early, late), "//h:serviceEvent/h:effectiveTime")

    assert one(period, "h:low").get("value") == "20190506"
    assert one(period, "h:high").get("value") == "20300102120000+0000"


def test_a_second_version_replaces_the_first():
    first = Version("s", 1)
    second = Version("s", 2, predecessor=Predecessor("first-id", "RPLC", "set-1", 1))

    before, after = header(version=first), header(version=second)

    assert before.xpath("//h:relatedDocument", namespaces=NS) == []
    related = one(after, "//h:relatedDocument")
    assert related.get("typeCode") == "RPLC"
    assert one(related, "h:parentDocument/h:id").get("extension") == "first-id"
    path = "/*/h:setId/@extension"
    assert one(before, path) == one(after, path)


def test_restricted_facts_make_the_document_restricted():
    security = {"security": [{"code": "R"}]}

    found = one(header(about("Condition", meta=security)), "//h:confidentialityCode")

    assert found.get("code") == "R"


def test_next_of_kin_without_a_name_stays_out_and_is_reported():
    nameless = about("RelatedPerson", telecom=[{"system": "phone", "value": "1"}])

    rendered = document("ccd", nameless)

    assert b"participant" not in rendered.document
    assert "no-cda-home" in {loss.reason for loss in rendered.losses}


def test_the_people_who_wrote_a_note_stand_beside_the_engine():
    writer = {"resourceType": "Practitioner", "name": [{"text": "Dr Jo Smith"}]}
    written = note(author=[{"reference": "urn:fact:2"}], date="2029-12-31T10:00:00Z")

    root = tree(document("unstructured", written, writer).document)

    authors = root.xpath("/*/h:author", namespaces=NS)
    assert len(authors) == 2
    assert one(authors[1], ".//h:assignedPerson/h:name").text == "Dr Jo Smith"
    assert one(authors[1], "h:time").get("value") == "20291231100000+0000"


def test_a_signature_is_only_claimed_for_a_legally_authenticated_note():
    signer = {"resourceType": "Practitioner", "name": [{"text": "Dr Jo Smith"}]}
    mark = {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/alternate-codes",
                "valueCodeableConcept": coded(f"{DEMOGRAPHICS}v2-0271", "LA"),
            }
        ]
    }
    signed = note(authenticator={"reference": "urn:fact:2"}, _docStatus=mark)
    unsigned = note(authenticator={"reference": "urn:fact:2"}, docStatus="final")

    assert b"legalAuthenticator" in document("unstructured", signed, signer).document
    assert (
        b"legalAuthenticator" not in document("unstructured", unsigned, signer).document
    )


def test_a_name_that_is_no_longer_used_stays_out():
    names = [{"family": "Old", "use": "old"}, {"family": "Doe", "given": ["Ann"]}]

    rendered = document("ccd", person=patient(name=names))

    assert b"Old" not in rendered.document
    assert "Patient.name" in {loss.path for loss in rendered.losses}


def test_a_name_of_text_alone_cannot_be_a_patients_name():
    rendered = document("ccd", person=patient(name=[{"text": "Ann Doe"}]))

    found = tree(rendered.document)
    assert one(found, "//h:patient/h:name").get("nullFlavor") == "UNK"
    assert "Patient.name.text" in {loss.path for loss in rendered.losses}


def test_more_than_four_street_lines_are_joined_in_the_fourth():
    address = {"line": ["1", "2", "3", "4", "5"], "city": "X", "country": "FR"}

    root = header(person=patient(address=[address, {"use": "old", "city": "Y"}]))

    lines = root.xpath("//h:patientRole/h:addr/h:streetAddressLine", namespaces=NS)
    assert [line.text for line in lines] == ["1", "2", "3", "4, 5"]


def test_marital_status_outside_its_set_is_unknown():
    odd = coded(f"{DEMOGRAPHICS}v3-MaritalStatus", "X")

    found = one(person(maritalStatus=odd), "h:maritalStatusCode")

    assert dict(found.attrib) == {"nullFlavor": "UNK"}


def test_who_declined_to_tell_is_not_guessed():
    null = {"system": f"{DEMOGRAPHICS}v3-NullFlavor", "code": "ASKU"}
    parts = [{"url": "ombCategory", "valueCoding": null}]
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity"

    found = person(extension=[{"url": url, "extension": parts}])

    assert one(found, "h:ethnicGroupCode").get("nullFlavor") == "ASKU"


def test_table_0189_says_the_same_as_the_ethnic_categories():
    value = coded(f"{DEMOGRAPHICS}v2-0189", "H")
    url = "https://example.org/ethnicity"

    found = person(extension=[{"url": url, "valueCodeableConcept": value}])

    assert one(found, "h:ethnicGroupCode").get("code") == "2135-2"


def test_a_living_patient_is_said_to_live_only_when_the_source_says_so():
    assert one(person(deceasedBoolean=False), "s:deceasedInd").get("value") == "false"
    assert person().xpath("s:deceasedInd", namespaces=NS) == []


def test_a_discharge_summary_writes_what_is_not_known_of_the_discharge():
    stay = about("Encounter", status="finished", period={"start": "2029-12-28"})

    root = tree(document("discharge-summary", stay).document)

    visit = one(root, "//h:encompassingEncounter")
    assert one(visit, "h:effectiveTime/h:high").get("nullFlavor") == "UNK"
    assert one(visit, "h:dischargeDispositionCode").get("nullFlavor") == "UNK"


def lost(rendered, path):
    return [loss.value for loss in rendered.losses if loss.path == path]


def test_a_gender_of_the_senders_own_is_reported_and_unknown_is_none():
    own = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
    said = {"coding": [{"code": "X"}, {"code": "U"}]}
    sent = {"extension": [{"url": own, "valueCodeableConcept": said}]}

    rendered = document("ccd", person=patient(gender="unknown", _gender=sent))

    assert lost(rendered, "Patient.gender") == ["X"]


def test_who_has_no_name_is_reported_once_with_what_was_said():
    brother = about("RelatedPerson", relationship=[coded("urn:x", "BRO")])
    writer = {"resourceType": "Practitioner", "identifier": [{"value": "77"}]}
    written = note(author=[{"reference": "#w"}], contained=[{**writer, "id": "w"}])

    rendered = document("unstructured", written, brother)

    assert lost(rendered, "RelatedPerson") == ["BRO"]
    assert lost(rendered, "DocumentReference.author") == ["77"]
