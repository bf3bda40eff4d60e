"""T25: a text is told whole, with the separators its sender forgot to escape."""

from base64 import b64decode

import pytest

from tests.fhir_messages import (
    adt,
    codes,
    losses,
    obr,
    observation,
    obx,
    oru,
    pid,
    pv1,
    resource,
    segment,
)


@pytest.mark.parametrize("kind", ["ST", "TX", "FT"])
def test_a_text_goes_on_behind_an_ampersand(kind):
    found = observation(obx(kind, "No growth & no casts^seen"))

    assert found["valueString"] == "No growth & no casts seen"


def test_a_remark_goes_on_behind_an_ampersand():
    found = observation(obx(), "NTE|1||Fasting & resting")

    assert found["note"] == [{"text": "Fasting & resting"}]


def test_a_range_keeps_its_upper_end():
    found = observation(obx(f7="4.50&5.90"))

    assert found["referenceRange"] == [{"text": "4.50&5.90"}]


def test_two_numbers_are_not_taken_for_the_first_of_them():
    found = observation(obx("NM", "7.5&8"))

    assert found["valueString"] == "7.5&8"


def test_the_words_of_a_code_are_told_whole():
    found = observation(obx(f3="2345-7^Glucose & lactose^LN"))["code"]

    assert found["text"] == "Glucose & lactose"
    assert codes(found) == [("http://loinc.org", "2345-7")]


def test_a_reaction_in_words_is_told_whole():
    al1 = segment("AL1", f1="1", f3="^Nuts & seeds", f5="Rash & shock")
    found = resource(adt("A01", pid(), pv1(), al1), "AllergyIntolerance")

    assert found["code"]["text"] == "Nuts & seeds"
    assert found["reaction"][0]["manifestation"] == [{"text": "Rash & shock"}]


def test_an_address_in_the_web_is_told_whole():
    found = observation(obx("RP", "http://x.example/?a=1&b=2^^IM^JPEG"))

    [held] = [one["valueAttachment"] for one in found["extension"]]
    assert held["url"] == "http://x.example/?a=1&b=2"


def test_layout_of_every_kind_is_resolved():
    sent = r"\.in+2\one\.sp2\two\.fi\three\.nf\four\.sk3\five\.ti-1\\.ce\six"
    found = observation(obx("FT", sent))

    words = found["valueString"]
    assert words.split() == ["one", "two", "three", "four", "five", "six"]


def test_a_time_of_day_loses_its_zone_and_says_so():
    data = oru(obx("TM", "0632-0500"))

    assert observation(data)["valueTime"] == "06:32:00"
    assert losses(data)["OBX-5"] == "no-fhir-home"
    assert "OBX-5" not in losses(oru(obx("TM", "0632")))


def test_a_unit_without_a_number_is_listed_for_each_line_of_a_text():
    lines = [obx("TX", text, f6="%") for text in ("one", "two")]

    found = losses(oru(*lines, order=obr()))

    assert found["OBX-6"] == found["OBX[2]-6"] == "no-fhir-home"


def test_the_time_of_a_line_of_a_report_is_listed():
    line = segment("OBX", f1="1", f2="TX", f5="All is well.", f11="F", f14="2024")
    data = oru(line)
    [form] = resource(data, "DiagnosticReport")["presentedForm"]

    assert b64decode(form["data"]) == b"All is well."
    assert losses(data)["OBX-14"] == "no-fhir-home"
