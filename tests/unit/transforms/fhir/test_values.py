"""T04 to T09, T11, T13, T23, T24: what OBX-5 is."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.fhir import write_json
from engine.transforms.fhir.quantities import number, reference_range
from tests.fhir_messages import (
    codes,
    extensions,
    losses,
    mapped,
    observation,
    obx,
    oru,
    resource,
    resources,
)

SNOMED = "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("kind", "value", "element", "expected"),
    [
        ("NM", "105", "valueQuantity", {"value": 105}),
        ("ST", "clear", "valueString", "clear"),
        ("DT", "20240102", "valueDateTime", "2024-01-02"),
        ("DTM", "202401", "valueDateTime", "2024-01"),
        ("TM", "0304", "valueTime", "03:04:00"),
        (
            "DR",
            "20240102^20240103",
            "valuePeriod",
            {"start": "2024-01-02", "end": "2024-01-03"},
        ),
        ("NR", "5^10", "valueRange", {"low": {"value": 5}, "high": {"value": 10}}),
        ("XPN", "Doe^Ann", "valueString", "Doe Ann"),
        ("CX", "77^^^HOSP", "valueString", "77 HOSP"),
        ("", "loose", "valueString", "loose"),
        ("TM", "later", "valueString", "later"),
        ("DTM", "soon", "valueString", "soon"),
        ("DR", "whenever", "valueString", "whenever"),
        ("NR", "low^high", "valueString", "low - high"),
    ],
)
def test_t04_the_type_decides_the_element(kind, value, element, expected):
    assert observation(obx(kind, value))[element] == expected


@pytest.mark.parametrize("kind", ["CE", "CWE", "CNE", "CF", "IS", "ID"])
def test_t04_coded_types_are_codeable_concepts(kind):
    found = observation(obx(kind, "112283007^E coli^SCT"))["valueCodeableConcept"]

    assert codes(found) == [(SNOMED, "112283007")]


def test_t04_an_array_is_sampled_data_and_a_gap_is_e():
    found = observation(obx("NA", "1^^3~4^5^6"))["valueSampledData"]

    assert (found["data"], found["dimensions"]) == ("1 E 3 4 5 6", 2)


@pytest.mark.parametrize(
    ("value", "element", "expected"),
    [
        ("<^5", "valueQuantity", {"value": 5, "comparator": "<"}),
        (">=^5", "valueQuantity", {"value": 5, "comparator": ">="}),
        ("=^5", "valueQuantity", {"value": 5}),
        ("^5", "valueQuantity", {"value": 5}),
        ("<>^5", "valueString", "<>5"),
        ("^2^+", "valueString", "2+"),
        ("^many^-^few", "valueString", "many - few"),
    ],
)
def test_t05_structured_numbers(value, element, expected):
    assert observation(obx("SN", value))[element] == expected


def test_t05_a_separator_makes_a_range_or_a_ratio_and_keeps_the_text():
    span = observation(obx("SN", "^5^-^10"))["valueRange"]
    ratio = observation(obx("SN", "^1^:^128"))["valueRatio"]

    assert (span["low"]["value"], span["high"]["value"]) == (5, 10)
    assert (ratio["numerator"]["value"], ratio["denominator"]["value"]) == (1, 128)
    assert extensions(ratio, "originalText")[0]["valueString"] == "1 : 128"


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,9})?", fullmatch=True))
def test_t06_the_digits_of_a_number_leave_as_they_came(sent):
    [entry] = mapped(oru(obx("NM", sent))).all("Observation")

    assert f'"valueQuantity":{{"value":{sent}'.encode() in write_json(entry.resource)


def test_t06_only_what_json_cannot_write_is_changed():
    assert [number(text) for text in ("007.50", "+5", ".5", "-.5")] == [
        "7.50",
        "5",
        "0.5",
        "-0.5",
    ]


@pytest.mark.parametrize("sent", ["POS", "1,5", "see note", "1e", "--1", "1" * 60])
def test_t07_an_nm_that_is_no_number_is_text_with_a_warning(sent):
    data = oru(obx("NM", sent))

    assert observation(data)["valueString"] == sent
    assert "number_expected" in {found.code for found in mapped(data).findings}


def test_t07_a_comparator_before_a_number_is_read():
    assert observation(obx("NM", ">100"))["valueQuantity"] == {
        "value": 100,
        "comparator": ">",
    }


def test_t08_lines_of_one_text_are_one_observation_blank_lines_kept():
    lines = [obx("TX", text, f1=str(n)) for n, text in enumerate(("One", "", "Three"))]

    found = resources(oru(*lines), "Observation")

    assert [one["valueString"] for one in found] == ["One\n\nThree"]


def test_t08_a_feed_may_keep_lines_apart():
    lines = [obx("TX", text) for text in ("One", "Three")]

    found = resources(oru(*lines), "Observation", text_lines="separate")

    assert len(found) == 2


def test_t08_a_break_in_formatted_text_is_a_newline():
    assert observation(obx("FT", "One\\.br\\\\.br\\\\H\\Three\\N\\"))[
        "valueString"
    ] == ("One\n\nThree")


def test_t08_text_without_a_code_is_the_presented_form():
    data = oru(obx("TX", "Seen", f3=""), obx("TX", "Done", f3=""))

    [form] = resource(data, "DiagnosticReport")["presentedForm"]

    assert b64decode(form["data"]) == b"Seen\nDone"
    assert form["contentType"] == "text/plain"


@pytest.mark.parametrize(
    "value",
    [
        "^application^pdf^Base64^JVBERi0xLjQK",
        "^AP^PDF^Base64^JVBERi0xLjQK",
        "^application^pdf^Hex^255044462D312E340A",
        "^application^pdf^Base64^JVBERi\\X0D\\0xLjQK",
        "^x^application/pdf^Base64^JVBE Ri0xLjQK",
    ],
)
def test_t09_encapsulated_data_is_an_attachment(value):
    [found] = extensions(observation(obx("ED", value)), "valueAttachment")

    assert found["valueAttachment"] == {
        "contentType": "application/pdf",
        "data": "JVBERi0xLjQK",
    }


def test_t09_plain_text_is_encoded():
    [found] = extensions(
        observation(obx("ED", "^text^plain^A^Hello")), "valueAttachment"
    )

    assert b64decode(found["valueAttachment"]["data"]) == b"Hello"


@pytest.mark.parametrize("value", ["^text^plain^Base64^not base64!", "^a^b^Hex^xyz"])
def test_t09_data_that_cannot_be_read_is_listed(value):
    data = oru(obx("ED", value))

    assert "dataAbsentReason" in observation(data)
    assert losses(data)["OBX-5"] == "unreadable"


def test_t09_a_pointer_is_an_attachment_with_an_address():
    value = "https://pacs.example/1^PACS^IM^JPEG"
    [found] = extensions(observation(obx("RP", value)), "valueAttachment")

    assert found["valueAttachment"] == {
        "url": "https://pacs.example/1",
        "contentType": "image/jpeg",
    }


def test_t11_no_value_has_a_reason_and_nothing_empty():
    found = observation(obx("NM", ""))

    assert not [name for name in found if name.startswith("value")]
    assert found["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_t13_several_values_are_components_of_one_observation():
    found = observation(obx("CWE", "112283007^E coli^SCT~3092008^S aureus^SCT"))

    assert [
        codes(part["valueCodeableConcept"])[0][1] for part in found["component"]
    ] == [
        "112283007",
        "3092008",
    ]
    assert all(part["code"] == found["code"] for part in found["component"])


def test_t13_sub_identifiers_group_below_a_member_named_by_their_head():
    data = oru(
        obx("ST", "panel", f4="1"),
        obx("ST", "a", f4="1.1", f3="1-8^A^LN"),
        obx("ST", "b", f4="1.2", f3="2-6^B^LN"),
    )

    found = resources(data, "Observation")
    [panel] = [one for one in found if one["valueString"] == "panel"]

    assert len(panel["hasMember"]) == 2


def test_t13_without_such_a_member_the_sub_identifier_is_kept():
    found = observation(obx("ST", "a", f4="7.1"))

    [kept] = extensions(found, "observation-v2-subid")
    assert kept["extension"][0]["valueString"] == "7.1"
    assert "hasMember" not in found


@pytest.mark.parametrize(
    "unit", ["mg/dL^milligram^UCUM", "mg/dL^^ISO+", "x^y^L^mg/dL^^UCUM"]
)
def test_t23_a_unit_has_a_code_where_it_is_ucum(unit):
    found = observation(obx("NM", "5", f6=unit))["valueQuantity"]

    assert (found["system"], found["code"]) == ("http://unitsofmeasure.org", "mg/dL")


def test_t23_any_other_unit_is_only_words():
    assert observation(obx("NM", "5", f6="mg/dl"))["valueQuantity"] == {
        "value": 5,
        "unit": "mg/dl",
    }


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("70-99", {"low": "70", "high": "99"}),
        ("-1.5 - 2", {"low": "-1.5", "high": "2"}),
        ("<5", {"high": "5"}),
        (">=10", {"low": "10"}),
        ("99-70", {}),
        ("negative", {}),
        ("1-2-3", {}),
    ],
)
def test_t24_bounds_are_added_where_the_text_reads_without_doubt(text, bounds):
    found = reference_range(text, {})

    expected = {name: {"value": value} for name, value in bounds.items()}
    assert found == {**expected, "text": text}
