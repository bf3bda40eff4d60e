"""T16, T17, T33 to T35 and the other ADT segments."""

import pytest

from engine.errors import TransformError
from tests.builders import er7
from tests.fhir_messages import (
    adt,
    codes,
    extensions,
    losses,
    mapped,
    msh,
    obr,
    obx,
    pid,
    pv1,
    resource,
    resources,
    segment,
)

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
V2_CLASS = "http://terminology.hl7.org/CodeSystem/v2-0004"


def encounter(event="A01", *more, a04_status="auto", **fields):
    data = adt(event, pid(), pv1(**fields), *more)
    return resource(data, "Encounter", a04_status=a04_status)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("E", (ACT_CODE, "EMER")), ("I", (ACT_CODE, "IMP")), ("O", (ACT_CODE, "AMB")),
        ("P", (ACT_CODE, "PRENC")), ("R", (V2_CLASS, "R")), ("B", (V2_CLASS, "B")),
        ("ZZ^Own^L", ("urn:id:north:HOSP:codes:L", "ZZ")),
    ],
)  # fmt: skip
def test_t16_patient_class(sent, expected):
    found = encounter(f2=sent)["class"]

    assert (found["system"], found["code"]) == expected


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        ("A01", {}, "in-progress"), ("A02", {}, "in-progress"), ("A03", {}, "finished"),
        ("A05", {"f2": "P"}, "planned"), ("A06", {}, "in-progress"),
        ("A08", {}, "in-progress"), ("A08", {"f2": "P"}, "planned"),
        ("A08", {"f45": "20240105"}, "finished"), ("A11", {}, "cancelled"),
        ("A11", {"f45": "20240105"}, "cancelled"), ("A13", {}, "in-progress"),
        ("A31", {}, "in-progress"), ("A04", {}, "in-progress"),
        ("A04", {"f44": ""}, "planned"), ("A08", {"f45": "nonsense"}, "in-progress"),
    ],
)  # fmt: skip
def test_t17_status_of_a_visit(event, fields, expected):
    assert encounter(event, **fields)["status"] == expected


@pytest.mark.parametrize("wanted", ["planned", "in-progress"])
def test_t17_a_feed_may_fix_the_status_of_a_registration(wanted):
    assert encounter("A04", a04_status=wanted)["status"] == wanted


def test_t33_observations_of_an_admission_are_about_the_patient():
    data = adt("A01", pid(), pv1(), obx("NM", "190", f3="8302-2^Height^LN"))

    found = mapped(data)

    [height], [patient] = found.all("Observation"), found.all("Patient")
    assert height.resource["subject"] == patient.reference


@pytest.mark.parametrize("visit", [pv1(f19=""), pv1(f2="N")])
def test_t33_results_have_a_visit_only_where_it_is_numbered(visit):
    data = er7(msh("ORU^R01^ORU_R01"), pid(), visit, obr(), obx())

    assert not mapped(data).all("Encounter")
    assert losses(data)["PV1-3"] == "context"


def test_t33_a_person_update_has_a_visit_only_where_it_is_numbered():
    assert not mapped(adt("A31", pid(), pv1(f19=""))).all("Encounter")


def test_t34_a_place_has_a_location_for_each_level():
    data = adt("A01", pid(), pv1(f3="W^12^A^HOSP^^^B1^3"))
    found = {e.resource["name"]: e for e in mapped(data).all("Location")}

    chain, name = [], "A"
    while name:
        entry = found[name]
        chain.append(codes(entry.resource["physicalType"])[0][1])
        above = entry.resource.get("partOf")
        name = next((n for n, e in found.items() if e.reference == above), "")
    assert chain == ["bd", "ro", "wa", "lvl", "bu", "si"]


def test_t34_bed_one_of_two_wards_is_two_beds():
    data = adt("A02", pid(), pv1(f3="W1^1^1", f6="W2^1^1"))

    beds = [e for e in mapped(data).all("Location") if "bd" in str(e.resource)]

    assert len({bed.full_url for bed in beds}) == 2


def test_t34_stays_by_field():
    found = encounter("A02", f6="OLD", f11="TEMP", f42="NEXT", f43="WAS")

    assert [stay["status"] for stay in found["location"]] == [
        "active", "completed", "active", "planned", "completed",
    ]  # fmt: skip
    assert len([stay for stay in found["location"] if stay.get("extension")]) == 2


def test_t34_a_bed_has_its_status():
    data = adt("A01", pid(), pv1(f40="O"))

    beds = [one for one in resources(data, "Location") if "operationalStatus" in one]

    assert [one["operationalStatus"]["code"] for one in beds] == ["O"]


@pytest.mark.parametrize(
    ("sent", "criticality", "severity"),
    [("SV", "high", "severe"), ("MO", None, "moderate"), ("MI", "low", "mild"),
     ("U", "unable-to-assess", None)],
)  # fmt: skip
def test_t35_severity_is_criticality_and_that_of_the_reaction(
    sent, criticality, severity
):
    al1 = segment(
        "AL1", f1="1", f2="DA", f3="7980^Penicillin^RXNORM", f4=sent, f5="Hives"
    )
    found = resource(adt("A01", pid(), pv1(), al1), "AllergyIntolerance")

    assert found.get("criticality") == criticality
    assert found["reaction"][0].get("severity") == severity
    assert found["reaction"][0]["manifestation"] == [{"text": "Hives"}]
    assert codes(found["_criticality"]["extension"][0]["valueCodeableConcept"])


def test_an_allergen_type_without_image_is_kept_as_sent():
    al1 = segment("AL1", f1="1", f2="MC", f3="1^Dust^L")
    found = resource(adt("A01", pid(), pv1(), al1), "AllergyIntolerance")

    assert extensions(found, "alternate-codes")
    assert "category" not in found


def test_a_diagnosis_is_a_condition_and_one_of_the_visits():
    dg1 = segment("DG1", f1="1", f2="I10", f3="I20.9", f4="Angina", f5="20240101",
                  f6="A", f15="1", f16="7^Doc^D")  # fmt: skip
    data = adt("A01", pid(), pv1(), dg1)
    condition = resource(data, "Condition")
    [diagnosis] = resource(data, "Encounter")["diagnosis"]

    assert codes(condition["code"]) == [("http://hl7.org/fhir/sid/icd-10", "I20.9")]
    assert (condition["code"]["text"], condition["onsetDateTime"]) == (
        "Angina",
        "2024-01-01",
    )
    assert diagnosis["rank"] == 1
    assert codes(diagnosis["use"])[0][1] == "AD"


def test_the_name_of_a_diagnosis_keeps_its_place_beside_other_words():
    dg1 = segment("DG1", f1="1", f3="^Ovarian cancer", f4="Staging")

    found = resource(adt("A01", pid(), pv1(), dg1), "Condition")["code"]

    assert found == {"coding": [{"display": "Ovarian cancer"}], "text": "Staging"}


def test_a_procedure_with_minutes_has_an_end():
    pr1 = segment("PR1", f1="1", f3="80146002^Appendectomy^SCT", f5="202401011200-0500",
                  f7="90", f8="1^A^A", f11="2^S^S", f16="50", f19="PR77")  # fmt: skip
    found = resource(adt("A01", pid(), pv1(), pr1), "Procedure")

    assert found["performedPeriod"]["end"] == "2024-01-01T13:30:00-05:00"
    assert [codes(p["function"])[0][1] for p in found["performer"]] == [
        "88189002",
        "304292004",
    ]
    assert found["code"]["coding"][1]["code"] == "80146002:50"


IN1 = {
    "f2": "PPO^Plan",
    "f3": "INS1",
    "f4": "Good Co",
    "f12": "20240101",
    "f36": "POL9",
}


def test_an_insurance_is_a_coverage_of_the_patient():
    in1 = segment("IN1", f1="1", **IN1, f8="GRP", f17="SEL^Self^HL70063", f22="1")
    data = adt("A01", pid(), pv1(f20="COM"), in1)
    found = resource(data, "Coverage")

    assert found["subscriberId"] == "POL9"
    assert found["subscriber"] == found["beneficiary"]
    assert codes(found["relationship"])[0][1] == "self"
    assert found["class"][0]["value"] == "GRP"
    assert len(resources(data, "Coverage")) == 1


def test_d12_somebody_else_insured_is_a_related_person():
    in1 = segment("IN1", f1="1", **IN1, f16="Doe^Alex", f17="SPO", f18="19790101")
    in2 = segment("IN2", f2="111223333", f6="MC1", f61="M7", f63="555-3")
    data = adt("A01", pid(), pv1(), in1, in2)

    person = resource(data, "RelatedPerson")
    numbers = [one["value"] for one in resource(data, "Coverage")["identifier"]]

    assert (person["birthDate"], person["telecom"][0]["value"]) == (
        "1979-01-01",
        "555-3",
    )
    assert {"PPO", "M7", "MC1"} <= set(numbers)


def test_a_financial_class_without_insurance_is_a_coverage_of_that_kind():
    found = resource(adt("A01", pid(), pv1(f20="COM")), "Coverage")

    assert found["payor"] == [{"display": "COM"}]


def test_roles_go_where_they_belong():
    data = adt(
        "A01",
        pid(),
        segment("ROL", f2="AD", f3="PP^Primary^HL70443", f4="1^Gp^G"),
        segment("ROL", f2="AD", f3="XX^Other^L", f4="2^Team^T"),
        pv1(),
        segment("ROL", f2="AD", f3="AT^Attending^HL70443", f4="3^At^A"),
    )

    assert len(resource(data, "Patient")["generalPractitioner"]) == 1
    assert len(resource(data, "CareTeam")["participant"]) == 1
    [participant] = resource(data, "Encounter")["participant"]
    assert codes(participant["type"][0])[0][1] == "ATND"


def test_more_about_a_visit():
    pv2 = segment("PV2", f3="165002^Accident-prone^SCT", f8="20240101", f11="5",
                  f12="Take <care>", f22="Y", f25="2", f38="A")  # fmt: skip
    found = encounter("A01", pv2)

    assert found["length"]["value"] == 5
    assert "Take &lt;care&gt;" in found["text"]["div"]
    assert codes(found["priority"])[0][1] == "UR"
    assert extensions(found, "modeOfArrival")


def test_a_living_will_is_an_observation():
    data = adt("A01", pid(), segment("PD1", f3="Clinic", f4="1^Gp^G", f7="Y"), pv1())

    assert codes(resource(data, "Observation")["code"])[0][1] == "75320-2"
    assert len(resource(data, "Patient")["generalPractitioner"]) == 2


def test_an_event_the_map_does_not_know_is_refused():
    with pytest.raises(TransformError, match="ADT\\^A99") as refusal:
        mapped(adt("A99"))

    assert refusal.value.code == "trigger-not-mapped"


def test_a_message_that_does_not_say_what_it_is_is_refused():
    data = adt("A01").replace(b"ADT^A01^ADT_A01", b"")

    with pytest.raises(TransformError, match="MSH-9 is empty") as caught:
        mapped(data)

    assert caught.value.code == "trigger-not-mapped"


def test_a_feed_may_have_unknown_events_read_as_their_nearest():
    assert resource(adt("A99"), "Patient", unknown_trigger="nearest")


Z = {
    "ZPV-2": {"url": "https://site.example/ward", "type": "string"},
    "ZPV-3": {"url": "https://site.example/when", "type": "dateTime"},
    "ZPV-4": {"url": "https://site.example/flag", "type": "boolean"},
    "ZPV-5": {"url": "https://site.example/kind", "type": "CodeableConcept"},
    "ZPV-6.2": {"url": "https://site.example/code", "type": "code"},
    "ZPV-7": {"url": "https://site.example/count", "type": "integer"},
    "ZPV-8": {"url": "https://site.example/day", "type": "date"},
}


def test_z_segments_are_listed_unless_the_feed_names_an_extension():
    zpv = "ZPV|1|North|20240102|Y|1^One^L|x^AB|3|202401021200-0500|more"
    data = adt("A01", pid(), pv1(), zpv)

    found = resource(data, "Encounter", z=Z)
    values = {one["url"].rpartition("/")[2]: one for one in found["extension"]}

    assert values["ward"]["valueString"] == "North"
    assert values["when"]["valueDateTime"] == values["day"]["valueDate"] == "2024-01-02"
    assert values["flag"]["valueBoolean"] is True
    assert (values["code"]["valueCode"], values["count"]["valueInteger"]) == ("AB", 3)
    assert codes(values["kind"]["valueCodeableConcept"])[0][1] == "1"
    assert losses(data, z=Z)["ZPV-9"] == "z-segment"
    assert losses(data)["ZPV-2"] == "z-segment"


def test_a_z_field_that_is_not_of_its_type_is_listed():
    data = adt("A01", pid(), pv1(), "ZPV||||maybe|||many")

    assert losses(data, z=Z)["ZPV-4"] == losses(data, z=Z)["ZPV-7"] == "unreadable"
