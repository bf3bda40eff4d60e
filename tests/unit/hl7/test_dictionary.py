"""The dictionary: what each version calls things."""

import pytest

from engine.hl7 import dictionary
from engine.hl7.dictionary import (
    MANY,
    VERSIONS,
    components,
    edition,
    fields,
    is_known_segment,
    is_known_version,
    name_of,
    structure,
    structure_of,
    table,
)


def test_a_field_tells_name_type_table_and_cardinality():
    field = fields("PID", "2.5.1")[8]

    assert (field.name, field.data_type, field.table) == (
        "Administrative Sex", "IS", "0001",
    )  # fmt: skip
    assert (field.required, field.maximum) == (False, 1)
    assert fields("PID", "2.5.1")[3].required
    assert fields("PID", "2.5.1")[3].maximum == MANY


def test_versions_differ():
    assert fields("PID", "2.3")[5].data_type == "XPN"
    assert fields("PID", "2.2")[5].data_type == "PN"
    assert 40 in fields("PID", "2.8.2")
    assert 40 not in fields("PID", "2.5")


def test_what_the_standard_does_not_define_is_empty():
    assert fields("ZPI", "2.5.1") == {}
    assert components("ST", "2.5.1") == {}
    assert table("9999", "2.5.1") == ("", frozenset())
    assert structure("XXX_X01", "2.5.1") == ()
    assert name_of(("PID", 99, 0), "2.5.1") == ""
    assert name_of(("PID", 8, 3), "2.5.1") == "Administrative Sex"
    assert name_of(("PID", 8, 0), "2.5.1") == "Administrative Sex"
    assert not is_known_segment("ZPI", "2.5.1")


def test_a_version_names_its_segments():
    assert {"MSH", "PID", "OBX"} <= dictionary.segments("2.3")
    assert "SFT" in dictionary.segments("2.5.1")
    assert "SFT" not in dictionary.segments("2.3")


def test_unknown_versions_are_answered_by_a_near_one():
    assert edition("2.9") == edition("2.9.1") == "2.8.2"
    assert edition("") == edition("3.0") == "2.5.1"
    assert is_known_version("2.9")
    assert not is_known_version("2.99")


@pytest.mark.parametrize(
    ("message_type", "event", "expected"),
    [
        ("ADT", "A01", "ADT_A01"),
        ("ADT", "A28", "ADT_A05"),
        ("ADT", "A40", "ADT_A39"),
        ("ORU", "R01", "ORU_R01"),
        ("SIU", "S15", "SIU_S12"),
        ("ACK", "A01", "ACK"),
        ("ACK", "", "ACK"),
        ("ZZZ", "Z01", ""),
        ("ADT", "A99", ""),
    ],
)
def test_a_missing_structure_is_derived_from_type_and_event(
    message_type, event, expected
):
    assert structure_of(message_type, event, "2.5.1") == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_can_be_read_whole(version):
    for segment in dictionary._rows("Segment", version):
        assert all(number >= 1 for number in fields(segment, version))
    for data_type in dictionary._rows("Datatypes_Structs", version):
        components(data_type, version)
    for name in dictionary._rows("Message", version):
        assert structure(name, version) or not name[:3].isupper()


def test_of_a_choice_nothing_is_required():
    [choice] = [part for part in structure("ORM_O01", "2.5")[-1].parts if part.parts][
        :1
    ]

    assert choice.parts
    assert {part.name for part in structure("ORM_O01", "2.5")} >= {"MSH", "NTE"}
