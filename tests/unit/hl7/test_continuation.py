"""Messages in fragments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.continuation import join, pointer
from tests.builders import er7, msh

TEXT = "a rather long text|with|fields ~ and ^ more"
WHOLE = er7(msh(), "PID|||1", f"OBX|1|TX|X||{TEXT}", "OBX|2|TX|X||b")


@pytest.mark.parametrize(
    ("last", "expected"),
    [("DSC|77|I", b"77"), ("DSC|", b""), ("OBX|1", b""), ("DSCX|1", b""), ("DSC", b"")],
)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_the_pointer_stands_in_the_last_segment(last, expected, end):
    assert pointer(er7(msh(), "PID|||1", last, end=end)) == expected
    assert pointer(b"MSH$%~\\&$A\rDSC$5\r") == b"5"


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
