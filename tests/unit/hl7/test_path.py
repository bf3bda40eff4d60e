"""Path: where a value stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.hl7 import Path, parse_path
from engine.hl7.path import ALL

INDEXES = st.sampled_from([0, 1, 7, ALL])
NUMBERS = st.integers(1, 99)
PATHS = st.one_of(
    st.builds(Path, st.just("OBX"), INDEXES),
    st.builds(Path, st.just("ZP1"), INDEXES, NUMBERS, INDEXES),
    st.builds(Path, st.just("PID"), INDEXES, NUMBERS, INDEXES, NUMBERS),
    st.builds(Path, st.just("PID"), INDEXES, NUMBERS, INDEXES, NUMBERS, NUMBERS),
)


@given(path=PATHS)
def test_a_path_is_read_as_it_is_written(path):
    assert parse_path(str(path)) == path


@pytest.mark.parametrize(
    "text", ["", "PID.", "pid-3", "PI-3", "PID-0", "PID-3[0]", "PID-3.1.1.1", "PID-3 "]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ParseError, match="is not an HL7 path"):
        parse_path(text)
