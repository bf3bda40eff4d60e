"""Whatever arrives: what can be parsed can be checked, masked and answered."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.hl7 import parse
from engine.hl7.acknowledgment import (
    AckFault,
    acknowledge,
    parse_acknowledgment,
    read_header,
)
from engine.hl7.conformance import check
from engine.hl7.masking import mask

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PIECES = st.lists(
    st.sampled_from(
        [
            *(b"PID|", b"ADT^A01", b"MSH|^~\\&|", b"OBX|1|NM", b"ZZZ", b"BHS|", b"ACK"),
            *(b"|", b"^", b"~", b"\\", b"&", b"\r", b" ", b"|||||||", b'""', b"\xe9"),
            *(b"2.5.1", b"2.1", b"2.7", b"ORM^O01", b"X0D"),
        ]
    ),
    max_size=60,
).map(b"".join)
ARRIVALS = st.one_of(
    PIECES,
    PIECES.map(lambda pieces: b"MSH|^~\\&|A|B|C|D|||" + pieces),
    st.builds(lambda marks, rest: b"MSH" + marks + rest, st.binary(max_size=6), PIECES),
)


@given(data=ARRIVALS)
def test_what_is_parsed_can_be_checked_masked_and_answered(data):
    try:
        message = parse(data)
    except ParseError:
        with pytest.raises(ParseError):
            read_header(data)
        return
    header = read_header(data)

    findings, text = check(message), mask(message)
    written = acknowledge(
        header, "AE", now=NOON, control_id="A1", errors=[AckFault("101", text="a|b^c")]
    )

    assert header.delimiters == message.delimiters
    assert all(finding.code for finding in findings)
    assert text.count("\r") == len(message.segments)
    answer = parse_acknowledgment(written)
    assert (answer.code, len(answer.errors)) == ("AE", 1)
