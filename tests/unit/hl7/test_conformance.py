"""Conformance: findings, never exceptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.conformance import CONDITIONS, check, check_shape
from tests.builders import adt_a01, er7, msh

EVN, PID, PV1 = "EVN||2030", "PID|||1||Doe", "PV1||I"


def found(*segments, header=None):
    message = parse(er7(header or msh(), *segments))
    return [(finding.code, finding.path) for finding in check(message)]


def oru(*segments):
    return found(*segments, header=msh(f9="ORU^R01^ORU_R01"))


def test_a_message_that_follows_its_version_has_no_findings():
    assert check(parse(adt_a01("PV2||A", "OBX|1|NM|X||1.5||||||F"))) == []


@pytest.mark.parametrize(
    ("segments", "findings"),
    [
        ([EVN, "PID|1||||Doe", PV1], [("field_required", "PID[1]-3")]),
        ([EVN, PID + "|||1^2~3", PV1], [("too_many_repetitions", "PID[1]-8")]),
        ([EVN, PID + "||yesterday", PV1], [("data_type", "PID[1]-7")]),
        ([EVN, "PID|x||1||Doe", PV1], [("data_type", "PID[1]-1")]),
        ([EVN, PID, PV1 + "|" * 60 + "x"], [("field_unknown", "PV1[1]-62")]),
        ([EVN, PID, PV1 + "|a\\b"], [("bad_escape", "PV1[1]-3")]),
        ([EVN, PID, PV1, "ABC|1"], [("segment_unknown", "ABC[1]")]),
        ([EVN, PID, PV1, "ab|1"], [("segment_unknown", "ab[1]")]),
        ([EVN, PID, PV1, "\x01|1"], [("segment_unknown", "")]),
        ([EVN, PID, PV1, "ZZZ|a\\b"], [("bad_escape", "ZZZ[1]-1")]),
        ([EVN, PID], [("segment_missing", "PV1")]),
        ([PID, EVN, PV1], [("segment_order", "EVN[1]")]),
        ([EVN, PID, PID, PV1], [("segment_order", "PID[2]")]),
    ],
)
def test_departures_are_found_with_their_place(segments, findings):
    assert found(*segments) == findings


def test_null_and_empty_values_have_no_type():
    assert found(EVN, 'PID|||1||Doe||""', PV1) == []


def test_a_header_alone_names_what_is_missing():
    assert found(header=msh(f9="ZZZ^Z01", f10="")) == [("field_required", "MSH[1]-10")]
    assert found(header=msh(f12="2.99"))[0] == ("version_unknown", "MSH-12")


def test_without_a_version_the_default_is_used():
    assert found(EVN, PID, PV1, header=msh(f12="")) == [("field_required", "MSH[1]-12")]


def test_repetitions_are_not_counted_where_the_sender_has_none():
    marks = msh(delimiters=("|", "^"))

    assert found(EVN, "PID|||1||Doe|||a~b", PV1, header=marks) == []


def test_groups_may_repeat():
    order = [
        "OBR|1|||X",
        "NTE|1",
        "OBX|1|ST|X||a||||||F",
        "NTE|1",
        "OBX|2|ST|X||a||||||F",
    ]

    assert oru(PID, *order, *order, "SPM|1||||", *order) == [
        ("field_required", "SPM[1]-4"),
    ]


def test_a_segment_that_cannot_follow_is_out_of_order():
    assert oru("OBR|1|||X", PID, "OBR|2|||X") == []
    assert ("segment_order", "SFT[1]") in oru(PID, "SFT|A|1|B|2", "OBR|1|||X")


def test_every_rejecting_finding_has_a_table_0357_code():
    assert set(CONDITIONS.values()) <= {"100", "101", "102", "103", "198", "199", "203"}


def test_the_shape_alone_is_what_a_check_says_of_segments_and_escapes():
    segments = [PID, EVN, "PV1|x\\y", "Smith^A\\nn", "ABC|1", "Z|a\\", "|"]
    message = parse(er7(msh(f10=""), *segments))
    fields = {"field_required", "field_unknown", "data_type", "too_many_repetitions"}

    every, shape = check(message), check_shape(message)

    assert set(shape) == {each for each in every if each.code not in fields}
    assert len(shape) == 6
    assert all("Smith" not in each.path for each in shape)


def test_a_long_message_is_checked_without_being_remembered():
    message = parse(er7(msh(), EVN, PID, PV1, *["OBX|1|NM|X||1.5||||||F"] * 100))

    assert check_shape(message) == []


@given(data=st.lists(st.sampled_from(
    [msh(), msh(f9="ORU^R01"), PID, PV1, EVN, "OBX|1|NM|X||1", "NTE", "~|^", "OBR|1"]
)).map(lambda lines: er7(msh(), *lines)))  # fmt: skip
def test_any_message_can_be_checked(data):
    for finding in check(parse(data)):
        assert finding.code
