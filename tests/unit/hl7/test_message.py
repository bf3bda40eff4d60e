"""Message: nothing is lost, and reading never raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError, TransformError
from engine.hl7 import Message, parse, parse_path
from engine.hl7.charsets import codec_for
from engine.hl7.delimiters import Delimiters
from tests.builders import adt_a01, er7, msh

NOISE = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=80).map(lambda tail: b"MSH|^~\\&|" + tail),
    st.lists(
        st.sampled_from(
            [b"MSH", b"|", b"^~\\&", b"^", b"\r", b"\n", b"PID", b"ASCII", b"2.7", b"#",
             b'""', b"\xef\xbb\xbf", b"\xc3\xa9", b"\xff", b"\x1b$B", b"~", b"\\",
             b"BIG-5", b"|||||||||||||||"]
        ),
        max_size=40,
    ).map(b"".join),
)  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
PLACES = st.builds(
    "{}-{}[{}].{}.{}".format,
    st.sampled_from(["PID", "PV1", "MSH[1]", "OBX"]),
    st.integers(3, 40),
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(1, 3),
)


def lines(message):
    return message.encode().split(b"\r")


@given(data=NOISE)
def test_parsing_raises_nothing_but_a_parse_error(data):
    try:
        message = parse(data)
    except ParseError:
        return

    assert message.encode() == data
    for segment in message.segments:
        for number in segment.populated():
            segment.text(number, 2, 2)
        assert segment.field_count >= 0


@given(data=NOISE)
def test_a_copy_that_was_edited_leaves_the_original_alone(data):
    try:
        message = parse(data)
    except ParseError:
        return
    twin = message.copy()

    twin.insert(1, twin.new_segment("ZZZ"))

    assert message.encode() == data
    assert twin.encode() != data


@given(place=PLACES, text=TEXTS)
def test_what_is_written_is_read_back_and_every_other_segment_keeps_its_bytes(
    place, text
):
    message = parse(adt_a01("OBX|1|ST|X^Y||a~b"), charset="UTF-8")
    before, path = lines(message), parse_path(place)

    assert message.set_text(path, text)

    again = parse(message.encode(), charset="UTF-8")
    expected = "" if text == '""' else text
    assert message[place] == again[place] == expected
    changed = [
        old for old, new in zip(before, lines(message), strict=True) if old != new
    ]
    assert all(line.startswith(path.segment.encode()) for line in changed)


@given(place=PLACES)
def test_writing_what_is_there_changes_no_byte(place):
    message = parse(adt_a01("OBX|1|ST|X^Y||a~b"))
    path = parse_path(place)
    if not message.encoded(path):
        return

    message.set_encoded(path, message.encoded(path))

    assert message.encode() == adt_a01("OBX|1|ST|X^Y||a~b")


def test_a_message_is_read_by_path():
    message = parse(adt_a01("OBX|1|NM|GLU^Glucose", "OBX|2|NM|NA^Sodium&x"))

    assert message["PID-5.1"] == "Doe"
    assert message["PID-3.4"] == "HOSP"
    assert message["OBX[2]-3.2"] == "Sodium"
    assert message["OBX[2]-3.2.2"] == "x"
    assert message["OBX[2]-3.1.2"] == message["OBX[2]-3.9"] == ""
    assert message["OBX[3]-3"] == message["ZZZ-1"] == message["PID-5[2]"] == ""


def test_a_message_knows_its_own_header():
    message = parse(adt_a01())

    assert message.message_type == "ADT"
    assert message.trigger_event == "A01"
    assert message.structure == "ADT_A01"
    assert message.control_id == "MSG1"
    assert message.version == "2.5.1"
    assert message["MSH-1"] == "|"
    assert message["MSH-2"] == "^~\\&"


def test_a_star_means_every_segment_or_every_repetition():
    message = parse(er7(msh(), "PID|||1^^^A~~2^^^B|", "OBX|1||X", "OBX|2||Y"))

    assert message.values(parse_path("PID-3[*].4")) == ["A", "", "B"]
    assert message.values(parse_path("OBX[*]-3")) == ["X", "Y"]
    assert message.values(parse_path("PID-3[3]")) == ["2"]
    assert message.values(parse_path("PID-4[*]")) == []
    assert message.read(parse_path("OBX[*]-3")) == "X"


@pytest.mark.parametrize(
    ("path", "exists", "null"),
    [
        ("PID-3", True, False),
        ("PID-4", False, False),
        ("PID-5", False, True),
        ("PID-5.1", False, True),
        ("PID-6.2", False, True),
        ("PID-6", True, False),
        ("PID-7", False, False),
        ("PID-9[2].1", True, False),
        ("PID-9[3].1", False, False),
        ("PID-50", False, False),
        ("ZZZ-1", False, False),
    ],
)
def test_absent_empty_and_null_are_three_things(path, exists, null):
    message = parse(er7(msh(), 'PID|||1||""|x^""|^^|u|a~b'))

    assert message.exists(parse_path(path)) is exists
    assert message.is_null(parse_path(path)) is null
    if null:
        assert message[path] == ""


def test_a_path_writes_at_its_own_level():
    message = parse(er7(msh(), "PID|||a^b~c"))

    assert message.set_encoded(parse_path("PID-3[2].4.2"), "X")
    assert message.clear(parse_path("PID-3[1].2"))
    assert message.set_null(parse_path("PID-5"))
    assert message.set_text(parse_path("PID-8"), "F")
    assert not message.set_text(parse_path("PV1-2"), "I")

    assert message.encode().split(b"\r")[1] == b'PID|||a^~c^^^&X||""|||F'
    assert message.segments[1].is_null(5)
    assert message.segments[1].repetitions(5) == []


@pytest.mark.parametrize("path", ["PID", "MSH-1", "MSH-2"])
def test_neither_a_segment_id_nor_the_delimiters_can_be_written(path):
    message = parse(adt_a01())

    with pytest.raises(TransformError):
        message.set_text(parse_path(path), "X")

    assert message.encode() == adt_a01()


def test_a_part_the_message_has_no_delimiter_for_cannot_be_written():
    message = parse(er7(msh(delimiters=("|", "^")), "PID|||a^b"))

    with pytest.raises(TransformError) as caught:
        message.set_text(parse_path("PID-3.2.2"), "X")
    with pytest.raises(TransformError):
        message.set_text(parse_path("PID-3[2]"), "X")

    assert caught.value.code == "unrepresentable"


def test_a_character_the_set_cannot_hold_is_an_error_and_never_a_question_mark():
    message = parse(er7(msh(f18="8859/1"), "PID|||1"))
    message.set_text(parse_path("PID-5"), "Łódź")

    with pytest.raises(TransformError) as caught:
        message.encode()

    assert caught.value.code == "unrepresentable"
    assert "Ł" not in str(caught.value)


def test_segments_are_put_in_and_taken_out_in_place():
    message = parse(adt_a01("NTE|1"))
    nk1 = message.new_segment("NK1")
    nk1.put(2, "Doe^Bob")

    message.insert(3, nk1)
    message.remove(message.segments[1])

    assert [segment.id for segment in message.segments] == [
        "MSH", "PID", "NK1", "PV1", "NTE",
    ]  # fmt: skip
    assert message.first("NK1") is nk1
    assert message.first("EVN") is None
    assert b"\rNK1||Doe^Bob\r" in message.encode()


def test_an_edited_copy_of_an_edited_message_keeps_both_edits():
    message = parse(adt_a01())
    message.set_text(parse_path("PID-8"), "M")
    twin = message.copy()

    twin.set_text(parse_path("PV1-2"), "O")

    assert (twin["PID-8"], twin["PV1-2"]) == ("M", "O")
    assert (message["PID-8"], message["PV1-2"]) == ("M", "I")
    assert parse(message.copy().encode())["PID-8"] == "M"


def test_a_message_can_be_made_of_segments():
    source = parse(adt_a01())

    made = Message(b"", [each.copy() for each in source.segments], "ascii")

    assert made.delimiters == Delimiters("|", "^", "~", "\\", "&")
    assert made["PID-5"] == "Doe"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n"])
def test_other_line_ends_are_read_flagged_and_written_as_cr(end):
    data = er7(msh(), "PID|||1", "PV1|1", end=end)
    message = parse(data)

    assert [segment.id for segment in message.segments] == ["MSH", "PID", "PV1"]
    assert [finding.code for finding in message.findings] == ["line_feed"]
    assert message.encode() == data
    message.set_text(parse_path("PID-8"), "F")
    assert message.encode() == er7(msh(), "PID|||1|||||F", "PV1|1")


def test_a_line_feed_is_data_where_the_message_has_carriage_returns():
    message = parse(er7(msh(), "OBX|1|TX|||line 1\nPV1|line 2"))

    assert [segment.id for segment in message.segments] == ["MSH", "OBX"]


def test_blank_segments_and_a_missing_last_terminator_are_accepted():
    message = parse(er7(msh(), "PID|||1", "", " ").rstrip(b"\r"))

    assert [segment.id for segment in message.segments] == ["MSH", "PID"]
    message.set_text(parse_path("PID-8"), "F")
    assert message.encode() == er7(msh(), "PID|||1|||||F")


def test_a_byte_order_mark_is_read_over_and_kept():
    data = b"\xef\xbb\xbf" + adt_a01()
    message = parse(data)

    assert message.message_type == "ADT"
    assert [finding.code for finding in message.findings] == ["byte_order_mark"]
    assert message.encode() == data


@pytest.mark.parametrize(
    ("odd", "code"),
    [("\x00", "nul_byte"), ("\t", "control_char"), ("\x1c", "control_char")],
)
def test_control_characters_are_flagged_and_kept(odd, code):
    data = er7(msh(), f"PID|||1{odd}2")
    message = parse(data)

    assert [finding.code for finding in message.findings] == [code]
    assert message["PID-3"] == f"1{odd}2"
    assert message.encode() == data


def test_own_delimiters_are_read_and_written():
    data = er7("MSH$%*!@$A%B$C", "PID$$$1%2@3*4%5!R!")
    message = parse(data)

    assert message["PID-3.2.2"] == "3"
    assert message["PID-3[2].2"] == "5*"
    message.set_text(parse_path("PID-4"), "a$b%c*d!e@f")
    assert message.encode().endswith(b"$a!F!b!S!c!R!d!E!e!T!f\r")


def test_only_the_roles_that_msh_2_names_exist():
    message = parse(er7("MSH|^|A", "PID|||a^b~c&d\\T\\"))

    assert message["PID-3.2"] == "b~c&d\\T\\"
    assert message.segments[1].repetitions(3)[0].component_count == 2
    assert message.segments[1].repetitions(3)[0].sub(2) == ["b~c&d\\T\\"]


def test_the_truncation_character_exists_from_2_7_on():
    data = er7(msh(f12="2.6", delimiters=("|", "^~\\&#")), "PID|||a\\P\\#")
    newer = data.replace(b"|2.6", b"|2.7")

    assert parse(data)["PID-3"] == "a\\P\\#"
    assert parse(newer)["PID-3"] == "a##"
    assert parse(newer).delimiters.truncation == "#"


def test_a_repetition_tells_its_parts():
    repetition = (
        parse(er7(msh(), 'PID|||1^""^a&b&^x\\T\\y')).segments[1].repetitions(3)[0]
    )

    assert repetition.component_count == 4
    assert repetition.is_null(2)
    assert not repetition.is_null()
    assert repetition.sub(3) == ["a", "b", ""]
    assert repetition.sub(2) == repetition.sub(9) == []
    assert repetition.texts(6) == ["1", "", "a", "x&y", "", ""]
    assert repetition.strings(5) == ["1", "", "a&b&", "x&y", ""]
    assert repetition.text(1, 2) == repetition.text(3, 9) == ""


def test_a_segment_tells_its_fields():
    segment = parse(er7(msh(), 'PID||""|1^""||~x')).segments[1]

    assert segment.field_count == 5
    assert segment.encoded_fields() == ["PID", "", '""', '1^""', "", "~x"]
    assert segment.populated() == [2, 3, 5]
    assert segment.raw(9) == ""
    assert segment.first(9) is None
    assert segment.is_null(2)
    assert segment.is_null(3, 2)
    assert not segment.is_null(4, 2)
    assert segment.first(5) is segment.repetitions(5)[0]


def test_a_whole_segment_can_be_written_anew():
    message = parse(adt_a01())
    segment = message.all("PID")[0]

    segment.rewrite("PID|1||7")

    assert (message["PID-3"], message["PID-5"]) == ("7", "")
    assert b"\rPID|1||7\r" in message.encode()


def test_a_segment_knows_the_charset_it_was_read_in():
    message = parse(er7(msh(f18="8859/1"), encoding="latin-1"))

    assert message.segments[0].codec == codec_for("8859/1")
