"""Messages in fragments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.continuation import is_continued, join, pointer
from tests.builders import er7, msh

TEXT = "a rather long text|with|fields ~ and ^ more"
WHOLE = er7(msh(), "PID|||1", f"OBX|1|TX|X||{TEXT}", "OBX|2|TX|X||b")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("DSC|77|F", b"77"),
        ("DSC|77", b"77"),
        ("DSC|77|I", b""),
        ("DSC|", b""),
        ("OBX|1", b""),
        ("DSCX|1", b""),
        ("DSC", b""),
    ],
)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_the_pointer_stands_in_the_last_segment(last, expected, end):
    assert pointer(er7(msh(), "PID|||1", last, end=end)) == expected
    assert pointer(b"MSH$%~\\&$A\rDSC$5\r") == b"5"


def test_the_pointer_of_a_query_counts_only_where_it_says_so():
    assert pointer(er7(msh(), "DSC|77"), told=True) == b""
    assert pointer(er7(msh(), "DSC|77|F"), told=True) == b"77"


def test_fragments_are_joined_segment_by_segment():
    first = er7(msh(), "PID|||1", "DSC|P1")
    second = er7(msh(f10="MSG2", f14="P1"), "OBX|1", "DSC|P2")
    third = er7(msh(f10="MSG3", f14="P2"), "OBX|2")

    assert join([first, second, third]) == er7(msh(), "PID|||1", "OBX|1", "OBX|2")


@given(cut=st.integers(0, len(TEXT)), second=st.integers(0, len(TEXT)))
def test_a_segment_cut_anywhere_is_joined_again(cut, second):
    start, middle, end = TEXT[:cut], TEXT[cut:][:second], TEXT[cut:][second:]
    first = er7(
        msh(), "PID|||1", f"OBX|1|TX|X||{start}", f"ADD|{middle}", "ADD|", "DSC|P"
    )
    rest = er7(msh(f10="MSG2", f14="P"), f"ADD|{end}", "OBX|2|TX|X||b")

    assert join([first, rest]) == WHOLE
    assert parse(join([first, rest])).control_id == "MSG1"


def test_a_bare_add_continues_nothing_by_itself():
    assert join([er7(msh(), "OBX|1", "ADD")]) == er7(msh(), "OBX|1")


def test_a_line_feed_inside_a_message_with_carriage_returns_stays_in_its_field():
    first = er7(msh(), "OBX|1|TX|X||a\nb", "DSC|P")
    second = er7(msh(f10="MSG2", f14="P"), "ADD|c\nd")

    assert join([first, second]) == er7(msh(), "OBX|1|TX|X||a\nbc\nd")


def test_an_interactive_continuation_stays_in_its_query():
    query = er7(msh(), "QPD|x", "ADD|y", "DSC|77|I")

    assert join([query]) == er7(msh(), "QPD|xy", "DSC|77|I")


@pytest.mark.parametrize(
    ("segments", "continued"),
    [
        (("OBX|1", "ADD|2"), True),
        (("OBX|1", "ADD"), True),
        (("OBX|ADD|2",), False),
        (("ADDX|2",), False),
        (("OBX|1",), False),
    ],
)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_message_with_an_add_segment_is_to_be_joined(segments, continued, end):
    assert is_continued(er7(msh(), *segments, end=end)) is continued
