"""T18 to T22, T25 to T28: identifiers, codes, names, persons and their merges."""

import json

import pytest

from engine.transforms.fhir import MapContext, MapOptions, stamp_person, write_json
from tests.builders import er7
from tests.fhir_messages import (
    adt,
    bundle,
    codes,
    extensions,
    losses,
    mapped,
    msh,
    observation,
    obx,
    pid,
    pv1,
    resource,
    resources,
    segment,
)

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
MRG = segment("MRG", f1="900^^^HOSP&1.2.3&ISO^MR", f3="ACC9", f7="Doe^Anna")
MERGE = er7(msh("ADT^A40^ADT_A39"), "EVN|A40|20240102030405-0500", pid(), MRG)


def patient(context=None, **fields):
    data = adt("A01", pid(**fields), pv1())
    return resource(data, "Patient", context=context)


def systems(**fields):
    return [one["system"] for one in patient(**fields)["identifier"]]


def test_t18_an_iso_authority_is_its_oid():
    assert systems(f3="1^^^HOSP&1.2.3&ISO^MR") == ["urn:oid:1.2.3"]


def test_t18_the_sites_table_comes_first():
    context = MapContext(authorities={"HOSP": "https://hosp.example/mrn"}.get)
    found = patient(context, f3="1^^^HOSP&1.2.3&ISO^MR")

    assert found["identifier"][0]["system"] == "https://hosp.example/mrn"


@pytest.mark.parametrize(
    ("cx", "system"),
    [
        ("1", "urn:id:north:HOSP:none"),
        ("1^^^A B^MR", "urn:id:north:HOSP:A%20B"),
        ("1^^^&https://x.example/y&URI^MR", "https://x.example/y"),
        ("1^^^X&6ba7b811-9dad-11d1-80b4-00c04fd430c8&UUID",
         "urn:uuid:6ba7b811-9dad-11d1-80b4-00c04fd430c8"),
        ("1^^^^SS", "http://hl7.org/fhir/sid/us-ssn"),
    ],
)  # fmt: skip
def test_t18_every_identifier_has_an_absolute_system(cx, system):
    assert systems(f3=cx) == [system]


def test_t18_type_period_and_assigner_are_kept():
    one = patient(f3="1^7^M10^HOSP&1.2.3&ISO^MR^^20190101^20290101")["identifier"][0]

    assert codes(one["type"]) == [(V2 + "0203", "MR")]
    assert one["period"] == {"start": "2019-01-01", "end": "2029-01-01"}
    assert one["assigner"] == {"display": "HOSP"}
    assert one["value"] == "1"


def test_t18_account_licence_and_social_security_are_kept():
    data = adt(
        "A01", pid(f2="OLD", f4="ALT", f18="A5", f19="111223333", f20="D9^CA"), pv1()
    )

    values = [one["value"] for one in resource(data, "Patient")["identifier"]]

    assert values == ["100482", "OLD", "ALT", "111223333", "D9"]
    assert resource(data, "Account")["identifier"][0]["value"] == "A5"


def test_t19_a_null_leaves_no_trace_and_names_the_element_to_remove():
    data = adt("A08", pid(f5='Doe^""', f11='""', f16='""'), pv1(f10='""'))

    assert '""' not in str(bundle(data))
    [entry] = mapped(data).all("Patient")
    assert not {"address", "maritalStatus"} & set(entry.resource)
    assert entry.nulls == ["address", "maritalStatus"]
    assert mapped(data).all("Encounter")[0].nulls == ["serviceType"]


@pytest.mark.parametrize(
    ("segments", "kind", "status"),
    [
        (segment("IAM", f1="1", f3="1^X^L", f6="D", f7="A1"), "AllergyIntolerance",
         "verificationStatus"),
        (segment("DG1", f1="1", f3="I20^X^I10", f21="D"), "Condition",
         "verificationStatus"),
    ],
)  # fmt: skip
def test_t20_what_is_deleted_is_entered_in_error(segments, kind, status):
    found = resource(adt("A60", pid(), pv1(), segments), kind)

    assert codes(found[status])[0][1] == "entered-in-error"
    assert "clinicalStatus" not in found


def test_t20_a_deleted_procedure_is_entered_in_error():
    pr1 = segment("PR1", f1="1", f3="1^X^L", f20="D")

    assert (
        resource(adt("A01", pid(), pv1(), pr1), "Procedure")["status"]
        == "entered-in-error"
    )


def test_t21_up_to_three_codings_and_the_words():
    value = "1^A^SCT^2^B^L^v1^v2^said^3^C^99X"
    found = observation(obx("CWE", value))["valueCodeableConcept"]

    assert codes(found) == [
        ("http://snomed.info/sct", "1"),
        ("urn:id:north:HOSP:codes:L", "2"),
        ("urn:id:north:HOSP:codes:99X", "3"),
    ]
    assert (found["text"], found["coding"][0]["version"]) == ("said", "v1")


@pytest.mark.parametrize(
    ("word", "system"),
    [
        ("HL70078", V2 + "0078"), ("HL7078", V2 + "0078"), ("LN", "http://loinc.org"),
        ("I10C", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("ISO3166", "urn:iso:std:iso:3166"),
        ("2.16.840.1.113883.6.96", "urn:id:north:HOSP:codes:2.16.840.1.113883.6.96"),
    ],
)  # fmt: skip
def test_t21_systems_are_uris(word, system):
    found = observation(obx("CWE", f"H^High^{word}"))["valueCodeableConcept"]

    assert codes(found) == [(system, "H")]


def test_t21_an_oid_sent_with_the_code_wins_and_so_does_the_sites_table():
    oid = observation(obx("CWE", "1^X^L" + "^" * 11 + "2.16.1"))["valueCodeableConcept"]
    context = MapContext(systems={"L": "https://codes.example"}.get)
    table = observation(obx("CWE", "1^X^L"), context=context)["valueCodeableConcept"]

    assert codes(oid) == [("urn:oid:2.16.1", "1")]
    assert codes(table) == [("https://codes.example", "1")]


def test_t21_words_alone_are_text():
    assert observation(obx("CWE", "^Growth"))["valueCodeableConcept"] == {
        "text": "Growth"
    }


def test_t21_a_code_without_system_is_of_the_fields_table_where_it_is_in_it():
    known = resource(adt("A01", pid(), pv1(f4="E")), "Encounter")["type"][0]
    own = resource(adt("A01", pid(), pv1(f4="ZZ")), "Encounter")["type"][0]

    assert codes(known) == [(V2 + "0007", "E")]
    assert codes(own) == [("urn:id:north:HOSP:codes:PV1-4", "ZZ")]


@pytest.mark.parametrize(
    ("sent", "gender"),
    [("F", "female"), ("A", "other"), ("N", "other"), ("?", "unknown")],
)
def test_t22_required_codes_are_fhirs_and_the_senders_is_kept(sent, gender):
    found = patient(f8=sent)

    assert found["gender"] == gender
    assert ("_gender" in found) == (sent != "F")


def test_t25_escapes_are_resolved_after_splitting():
    found = observation(obx("ST", "A\\T\\B \\F\\ C\\S\\D\\E\\ \\X42\\"))

    assert found["valueString"] == "A&B | C^D\\ B"


def test_t26_every_name_with_its_use_and_parts():
    names = patient(f5="van Berg&van&Berg^Ann^Q^Jr^Dr^PhD^L~Roe^Ann^^^^^M")["name"]

    assert names[0] == {
        "use": "official",
        "family": "van Berg",
        "_family": names[0]["_family"],
        "given": ["Ann", "Q"],
        "prefix": ["Dr"],
        "suffix": ["Jr", "PhD"],
    }
    assert [one["valueString"] for one in names[0]["_family"]["extension"]] == [
        "van",
        "Berg",
    ]
    assert names[1]["use"] == "maiden"


def test_t26_what_a_person_is_called_is_a_nickname():
    names = patient(f5="Doe^Ann" + "^" * 13 + "Annie")["name"]

    assert names[1] == {"use": "nickname", "given": ["Annie"]}


def test_t27_a_date_of_death_wins_over_the_flag():
    assert patient(f29="20240101", f30="Y")["deceasedDateTime"] == "2024-01-01"
    assert "deceasedBoolean" not in patient(f29="20240101", f30="Y")
    assert patient(f30="Y")["deceasedBoolean"] is True


@pytest.mark.parametrize(
    ("fields", "element", "value"),
    [
        ({"f24": "Y", "f25": "2"}, "multipleBirthInteger", 2),
        ({"f24": "N"}, "multipleBirthBoolean", False),
    ],
)
def test_t27_multiple_birth(fields, element, value):
    assert patient(**fields)[element] == value


def test_t27_where_a_person_comes_from():
    found = patient(
        f6="Mothers^Mia", f17="CAT^Catholic^HL70006", f23="Town", f26="USA", f28="NO"
    )

    assert extensions(found, "mothersMaidenName")[0]["valueString"] == "Mia Mothers"
    religion = extensions(found, "religion")[0]["valueCodeableConcept"]
    assert [code for _, code in codes(religion)] == ["1041", "CAT"]
    assert extensions(found, "birthPlace")[0]["valueAddress"] == {"text": "Town"}
    assert extensions(found, "citizenship")
    assert extensions(found, "nationality")


def test_t27_race_is_plain_unless_the_feed_is_american():
    data = adt("A01", pid(f10="2106-3^White^CDCREC", f22="2186-5^Not^CDCREC"), pv1())

    assert extensions(resource(data, "Patient"), "patient-race")
    american = resource(data, "Patient", profile="us-core")
    [race] = extensions(american, "us-core-race")
    assert [part["url"] for part in race["extension"]] == ["ombCategory", "text"]
    assert extensions(american, "us-core-ethnicity")


def test_t28_a_merge_retires_the_prior_patient():
    survivor, retired = mapped(MERGE).patients

    assert retired.resource["active"] is False
    assert retired.resource["link"] == [
        {"other": survivor.reference, "type": "replaced-by"}
    ]
    assert survivor.resource["link"] == [
        {"other": retired.reference, "type": "replaces"}
    ]


def test_t28_both_patients_are_found_by_the_old_number():
    survivor, retired = mapped(MERGE).patients

    for entry in (survivor, retired):
        old = [
            one["value"]
            for one in entry.resource["identifier"]
            if one.get("use") == "old"
        ]
        assert old == ["900"]


def test_t28_a_destination_may_have_linkage_instead():
    found = mapped(MERGE, merge="linkage")

    assert "link" not in found.patients[0].resource
    assert [item["type"] for item in found.all("Linkage")[0].resource["item"]] == [
        "source",
        "historical",
    ]


def test_t28_several_pairs_stay_pairs():
    data = er7(
        msh("ADT^A40^ADT_A39"),
        pid(),
        MRG,
        pid(f3="200^^^HOSP&1.2.3&ISO^MR"),
        segment("MRG", f1="901^^^HOSP&1.2.3&ISO^MR"),
    )

    one, one_prior, two, two_prior = mapped(data).patients

    assert one_prior.resource["link"][0]["other"] == one.reference
    assert two_prior.resource["link"][0]["other"] == two.reference


def test_t28_a_patient_is_not_merged_with_itself():
    data = er7(
        msh("ADT^A40^ADT_A39"), pid(), segment("MRG", f1="100482^^^HOSP&1.2.3&ISO^MR")
    )

    found = mapped(data)

    assert len(found.patients) == 1
    assert [one.code for one in found.findings] == ["merge_with_itself"]


def test_t28_a_changed_number_stays_as_old():
    data = er7(msh("ADT^A47^ADT_A30"), pid(), MRG)

    identifiers = resource(data, "Patient")["identifier"]

    assert [(one["value"], one.get("use")) for one in identifiers] == [
        ("100482", None),
        ("900", "old"),
    ]


def test_the_account_of_a_merged_patient_is_kept():
    assert [one["status"] for one in resources(MERGE, "Account")] == ["unknown"]


def test_a_stamp_makes_the_enterprise_identifier_the_patients_identity():
    found = mapped(adt())

    stamped = stamp_person(found, "urn:oid:9.9", "E1")

    [entry] = found.all("Patient")
    assert stamped
    assert entry.resource["identifier"][0]["value"] == "E1"
    assert entry.criteria == "identifier=urn:oid:9.9|E1"
    [visit] = found.all("Encounter")
    assert visit.resource["subject"] == {"reference": entry.full_url}


def test_each_patient_of_a_merge_gets_its_own_stamp():
    found = mapped(MERGE)
    survivor, retired = found.patients

    assert stamp_person(found, "urn:oid:9.9", "E1", segment=survivor.segment)
    assert stamp_person(found, "urn:oid:9.9", "E2", segment=retired.segment)

    assert survivor.resource["link"][0]["other"] == {"reference": retired.full_url}
    assert json.loads(write_json(retired.resource))["identifier"][0]["value"] == "E2"


def test_one_stamp_is_not_given_to_two_patients():
    found = mapped(MERGE)
    survivor, retired = found.patients
    stamp_person(found, "urn:oid:9.9", "E1", segment=survivor.segment)

    assert not stamp_person(found, "urn:oid:9.9", "E1", segment=retired.segment)
    assert retired.full_url != survivor.full_url


def test_a_feed_says_which_of_its_numbers_a_patient_is_known_by():
    data = adt("A01", pid(f3="1^^^A^PI~2^^^B^MR"), pv1())
    context = MapContext(options=MapOptions(identifier="PI"))

    assert mapped(data).all("Patient")[0].criteria.endswith("|2")
    assert mapped(data, context=context).all("Patient")[0].criteria.endswith("|1")


def test_next_of_kin_is_a_person_and_a_contact_where_marked():
    plain = segment("NK1", f1="1", f2="Doe^Alex", f3="SPO^Spouse^HL70063", f5="555-1")
    marked = plain + "||EC^Emergency^HL70131"
    data = adt("A01", pid(), plain, marked, pv1())

    people = resources(data, "RelatedPerson")
    contacts = resource(data, "Patient")["contact"]

    assert len(people) == 1
    assert [code for _, code in codes(people[0]["relationship"][0])] == ["SPS", "SPO"]
    assert contacts[0]["name"]["family"] == "Doe"


def test_d12_a_guarantor_is_on_the_account():
    gt1 = segment(
        "GT1", f1="1", f2="G1", f3="Doe^Alex", f6="555-2", f11="SPO", f13="20240101"
    )
    data = adt("A01", pid(f18="A5"), pv1(), gt1)

    [guarantor] = resource(data, "Account")["guarantor"]

    assert guarantor["period"] == {"start": "2024-01-01"}
    assert resource(data, "RelatedPerson")["name"][0]["family"] == "Doe"


def test_telecom_and_addresses():
    found = patient(
        f11="1 Road&Road&1^Flat 2^Town^ST^99^USA^H^^County~PO Box^^^^^^V",
        f13="^PRN^PH^^1^555^5551234^9~^NET^Internet^a@b.example~^^CP^^^^7",
        f14="(555)555-0199",
    )

    assert found["address"][0]["line"] == ["1 Road", "Road", "1", "Flat 2"]
    assert found["address"][0]["district"] == "County"
    assert extensions(found["address"][1], "alternate-codes")
    assert [(t["system"], t["value"], t.get("use")) for t in found["telecom"]] == [
        ("phone", "+1 555 5551234 X9", "home"),
        ("email", "a@b.example", "home"),
        ("phone", "7", "mobile"),
        ("phone", "(555)555-0199", "work"),
    ]


def test_what_has_no_element_is_listed():
    found = losses(adt("A01", pid(f27="V", f31="Y"), pv1()))

    assert (found["PID-27"], found["PID-31"]) == ("no-fhir-home", "no-fhir-home")
