"""Codes, times, units and values: one value with two faces that cannot disagree."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from engine.transforms.ccda.codes import (
    LOINC,
    SNOMED,
    Code,
    concept,
    is_loinc,
    system_oid,
)
from engine.transforms.ccda.elements import FORBIDDEN, Element, to_xml
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.quantities import (
    absent_value,
    number_text,
    text_value,
    value_of,
)
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.times import Moment, moment, period_of
from engine.transforms.ccda.units import is_ucum
from tests.ccda_facts import (
    LN,
    NOON,
    SCT,
    SITE,
    UCUM,
    coded,
    tree,
    validator,
)

ICD = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.fixture
def rendering():
    return Rendering(SITE, Facts({}), NOON)


def xml(element):
    return to_xml(element)[0].decode().partition("?>\n")[2]


def read(source, rendering):
    return value_of(source, rendering, "x")


def attributes(element):
    return dict(element.attributes)


@pytest.mark.parametrize(
    ("fhir", "hl7"),
    [
        ("2024", "2024"),
        ("2024-02-29", "20240229"),
        ("2024-01-02T15:30:00-05:00", "20240102153000-0500"),
        ("2024-01-02T15:30:00.25Z", "20240102153000.25+0000"),
    ],
)
def test_times_keep_precision_and_offset(fhir, hl7):
    assert moment(fhir) == Moment(fhir, hl7)


@pytest.mark.parametrize(
    "value",
    [
        *("", "2023-02-29", "2024-13", "2024-01-01T24:00:00Z", "0000", "20240101"),
        *("2024-01-01T10:00:00+15:00", "2024-01-01T10:60:00Z", 5, None),
    ],
)
def test_what_is_not_in_the_calendar_is_not_a_time(value):
    assert moment(value) is None


def test_an_interval_that_ends_before_it_begins_has_no_end_and_shows_both(rendering):
    found = period_of({"start": "2024-05", "end": "2024-04"}, rendering, "x")

    assert [bound.name for bound in found.bounds()] == ["low", "high"]
    assert attributes(found.bounds()[1]) == {"nullFlavor": "UNK"}
    assert found.words == "2024-05 to 2024-04"
    assert [f.code for f in rendering.findings] == ["reversed-interval"]


def test_the_wanted_system_comes_first_and_the_others_are_translations(rendering):
    source = {
        "coding": [
            {"system": ICD, "code": "J18.9", "display": "Pneumonia"},
            {"system": SCT, "code": "233604007"},
        ]
    }

    made = concept(source, rendering, "Condition.code", SNOMED).element("value", "prb1")

    assert made.attributes["code"] == "233604007"
    translations = [child for child in made.children if child.name == "translation"]
    assert [child.attributes["code"] for child in translations] == ["J18.9"]


def test_a_code_in_another_system_is_never_put_under_the_wanted_one(rendering):
    source = coded(ICD, "J18.9", "Pneumonia")

    made = concept(source, rendering, "Condition.code", SNOMED).element("value", "prb1")

    assert attributes(made) == {"nullFlavor": "OTH"}
    assert "#prb1" in xml(made)
    assert "J18.9" in xml(made)


def test_a_system_without_oid_leaves_its_words(rendering):
    found = concept(coded("urn:id:x", "WBC", "White cells"), rendering, "x", LOINC)

    assert found.words == "White cells WBC"
    assert xml(found.element("code")).count("WBC") == 1
    assert [f.code for f in rendering.findings] == ["no-oid"]


def test_a_loinc_code_with_a_wrong_check_digit_is_no_code(rendering):
    found = concept(coded(LN, "718-8", "Hemoglobin"), rendering, "x", LOINC)

    assert found.main is None
    assert [f.code for f in rendering.findings] == ["bad-loinc"]


@given(digits=st.integers(1, 99_999))
def test_exactly_one_check_digit_makes_a_loinc_code(digits):
    assert sum(is_loinc(f"{digits}-{check}") for check in range(10)) == 1


def test_v2_tables_have_the_oid_of_their_number(rendering):
    system = "http://terminology.hl7.org/CodeSystem/v2-0112"

    assert system_oid(system, rendering) == "2.16.840.1.113883.12.112"


def test_a_code_without_display_shows_code_and_system():
    assert Code("718-7", LOINC).words == "718-7 (LOINC)"


@pytest.mark.parametrize(
    "unit",
    [
        *("mg/dL", "10*3/uL", "mm[Hg]", "%", "{cells}", "/min", "mg/(24.h)", "1"),
        *("kg/m2", "10*-6", "ug{total}/mL", "[in_i]", "K/uL", "m[IU]/L"),
    ],
)
def test_ucum_units_are_known(unit):
    assert is_ucum(unit)


@pytest.mark.parametrize(
    "unit",
    [
        *("", "mmHg", "mcg", "IU/L", "lbs", "in", "sec", "mg//dL", "mg/", "(mg"),
        *(".mg", "mg)", "{a b}", "mg/dl/", "mg dL", "x" * 100),
    ],
)
def test_other_words_are_no_units(unit):
    assert not is_ucum(unit)


@given(unit=st.text("mgkLdu/.{}[]()10*%IUaHg ", max_size=8))
def test_a_unit_accepted_here_is_accepted_by_the_reference_checker(unit):
    if is_ucum(unit):
        assert validator().is_unit(unit)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("7.50"), "7.50"),
        ("7.50", "7.50"),
        (5, "5"),
        (1e-7, "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (float("nan"), ""),
        ("1E+999999999", ""),
        (True, ""),
        ("POS", ""),
        (None, ""),
    ],
)
def test_numbers_keep_their_digits(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ({"value": 5, "system": UCUM, "code": "mg"}, "PQ", "5 mg"),
        ({"value": 5, "unit": "mg/dl"}, "PQ", "5 mg/dl"),
        ({"value": 5}, "INT", "5"),
        ({"value": 5.5}, "REAL", "5.5"),
        ({"value": 5, "comparator": "<"}, "IVL_INT", "<5"),
        ({"value": 5, "unit": "mg", "comparator": ">="}, "IVL_PQ", ">=5 mg"),
    ],
)
def test_a_quantity_claims_no_unit_that_was_not_sent(source, kind, words, rendering):
    found = read({"valueQuantity": source}, rendering)

    assert f'xsi:type="{kind}"' in xml(found.element("res1"))
    assert found.words == words
    assert 'unit="mg/dl"' not in xml(found.element("res1"))


def test_a_foreign_unit_travels_as_original_text(rendering):
    source = {"valueQuantity": {"value": 5, "unit": "mg/dl"}}

    assert xml(read(source, rendering).element("res1")).endswith(
        'xsi:type="PQ" nullFlavor="OTH" xmlns="urn:hl7-org:v3" '
        'xmlns:sdtc="urn:hl7-org:sdtc" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<translation value="5" nullFlavor="OTH"><originalText>mg/dl</originalText>'
        "</translation></value>"
    )


def test_a_false_claim_of_ucum_is_found(rendering):
    source = {"valueQuantity": {"value": 5, "system": UCUM, "code": "mmHg"}}

    value_of(source, rendering, "x")

    assert [f.code for f in rendering.findings] == ["bad-unit"]


@pytest.mark.parametrize(
    ("reason", "flavor"), [("masked", "MSK"), ("not-asked", "NASK"), ("error", "NI")]
)
def test_the_reason_for_a_missing_value_is_kept(reason, flavor):
    found = absent_value({"dataAbsentReason": {"coding": [{"code": reason}]}})

    assert found.element("res1").attributes["nullFlavor"] == flavor


@given(text=st.text())
def test_any_text_can_be_read_back_from_the_document(text):
    written, replaced = to_xml(Element("value", {"a": text}, [], text))

    root = tree(written)
    expected, count = FORBIDDEN.subn("\ufffd", text)
    assert (root.text or "", root.get("a")) == (expected, expected)
    assert replaced == 2 * count


def test_siblings_come_out_in_the_order_of_the_schema():
    names = ["value", "statusCode", "templateId", "id", "code"]
    root = Element("observation", {}, [Element(name, {}, []) for name in names])

    written = tree(to_xml(root)[0])

    assert [etree.QName(child).localname for child in written] == [
        "templateId",
        "id",
        "code",
        "statusCode",
        "value",
    ]


def test_text_values_are_strings():
    assert xml(text_value("a & b").element("res1")).endswith(">a &amp; b</value>")
