"""MSH alone, as the accept path reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.hl7 import parse
from engine.hl7.charsets import codec_for
from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.header import read_header
from tests.builders import adt_a01, er7, msh

FULL = msh(
    f10="A\\T\\B", f13="7", f15="AL", f16="NE", f18="UNICODE UTF-8~ISO IR87~", f11="T^x"
)


def test_a_header_tells_what_accepting_needs():
    header = read_header(er7(FULL, "PID|||1"))

    assert header.delimiters is STANDARD
    assert header.control_id == b"A\\T\\B"
    assert (header.message_type, header.trigger_event) == ("ADT", "A01")
    assert (header.processing_id, header.version) == ("T", "2.5.1")
    assert (header.sequence, header.accept_ack, header.application_ack) == (
        "7", "AL", "NE",
    )  # fmt: skip
    assert header.charsets == ["UNICODE UTF-8", "ISO IR87"]
    assert [header.raw(number) for number in (3, 4, 5, 6)] == [
        b"LAB", b"HOSP", b"ENGINE", b"SITE",
    ]  # fmt: skip
    assert header.raw(99) == b""
    assert header.part(9, 4) == ""


@given(
    fields=st.lists(st.text("AB^~\\&2.7é ", max_size=6), min_size=12, max_size=20),
    marks=st.sampled_from([("|", "^~\\&"), ("$", "%~\\&"), ("|", "^~\\&#")]),
)
def test_the_header_says_what_the_parsed_message_says(fields, marks):
    data = er7(marks[0].join(["MSH", marks[1], *fields]), "PID", encoding="latin-1")
    header = read_header(data)

    msh_segment = parse(data, charset="8859/1").segments[0]

    assert header.delimiters == msh_segment.delimiters
    for number in range(3, 22):
        assert header.raw(number).decode("latin-1") == msh_segment.raw(number)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b""])
def test_the_segment_ends_at_its_own_line_end(end):
    data = FULL.encode() + end + (b"PID|||1" + end if end else b"")

    assert read_header(data).charsets == ["UNICODE UTF-8", "ISO IR87"]
    assert read_header(b"\xef\xbb\xbf" + data).control_id == b"A\\T\\B"


def test_a_header_in_its_own_delimiters_is_read():
    header = read_header(b"MSH$%~\\&$A$B$C$D$$$ADT%A01$77$P$2.7.1")

    assert header.delimiters == Delimiters("$", "%", "~", "\\", "&")
    assert header.trigger_event == "A01"
    assert read_header(b"MSH|^|A|B|C|D|||ADT^A01|7").charsets == []
    assert read_header(b"MSH|:").part(9) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GB 18030-2000", "亅"),
        ("BIG-5", "功"),
        ("ISO IR87", "日本"),
        ("BIG-5", "\u00b7功"),
    ],
)
def test_a_separator_inside_a_character_of_two_bytes_separates_nothing(name, text):
    codec = codec_for(name) or ""
    data = er7(msh(f4=f"{text}^1", f18=name), encoding=codec)
    header = read_header(data)

    assert header.raw(4) == f"{text}^1".encode(codec)
    assert header.control_id == b"MSG1"
    assert header.charsets == [name]


def test_bytes_that_the_named_set_cannot_read_are_split_as_they_are():
    data = b"MSH|^~\\&|\xff\xff|B|||||ADT^A01|7|P|2.5||||||BIG-5\r"

    assert read_header(data).control_id == b"7"


@pytest.mark.parametrize(
    ("data", "code", "location"),
    [
        (b"", "100", ""),
        (b"PID|1", "100", ""),
        (b"MSH", "101", "MSH^1^9"),
        (b"MSH|", "101", "MSH^1^9"),
        (b"MSH|\r^~\\&|", "101", "MSH^1^9"),
        (b"MSH||A|B", "199", "MSH^1^2"),
        (b"MSH|^^\\&|A", "199", "MSH^1^2"),
        (b"MSHA^~\\&A", "199", "MSH^1^2"),
        (b"MSH|^~\\\xa7|A", "199", "MSH^1^2"),
        (b"MSH\xa7^~\\&\xa7A", "199", "MSH^1^2"),
        ("MSH|^~\\&|A".encode("utf-16"), "199", ""),
        ("MSH|^~\\&|A".encode("utf-16-le"), "199", ""),
        ("MSH|^~\\&|A".encode("utf-32-be"), "199", ""),
    ],
)
def test_a_header_that_cannot_be_is_refused_with_the_code_to_answer(
    data, code, location
):
    with pytest.raises(ParseError) as caught:
        read_header(data)

    assert (caught.value.code, caught.value.location) == (code, location)


def test_a_short_header_is_still_a_header():
    assert read_header(b"MSH|^~\\&").control_id == b""


def test_a_large_message_is_not_looked_at_beyond_its_header():
    data = adt_a01() + b"OBX|1|ED|||" + b"x" * 10_000_000

    assert read_header(data).control_id == b"MSG1"


def test_a_header_takes_another_control_id_and_nothing_else():
    header = read_header(er7(msh(f10="OLD")))

    named = header.named(b"NEW")

    assert (header.control_id, named.control_id) == (b"OLD", b"NEW")
    assert [*named.fields[:9], *named.fields[10:]] == [
        *header.fields[:9],
        *header.fields[10:],
    ]
