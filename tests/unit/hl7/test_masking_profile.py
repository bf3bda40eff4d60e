"""Masking profiles: what is named is shown, and nothing beside it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.masking import mask
from engine.hl7.masking_profile import NOTHING, MaskingProfile, mask_by, places
from engine.hl7.path import parse_path
from tests.builders import adt_a01, er7, msh

PID_5 = parse_path("PID-5")
SECRET = st.text("abcdefghij XYZ", min_size=3, max_size=12).map(str.strip)


def profile(*shown, years=()):
    return MaskingProfile(places(shown), places(years))


def masked(found, *segments, version="2.5.1"):
    text = mask_by(parse(er7(msh(f12=version), *segments)), found)
    return text.split("\r")[1:-1]


def test_names_stay_covered_dates_become_years_and_the_place_is_seen():
    found = profile("PV1-3", "PID-11.4", years=["PID-7", "PV1-44"])

    assert masked(
        found,
        "PID|1||12345^^^HOSP^MR||Doe^Ann||19800229|F|||1 Main^^Town^ST^1~^^^NY",
        "PV1|1|I|Ward 7^Room 2^Bed^Hosp one|||||||||||||||"
        + "|" * 26
        + "20300101+0100",
    ) == [
        "PID|1||*****^^^HOSP^MR||***^***||1980****|F|||******^^****^ST^*~^^^NY",
        "PV1|1|I|Ward 7^Room 2^Bed^Hosp one|||||||||||||||"
        + "|" * 26
        + "2030*********",
    ]


def test_no_profile_shows_a_number_known_outside_the_hospital_or_of_no_type():
    found = profile("PID-2", "PID-3", "PID-19", "PID-20", "MRG-1")

    assert masked(
        found,
        "PID|1|7^^^H^PI|M-1^^^H^MR~123^^^SSA^SS~9^^^X^ppn~55^^^H|||||||||||||||123|DL1",
        "MRG|M-2^^^H^MR~8",
    ) == [
        "PID|1|7^^^H^PI|M-1^^^H^MR~***^^^SSA^SS~*^^^X^ppn~**^^^H|||||||||||||||***|***",
        "MRG|M-2^^^H^MR~*",
    ]
    assert masked(found, "PID|1|7|12345", version="2.1") == ["PID|1|*|*****"]


def test_each_segment_and_repetition_is_judged_by_itself():
    shown = masked(profile("ZPI-1", "OBX-5"), "OBX|1|ST|A||one", "OBX|2|ST|A||two",
                   "ZPI|a&b^c|d")  # fmt: skip

    assert shown == ["OBX|1|ST|A||one", "OBX|2|ST|A||two", "ZPI|a&b^c|*"]


def test_what_is_no_date_has_no_year():
    found = profile(years=["PID-7", "PID-5.1"])

    assert masked(found, "PID|||||2030 Doe||about 1980") == [
        "PID|||||********||**********"
    ]


@pytest.mark.parametrize(
    "word", ["PID", "PID-", "PID-0", "pid-5", "PID-5.1.2", "PID-5-1", ""]
)
def test_what_is_no_field_is_told_with_an_example(word):
    with pytest.raises(ValueError, match=re.escape(f"{word!r} is no field")):
        places([word])


@given(family=SECRET, given_name=SECRET)
def test_a_profile_changes_only_what_it_names(family, given_name):
    message = parse(adt_a01(f"ZZZ|{family}", family=family, given=given_name))

    text = mask_by(message, profile("PID-5.1"))
    hidden = parse(text.encode())
    hidden.set_encoded(PID_5, parse(mask(message).encode()).encoded(PID_5))

    assert mask_by(message, NOTHING) == mask(message)
    assert parse(text.encode())["PID-5.1"] == message["PID-5.1"]
    assert hidden.encode().decode() == mask(message)


def test_profiles_together_show_what_either_shows():
    both = profile("PID-5") | profile(years=["PID-7"])

    assert both == profile("PID-5", years=["PID-7"])
    assert both
    assert not NOTHING
