"""VXU: doses given, refused and withdrawn, and what is known of them (T20, D20)."""

import pytest

from tests.builders import er7
from tests.fhir_messages import codes, losses, mapped, msh, obx, pid, resource, segment

RXA = {
    "f1": "0",
    "f2": "1",
    "f3": "20240102030400-0500",
    "f5": "208^COVID-19 mRNA^CVX",
    "f6": "0.30",
    "f7": "mL^mL^UCUM",
    "f9": "00^New record^NIP001",
    "f10": "7^Nurse^Nora",
    "f15": "LOT1",
    "f16": "20250131",
    "f17": "PFR^Pfizer^MVX",
    "f20": "CP",
    "f21": "A",
}


def vxu(*below, order=None, **fields):
    return er7(
        msh("VXU^V04^VXU_V04"),
        pid(),
        order or segment("ORC", f1="RE", f2="P1^EHR", f3="F1^EHR", f12="8^Doc^Dora"),
        segment("RXA", **{**RXA, **fields}),
        *below,
    )


def dose(*arguments, **fields):
    return resource(vxu(*arguments, **fields), "Immunization")


def test_a_dose_says_what_was_given_when_and_how_much():
    found = dose(segment("RXR", f1="IM^^HL70162", f2="LD^Left deltoid^HL70163"))

    assert codes(found["vaccineCode"]) == [("http://hl7.org/fhir/sid/cvx", "208")]
    assert found["occurrenceDateTime"] == "2024-01-02T03:04:00-05:00"
    assert found["doseQuantity"]["value"] == 0.3
    assert (found["lotNumber"], found["expirationDate"]) == ("LOT1", "2025-01-31")
    assert codes(found["route"])[0][1] == "IM"
    assert found["site"]["text"] == "Left deltoid"


def test_a_dose_names_who_gave_and_who_ordered_it():
    roles = [codes(one["function"])[0][1] for one in dose()["performer"]]

    assert roles == ["AP", "OP"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "completed"),
        ({"f20": "PA"}, "completed"),
        ({"f20": "RE", "f18": "00^Parental decision^NIP002"}, "not-done"),
        ({"f20": ""}, "completed"),
        ({"f21": "D"}, "entered-in-error"),
        ({"f20": "RE", "f21": "D"}, "entered-in-error"),
    ],
)
def test_t20_a_withdrawn_dose_is_entered_in_error_and_a_refused_one_not_done(
    fields, status
):
    assert dose(**fields)["status"] == status


def test_a_refusal_keeps_its_reason():
    found = dose(f20="RE", f18="00^Parental decision^NIP002")

    assert found["statusReason"]["text"] == "Parental decision"


@pytest.mark.parametrize(("origin", "own"), [("00", True), ("01", False)])
def test_d20_a_historical_dose_is_no_primary_source(origin, own):
    assert dose(f9=f"{origin}^Word^NIP001")["primarySource"] is own


def test_an_amount_that_stands_for_unknown_is_no_dose():
    data = vxu(f6="999", f7="")

    assert "doseQuantity" not in resource(data, "Immunization")
    assert losses(data)["RXA-6"] == "not-mapped-by-choice"


def test_t07_an_amount_that_is_no_number_is_listed():
    assert losses(vxu(f6="half"))["RXA-6"] == "unreadable"


def test_d20_funding_eligibility_and_statements_fill_their_elements():
    found = dose(
        obx("CE", "PHC70^Private^CDCPHINVS", f3="30963-3^Funding^LN", f4="1"),
        obx("CE", "V01^Not VFC^HL70064", f3="64994-7^Eligibility^LN", f4="2"),
        obx("CE", "253^Td VIS^cdcgs1vis", f3="69764-9^Document^LN", f4="3"),
        obx("DT", "20240102", f3="29769-7^Presented^LN", f4="3"),
        obx("DT", "20200401", f3="29768-9^Published^LN", f4="3"),
        obx("NM", "2", f3="30973-2^Dose number^LN", f4="4"),
    )

    assert found["fundingSource"]["text"] == "Private"
    assert found["programEligibility"][0]["text"] == "Not VFC"
    assert found["education"] == [
        {
            "documentType": "Td VIS",
            "publicationDate": "2020-04-01",
            "presentationDate": "2024-01-02",
        }
    ]
    assert found["protocolApplied"] == [{"doseNumberPositiveInt": 2}]


def test_a_dose_number_in_words_stays_words():
    found = dose(obx("ST", "booster", f3="30973-2^Dose number^LN"))

    assert found["protocolApplied"] == [{"doseNumberString": "booster"}]


def test_d20_what_was_observed_is_part_of_the_vaccination():
    found = mapped(vxu(obx("CE", "VXC9^Fever^CDCPHINVS", f3="31044-1^Reaction^LN")))

    [seen], [given] = found.all("Observation"), found.all("Immunization")
    assert seen.resource["partOf"] == [given.reference]


def test_t29_a_filler_number_that_many_doses_share_names_none_of_them():
    order = segment("ORC", f1="RE", f3="9999^REG")

    [first] = mapped(vxu(order=order)).all("Immunization")
    [second] = mapped(vxu(order=order, f3="20230102")).all("Immunization")

    assert first.full_url != second.full_url
    assert first.criteria.startswith("identifier=urn:id:north:key")


def test_a_dose_without_code_or_time_says_that_they_are_unknown():
    found = dose(f3="", f5="")

    assert found["occurrenceString"] == "unknown"
    assert codes(found["vaccineCode"])[0][1] == "unknown"


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [({"f22": "20240103"}, "2024-01-03"), ({"f21": "U", "f22": "20240103"}, None)],
)
def test_a_new_record_says_when_it_was_entered(fields, recorded):
    assert dose(**fields).get("recorded") == recorded


def test_an_order_says_when_the_dose_was_noted():
    order = segment("ORC", f1="RE", f3="F1^EHR", f9="20240105", f4="G1^EHR", f28="R")

    found = dose(order=order)

    assert found["recorded"] == "2024-01-05"
    assert found["meta"]["security"][0]["code"] == "R"


@pytest.mark.parametrize(
    "fields",
    [{"f11": "^^^CLINIC"}, {"f27": "W^1"}, {"f28": "1 Lane^^Town"},
     {"f27": "W^1", "f28": "1 Lane^^Town"}],
)  # fmt: skip
def test_a_dose_names_the_place_where_it_was_given(fields):
    data = vxu(**fields)

    wanted = resource(data, "Immunization")["location"]["reference"]

    assert wanted in {entry.full_url for entry in mapped(data).all("Location")}


def test_an_unknown_completion_status_is_listed():
    assert losses(vxu(f20="ZZ"))["RXA-20"] == "vocabulary-miss"


def test_an_end_that_says_more_than_the_start_is_listed():
    assert losses(vxu(f4="20240103"))["RXA-4"] == "no-fhir-home"
    assert "RXA-4" not in losses(vxu(f4=RXA["f3"]))


def test_words_about_a_dose_are_notes():
    found = dose("NTE|1||Arm was sore", f9="Given in the car^^L")

    assert [note["text"] for note in found["note"]] == ["Arm was sore"]
