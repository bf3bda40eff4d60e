"""What each section says about its facts, and where a fact belongs."""

from dataclasses import replace

import pytest

from tests.ccda_facts import (
    LN,
    SCT,
    SITE,
    about,
    coded,
    document,
    errors,
    note,
    tree,
)
from tests.ccda_person import HL7, observation, quantity, visit, vital

NS = {"h": "urn:hl7-org:v3", "x": "http://www.w3.org/2001/XMLSchema-instance"}


def section(code, *resources, template="ccd"):
    root = tree(document(template, *resources).document)
    path = "//h:section[h:code/@code=$code]"
    [found] = root.xpath(path, namespaces=NS, code=code)
    return found


def rows(found):
    return [
        ["".join(cell.itertext()) for cell in row]
        for row in found.findall(".//{*}tbody/{*}tr")
    ]


def values(found, path):
    return found.xpath(path, namespaces=NS)


ALLERGIES, PROBLEMS, MEDICATIONS = "48765-2", "11450-4", "10160-0"
FHIR = "http://hl7.org/fhir/5.0/StructureDefinition/"
RESULTS, VITALS, SOCIAL = "30954-2", "8716-3", "29762-2"
PLAN, NOTES, ENCOUNTERS, IMMUNIZATIONS = "18776-5", "34109-9", "46240-8", "11369-6"


@pytest.mark.parametrize(
    ("kind", "category", "code"),
    [
        ("allergy", ["medication"], "416098002"),
        ("allergy", [], "609328004"),
        ("intolerance", ["food"], "235719002"),
        (None, ["medication"], "419511003"),
        (None, [], "420134006"),
    ],
)
def test_the_kind_of_an_allergy_comes_from_type_and_category(kind, category, code):
    more = {"type": kind} if kind else {}
    allergy = about("AllergyIntolerance", code={"text": "x"}, category=category, **more)

    found = section(ALLERGIES, allergy)

    assert values(found, ".//h:observation/h:value/@code") == [code]


def test_an_explicit_statement_that_nothing_is_known_is_a_negation():
    none = about("AllergyIntolerance", code=coded(SCT, "409137002", "No drug allergy"))

    found = section(ALLERGIES, none)

    assert values(found, ".//h:observation/@negationInd") == ["true"]
    assert values(found, ".//h:observation/h:value/@code") == ["416098002"]
    assert values(found, ".//h:playingEntity/h:code/@nullFlavor") == ["NA"]


def test_the_words_of_a_feed_for_no_known_allergy_are_a_negation(tmp_path):
    told = about("AllergyIntolerance", code=coded("urn:local", "NKA", "none"))
    site = replace(SITE, no_known={"NKA": "716186003"})

    rendered = document("ccd", told, site=site)

    root = tree(rendered.document)
    path = "//h:section[h:code/@code=$code]//h:observation/@negationInd"
    assert root.xpath(path, namespaces=NS, code=ALLERGIES) == ["true"]
    assert rendered.faults == ()
    assert errors(rendered.document, tmp_path) == []


def test_an_end_that_is_still_to_come_is_shown_and_unknown_in_the_entry():
    told = about("Condition", code={"text": "flu"}, abatementDateTime="2031-01-01")

    found = section(PROBLEMS, told)

    assert "2031-01-01" in rows(found)[0][3]
    assert values(found, ".//h:observation//h:high/@nullFlavor") == ["UNK"]


def test_the_onset_of_an_allergy_is_no_end_of_it():
    found = section(ALLERGIES, about("AllergyIntolerance", onsetDateTime="2019"))

    time = ".//h:observation/h:effectiveTime"
    assert values(found, f"{time}/h:low/@value") == ["2019"]
    assert values(found, f"{time}/h:high") == []


def test_a_resolved_allergy_is_a_completed_concern_with_an_end():
    state = coded(f"{HL7}allergyintolerance-clinical", "resolved")

    found = section(ALLERGIES, about("AllergyIntolerance", clinicalStatus=state))

    assert values(found, "h:entry/h:act/h:statusCode/@code") == ["completed"]
    assert values(found, "h:entry/h:act/h:effectiveTime/h:high/@nullFlavor") == ["UNK"]


def test_a_reaction_has_a_text_of_its_own():
    reaction = {"manifestation": [{"text": "Hives"}], "severity": "mild"}

    found = section(ALLERGIES, about("AllergyIntolerance", reaction=[reaction]))

    [link] = values(
        found, ".//h:entryRelationship[@typeCode='MFST']/h:observation/h:text/*/@value"
    )
    [piece] = values(found, f".//*[@ID='{link[1:]}']")
    assert piece.text == "Hives, Mild"


def test_a_refuted_condition_is_negated():
    refuted = coded(f"{HL7}condition-ver-status", "refuted")

    found = section(PROBLEMS, about("Condition", verificationStatus=refuted))

    assert values(found, ".//h:observation/@negationInd") == ["true"]


def test_an_icd_code_alone_is_a_translation_and_never_a_snomed_code():
    icd = coded("http://hl7.org/fhir/sid/icd-10-cm", "J18.9", "Pneumonia")

    found = section(PROBLEMS, about("Condition", code=icd))

    [value] = values(found, ".//h:observation/h:value")
    assert value.get("nullFlavor") == "OTH"
    assert values(value, "h:translation/@code") == ["J18.9"]
    assert rows(found)[0][0] == "Pneumonia"


def test_three_times_a_day_is_every_eight_hours():
    timing = {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}

    found = section(
        MEDICATIONS, about("MedicationRequest", dosageInstruction=[{"timing": timing}])
    )

    [period] = values(found, ".//h:effectiveTime[@x:type='PIVL_TS']/h:period")
    assert (period.get("value"), period.get("unit")) == ("8", "h")


def test_what_does_not_come_out_even_is_text_alone():
    timing = {"repeat": {"frequency": 7, "period": 1, "periodUnit": "d"}}

    found = section(
        MEDICATIONS, about("MedicationRequest", dosageInstruction=[{"timing": timing}])
    )

    assert len(values(found, ".//h:effectiveTime")) == 1
    assert "7 per 1 d" in rows(found)[0]


def test_a_dose_that_was_not_said_is_unknown():
    found = section(MEDICATIONS, about("MedicationRequest"))

    assert values(found, ".//h:doseQuantity/@nullFlavor") == ["UNK"]


def test_a_result_shows_value_unit_flag_range_and_date_in_its_row():
    flag = coded(f"{HL7}v3-ObservationInterpretation", "L", "Low")
    result = observation(
        valueQuantity=quantity(9.1, "g/dL"),
        interpretation=[flag],
        referenceRange=[{"text": "12-16"}],
        status="preliminary",
    )

    found = section(RESULTS, result)

    assert rows(found) == [
        [
            "Hemoglobin",
            "9.1 g/dL",
            "Low",
            "12-16",
            "preliminary",
            "2029-12-30 08:15:00 -05:00",
            "",
        ]
    ]
    assert values(found, ".//h:observation/h:statusCode/@code") == ["active"]


def test_a_range_names_the_unit_that_a_value_in_words_lacks():
    limits = {
        "low": {"value": 1, "unit": "X_L"},
        "high": {"value": 15, "unit": "X_L"},
        "text": "1-15",
    }
    code = coded("http://loinc.org", "718-7")
    shown = {
        name: rows(
            section(
                RESULTS,
                about("Observation", code=code, status="final", referenceRange=[limits])
                | value,
            )
        )[0][3]
        for name, value in {
            "words": {"valueString": "5"},
            "number": {"valueQuantity": {"value": 5, "unit": "X_L"}},
        }.items()
    }

    assert shown == {"words": "1-15 X_L", "number": "1-15"}


def test_a_cancelled_result_has_no_value_whatever_was_sent():
    found = section(RESULTS, observation(status="cancelled", valueString="12"))

    assert values(found, ".//h:value/@nullFlavor") == ["NI"]
    assert "12" not in rows(found)[0]


def test_repeated_text_is_one_value_with_line_breaks():
    parts = [{"valueString": "first"}, {"valueString": "second"}]

    found = section(RESULTS, observation(component=parts))

    assert values(found, ".//h:value/text()") == ["first\nsecond"]
    assert len(values(found, ".//h:td/h:br")) == 1


def test_results_outside_a_report_have_a_battery_of_their_own():
    found = section(RESULTS, observation(valueString="x"))

    assert len(values(found, "h:entry/h:organizer/h:component/h:observation")) == 1


def test_vital_signs_of_one_time_stand_together():
    found = section(
        VITALS,
        vital("8867-4", 80, "/min"),
        vital("8480-6", 120, "mm[Hg]"),
        vital("8867-4", 81, "/min", effectiveDateTime="2029"),
    )

    counts = [len(one) for one in values(found, "h:entry/h:organizer")]
    assert len(values(found, "h:entry/h:organizer")) == 2
    assert counts[0] > counts[1]


@pytest.mark.parametrize(
    "odd", [{"valueQuantity": quantity(5)}, {"status": "preliminary"}]
)
def test_a_vital_sign_without_unit_or_not_final_is_a_result(odd):
    sign = vital("8867-4", 80, "/min", **odd)

    assert section(VITALS, sign).get("nullFlavor") == "NI"
    assert len(rows(section(RESULTS, sign))) == 1


def test_an_unknown_smoking_status_is_no_smoking_entry():
    smoking = coded(LN, "72166-2", "Smoking")

    found = observation(code=smoking, valueCodeableConcept={"text": "unknown"})

    assert section(SOCIAL, found).get("nullFlavor") == "NI"


def test_a_vaccine_that_was_refused_says_so():
    refused = about(
        "Immunization",
        status="not-done",
        vaccineCode={"text": "flu"},
        statusReason=coded(f"{HL7}v3-ActReason", "PATOBJ", "refused"),
    )

    found = section(IMMUNIZATIONS, refused)

    assert values(found, ".//h:substanceAdministration/@negationInd") == ["true"]
    path = ".//h:entryRelationship[@typeCode='RSON']//h:code/@code"
    assert values(found, path) == ["PATOBJ"]


def test_the_class_of_a_visit_is_a_translation():
    found = section(ENCOUNTERS, visit("urn:none"))

    assert values(found, "h:entry/h:encounter/h:code/h:translation/@code") == ["IMP"]


def test_a_letter_of_admission_is_read_with_its_name():
    kind = {**coded(f"{HL7}v2-0007", "E"), "text": "E"}
    named = {**coded(f"{HL7}v2-0007", "E", "Came by air"), "text": "Came by air"}

    first = section(ENCOUNTERS, {**visit("urn:none"), "type": [kind]})
    other = section(ENCOUNTERS, {**visit("urn:none"), "type": [named]})

    assert rows(first)[0][0] == "E (Emergency; inpatient encounter)"
    assert rows(other)[0][0] == "Came by air (inpatient encounter)"
    code = "h:entry/h:encounter/h:code/h:translation[1]/@displayName"
    assert values(first, code) == ["Emergency"]


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ({}, True),
        ({"status": "completed"}, False),
        ({"occurrenceDateTime": "2029-12-31"}, False),
        ({"occurrenceDateTime": "2030-01-02"}, True),
    ],
)
def test_only_what_is_still_to_come_is_planned(order, shown):
    request = about("ServiceRequest", **{"status": "active", **order})

    written = document("ccd", request).document

    assert (f'code="{PLAN}"'.encode() in written) == shown


def test_the_text_of_a_note_stands_whole_in_its_section():
    found = section(NOTES, note("Grüße\nzweite Zeile".encode()))

    assert rows(found)[0][3] == "Grüßezweite Zeile"
    assert values(found, ".//h:act/h:code/h:translation/@code") == ["11506-3", "PR"]


def test_a_discharge_summary_lists_only_the_final_diagnoses():
    final = about("Condition", code={"text": "final one"})
    other = about("Condition", code={"text": "other one"})

    found = section(
        "11535-2", visit("urn:fact:2"), final, other, template="discharge-summary"
    )

    assert [row[0] for row in rows(found)] == ["final one"]


def test_every_value_of_an_entry_stands_in_its_row():
    reported = [
        observation(valueQuantity=quantity(9.1, "g/dL")),
        vital("8867-4", 80, "/min"),
        about("Condition", code=coded(SCT, "38341003", "Hypertension")),
    ]
    root = tree(document("ccd", *reported).document)

    for entry in root.iter("{*}observation"):
        [link] = values(entry, "h:text/h:reference/@value")
        [row] = root.xpath(f"//*[@ID='{link[1:]}']")
        said = "".join(row.itertext())
        for value in values(entry, "h:value/@value | h:value/@displayName"):
            assert value in said


def test_the_place_of_a_visit_is_told_from_the_building_down_to_the_bed():
    ward = {"resourceType": "Location", "name": "4W"}
    bed = {
        "resourceType": "Location",
        "name": "401-A",
        "partOf": {"reference": "urn:fact:2"},
    }
    stay = visit("urn:none") | {"location": [{"location": {"reference": "urn:fact:3"}}]}

    found = section(ENCOUNTERS, stay, ward, bed)

    assert rows(found)[0][4] == "4W 401-A"


def test_a_facility_known_by_its_oid_alone_is_an_id_without_extension():
    maker = {
        "resourceType": "Organization",
        "name": "Maker",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.5"}],
    }
    given = about("Immunization", manufacturer={"reference": "urn:fact:2"})

    found = section(IMMUNIZATIONS, given, maker)

    assert values(found, ".//h:manufacturerOrganization/h:id/@root") == ["2.25.5"]


def test_the_hospital_course_is_the_discharge_summary_note_of_the_visit():
    table = "http://terminology.hl7.org/CodeSystem/v2-0270"
    course = note(b"Recovered well.", type=coded(table, "DS"))

    found = section("8648-8", course, template="discharge-summary")

    assert rows(found)[0][0] == "Recovered well."


def test_assessment_and_plan_takes_only_what_was_coded_as_such():
    told = observation(code=coded(LN, "51847-2"), valueString="Rest for a week")

    found = section("51847-2", note(), told, template="progress-note")
    empty = section("51847-2", note(), template="progress-note")

    assert rows(found)[0][0] == "Rest for a week"
    assert empty.get("nullFlavor") == "NI"


def test_assessment_and_plan_sent_as_two_stand_as_two_sections(tmp_path):
    sent = [
        note(),
        observation(code=coded(LN, "51848-0"), valueString="Better"),
        observation(code=coded(LN, "18776-5"), valueString="Home tomorrow"),
    ]

    assessment = section("51848-0", *sent, template="progress-note")
    plan = section("18776-5", *sent, template="progress-note")

    assert rows(assessment)[0][0] == "Better"
    assert rows(plan)[0][0] == "Home tomorrow"
    rendered = document("progress-note", *sent)
    assert errors(rendered.document, tmp_path) == []
    assert rendered.faults == ()


def test_medications_for_discharge_have_a_section_of_their_own():
    discharge = coded(f"{HL7}medicationrequest-category", "discharge")
    order = about("MedicationRequest", category=[discharge])

    found = section("10183-2", order, template="discharge-summary")

    assert len(values(found, "h:entry/h:act//h:substanceAdministration")) == 1


def test_no_known_medication_is_a_negation_without_time_and_dose():
    none = about(
        "MedicationStatement",
        status="active",
        medicationCodeableConcept=coded(SCT, "787481004", "No known medications"),
    )

    found = section(MEDICATIONS, none)

    assert values(found, ".//h:substanceAdministration/@negationInd") == ["true"]
    assert values(found, ".//h:effectiveTime/@nullFlavor") == ["NA"]
    assert values(found, ".//h:doseQuantity/@nullFlavor") == ["NA"]


def test_an_operation_that_was_ordered_is_a_planned_procedure():
    category = coded(SCT, "387713003")
    order = about("ServiceRequest", status="active", category=[category])

    found = section(PLAN, order)

    assert len(values(found, "h:entry/h:procedure[@moodCode='RQO']")) == 1


def test_an_answered_order_is_no_longer_planned():
    order = about("ServiceRequest", status="active")
    report = about(
        "DiagnosticReport", status="final", basedOn=[{"reference": "urn:fact:1"}]
    )

    assert f'code="{PLAN}"'.encode() not in document("ccd", order, report).document


def test_a_panel_shows_its_members_once():
    member = observation(valueString="x")
    panel = observation(hasMember=[{"reference": "urn:fact:1"}])
    reported = about(
        "DiagnosticReport",
        status="final",
        result=[{"reference": "urn:fact:2"}, {"reference": "urn:fact:1"}],
    )

    found = section(RESULTS, member, panel, reported)

    assert [row[1] for row in rows(found)] == ["", "x"]


def test_a_pointer_among_several_values_is_reported_and_no_row_claims_it_is_unknown():
    url = f"{FHIR}extension-Observation.valueAttachment"
    held = {"url": url, "valueAttachment": {"url": "http://x.example/1"}}
    pointers = observation(component=[{"extension": [held]}])
    mixed = observation(component=[{"valueString": "a"}, {"extension": [held]}])

    made = document("ccd", pointers, mixed)

    [lost, *_] = [one for one in made.losses if one.path == "Observation.component"]
    assert (lost.reason, lost.value) == ("no-cda-home", "http://x.example/1")
    assert [row[1] for row in rows(section(RESULTS, mixed))] == ["a"]
    assert not values(section(RESULTS, pointers), ".//h:entry")
