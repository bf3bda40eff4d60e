"""Masking: nothing that may identify a patient is left."""

from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.masking import COVER, mask, mask_value
from tests.builders import adt_a01, er7, msh

SECRET = st.text("abcdefghij XYZ", min_size=3, max_size=12).map(str.strip)


def masked(*segments, header=None):
    return mask(parse(er7(header or msh(), *segments))).split("\r")[1:-1]


def test_the_header_stays_readable_but_for_its_time():
    text = mask(parse(adt_a01()))

    assert text.split("\r")[0] == msh(f7="*" * 14)


def test_names_numbers_dates_and_free_text_are_covered_and_codes_stay():
    assert masked(
        "EVN|A01|2030",
        'PID|1||12345^^^HOSP&1.2^MR~9^^^SSA^SS||Doe^Ann^""^^^^L||19800229|F',
        "PV1|1|I|W^1^2^HOSP",
        "AL1|1||91935009^Peanut^SCT",
        "OBX|1|NM|2345-7^Glucose^LN||180|mg/dL||H",
    ) == [
        "EVN|A01|****",
        'PID|1||*****^^^HOSP&1.2^MR~*^^^SSA^SS||***^***^""^^^^L||********|F',
        "PV1|1|I|W^1^2^HOSP",
        "AL1|1||91935009^******^SCT",
        "OBX|1|NM|2345-7^*******^LN||***|mg/dL||H",
    ]


def test_addresses_keep_their_country_only():
    assert masked(
        "PID|||||||||||1 Main St^^Town^ST^12345^USA^H^^County||(555)1234"
    ) == ["PID|||||||||||*********^^****^**^*****^USA^H^^******||*********"]


def test_what_the_dictionary_does_not_know_is_covered():
    assert masked(
        "ZPI|a^b&c~d", "John Smith", "PID" + "|" * 60 + "x", "AL1|1|DA^Doe"
    ) == [
        "ZPI|*^*&*~*",
        "**********",
        "PID" + "|" * 60 + "*",
        "AL1|1|DA^***",
    ]


def test_something_long_or_spaced_is_no_code():
    assert masked("PID||||||||Ann Doe") == ["PID||||||||*******"]


def test_headers_inside_and_acknowledgments_keep_their_structure():
    assert masked("BHS|^~\\&|A", "MSA|AE|MSG1|Ann Doe") == [
        "BHS|^~\\&|A",
        "MSA|AE|MSG1|*******",
    ]


def test_a_message_without_repetitions_or_subcomponents_is_masked_too():
    text = mask(parse(er7(msh(delimiters=("|", "^"), f12=""), "PID|||1~2^^^A&B")))

    assert text.split("\r")[1] == "PID|||***^^^***"


@given(family=SECRET, given_name=SECRET)
def test_a_masked_message_parses_like_the_original_and_shows_no_name(
    family, given_name
):
    original = parse(adt_a01(f"ZZZ|{family}", family=family, given=given_name))
    text = mask(original)

    again = parse(text.encode())

    assert [each.id for each in again.segments] == [
        each.id for each in original.segments
    ]
    assert [each.populated() for each in again.segments] == [
        each.populated() for each in original.segments
    ]
    assert len(text) == len(original.encode())
    for name in (family, given_name):
        assert not name or again["PID-5.1"].strip(COVER) == ""
        assert len(name) < 3 or f"|{name}" not in text


def test_a_value_keeps_its_length():
    assert mask_value("Doe") == "***"
