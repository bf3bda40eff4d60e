"""Acknowledgments: written in the sender's words, read with care."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.hl7 import parse
from engine.hl7.acknowledgment import (
    CODES,
    MAX_FAULTS,
    AckFault,
    Mode,
    Verdict,
    acknowledge,
    acknowledge_batch,
    fault_for,
    is_acknowledgment,
    is_wanted,
    missing_fields,
    mode_of,
    parse_acknowledgment,
    read_header,
)
from engine.hl7.batch import Opening
from engine.hl7.conformance import Finding
from tests.builders import er7, msh

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
FAULT = AckFault("101", location="PID^1^3", text="PID-3 is missing")


def header(**fields):
    return read_header(er7(msh(**fields)))


def answer(head, code="AA", **more):
    return acknowledge(head, code, now=NOON, control_id="ACK1", **more)


def segments(data):
    return data.decode("latin-1").split("\r")[:-1]


def test_a_positive_answer_swaps_the_parties_and_echoes_the_control_id():
    head = header(f3="LAB^1.2^ISO", f4="^^", f11="T", f18="8859/1~ISO IR87")

    first, second = segments(answer(head))
    assert first == (
        "MSH|^~\\&|ENGINE|SITE|LAB^1.2^ISO|^^|20300101120000+0000"
        "||ACK^A01^ACK|ACK1|T|2.5.1||||||8859/1~ISO IR87"
    )
    assert second == "MSA|AA|MSG1"


@pytest.mark.parametrize(
    ("version", "event", "expected"),
    [
        ("2.3", "A01", "ACK"),
        ("2.3.1^AUS", "A01", "ACK"),
        ("2.4", "A01", "ACK^A01^ACK"),
        ("2.8.2", "A01", "ACK^A01^ACK"),
        ("", "A01", "ACK^A01^ACK"),
        ("2.5", "", "ACK"),
    ],
)
def test_the_message_type_of_the_answer_follows_the_version(version, event, expected):
    head = header(f9=f"ADT^{event}", f12=version)

    message = parse(answer(head))

    assert message.segments[0].raw(9) == expected
    assert message.segments[0].raw(12) == version


@given(control_id=st.binary(max_size=500), own=st.booleans())
def test_the_control_id_is_echoed_byte_for_byte(control_id, own):
    control_id = control_id.translate(None, b"|\r\n")
    marks = b"MSH|%*!@" if own else b"MSH|^~\\&"
    data = marks + b"|A|B|C|D|||ADT|" + control_id + b"|P|2.5.1\r"
    head = read_header(data)

    written = answer(head)

    assert written.split(b"\r")[1] == (b"MSA|AA|" + control_id).rstrip(b"|")
    assert written.startswith(marks)
    if control_id.isascii() and control_id:
        assert parse_acknowledgment(written).acknowledges(head)


def test_an_answer_is_written_in_the_senders_own_delimiters():
    head = read_header(b"MSH$%*!@$A$B%1$C$D$$$ADT%A01$7$P$2.5\r")

    written = answer(head, "AE", errors=[AckFault("199", "E", "PID^1^3", "50% $ off")])

    assert segments(written)[1:] == [
        "MSA$AE$7$$$$199%Other HL7 Error%HL70357",
        "ERR$$PID%1%3$199%Other HL7 Error%HL70357$E$$$$50!S! !F! off",
    ]
    assert parse_acknowledgment(written).errors[0].text == "50% $ off"


def test_where_the_sender_knows_no_escape_our_text_does_without_delimiters():
    head = read_header(b"MSH|^|A|B|C|D|||ADT^A01|7|P|2.5\r")

    assert segments(answer(head, "AE", errors=[AckFault("199", text="a^b")]))[2] == (
        "ERR|||199^Other HL7 Error^HL70357|E||||a b"
    )


def test_from_2_5_on_each_fault_has_its_own_err():
    faults = [FAULT, AckFault("207", "F", application_code="102")]

    written = answer(header(f12="2.7"), "AE", errors=faults, text="not sent")

    assert segments(written)[1:] == [
        "MSA|AE|MSG1",
        "ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3 is missing",
        "ERR|||207^Application error^HL70357|F|102^^HL70533",
    ]
    assert parse_acknowledgment(written).errors == (
        FAULT,
        AckFault("207", "F", "", "Application error", "102"),
    )


def test_before_2_5_the_fault_stands_in_err_1_and_the_text_in_msa_3():
    written = answer(header(f12="2.3"), "AE", errors=[FAULT, AckFault("207")])

    assert segments(written)[1:] == [
        "MSA|AE|MSG1|PID-3 is missing|||101^Required field missing^HL70357",
        "ERR|PID^1^3^101&Required field missing&HL70357",
        "ERR|^^^207&Application error&HL70357",
    ]
    read = parse_acknowledgment(written)
    assert read.errors == (
        AckFault("101", location="PID^1^3", text="Required field missing"),
        AckFault("207", text="Application error"),
    )
    assert read.text == "PID-3 is missing"


def test_text_and_faults_are_limited():
    written = answer(
        header(f12="2.4"), "AE", errors=[FAULT] * 30, text="x" * 100, sequence="-1"
    )

    assert f"|{'x' * 80}|-1|" in segments(written)[1]
    assert len(segments(written)) == 2 + MAX_FAULTS


def test_an_unreadable_header_is_answered_without_a_control_id():
    written = answer(None, "AR", errors=[AckFault("100", text="no MSH")])

    assert segments(written) == [
        "MSH|^~\\&|||||20300101120000+0000||ACK|ACK1|P|2.5.1",
        "MSA|AR|||||100^Segment sequence error^HL70357",
        "ERR|||100^Segment sequence error^HL70357|E||||no MSH",
    ]


@pytest.mark.parametrize(
    ("fields", "ack_mode", "mode"),
    [
        ({}, "from-message", Mode.ORIGINAL),
        ({"f15": "AL"}, "from-message", Mode.ENHANCED),
        ({"f16": "NE"}, "from-message", Mode.ENHANCED),
        ({"f15": "AL"}, "original", Mode.ORIGINAL),
        ({}, "enhanced", Mode.ENHANCED),
    ],
)
def test_msh_15_and_16_decide_the_mode_unless_the_channel_does(fields, ack_mode, mode):
    assert mode_of(header(**fields), ack_mode) is mode


def test_an_unreadable_header_is_answered_in_original_mode():
    assert mode_of(None) is Mode.ORIGINAL


@pytest.mark.parametrize(
    ("condition", "positive", "wanted"),
    [("AL", True, True), ("AL", False, True), ("NE", True, False), ("NE", False, False),
     ("ER", True, False), ("ER", False, True), ("SU", True, True), ("SU", False, False),
     ("", True, False), ("", False, False), ("??", True, True)],
)  # fmt: skip
def test_table_0155_says_when_an_answer_is_sent(condition, positive, wanted):
    assert is_wanted(condition, positive=positive) is wanted


def test_the_channel_says_what_an_empty_condition_means():
    assert is_wanted("", positive=True, when_empty="AL")


def test_there_is_a_code_for_every_verdict_in_every_mode():
    assert set(CODES) == {(verdict, mode) for verdict in Verdict for mode in Mode}


def test_an_acknowledgment_is_known_as_such():
    assert is_acknowledgment(header(f9="ACK^A01^ACK"))
    assert not is_acknowledgment(header())


def test_missing_type_and_control_id_are_told_with_their_place():
    assert missing_fields(header()) == []
    assert [fault.location for fault in missing_fields(read_header(b"MSH|^~\\&"))] == [
        "MSH^1^9", "MSH^1^10",
    ]  # fmt: skip


def test_a_finding_becomes_the_err_that_rejects_it():
    assert fault_for(Finding("data_type", "OBX[2]-5", "not a NM")) == AckFault(
        "102", location="OBX^2^5", text="data type"
    )
    assert fault_for(Finding("charset_mismatch")).code == "199"


@pytest.mark.parametrize(
    ("data", "code", "control_id", "positive"),
    [
        (er7(msh(), "MSA|AA|7"), "AA", "7", True),
        (er7(msh(), "MSA|CA|7", end="\n"), "CA", "7", True),
        (er7(msh(), "MSA|AE"), "AE", "", False),
        (er7(msh()), "", "", False),
        (er7(msh(), "MSA"), "", "", False),
    ],
)
def test_a_received_answer_tells_its_code_and_whom_it_answers(
    data, code, control_id, positive
):
    found = parse_acknowledgment(data)

    assert (found.code, found.control_id, found.positive) == (
        code,
        control_id,
        positive,
    )


def test_an_answer_names_the_message_even_in_other_delimiters():
    sent = read_header(b"MSH$%*!@$A$B$C$D$$$ADT$a!S!b|$P$2.5\r")

    assert parse_acknowledgment(er7(msh(), "MSA|AA|a%b\\F\\")).acknowledges(sent)
    assert not parse_acknowledgment(er7(msh(), "MSA|AA|a%b")).acknowledges(sent)
    assert not parse_acknowledgment(er7(msh(), "MSA|AA|")).acknowledges(
        read_header(b"MSH|^~\\&|")
    )


def test_faults_are_read_from_msa_6_where_there_is_no_err():
    read = parse_acknowledgment(er7(msh(), "MSA|AR|7||||206^locked"))

    assert read.errors == (AckFault("206", text="locked"),)


def test_faults_are_read_whatever_fields_carry_them():
    read = parse_acknowledgment(
        er7(msh(), "MSA|AE|7", "ERR||PID^1^3|101||||diagnosis", "ERR|||207^text^X|F")
    )

    assert read.errors == (
        AckFault("101", "E", "PID^1^3", "diagnosis"),
        AckFault("207", "F", "", "text"),
    )
    bare = er7(msh(delimiters=("|", ":"), f9="ACK"), "MSA|AE|7", "ERR||PID:1|101")
    assert parse_acknowledgment(bare).errors == (AckFault("101", location="PID^1"),)


def test_what_is_no_message_is_no_answer():
    with pytest.raises(ParseError):
        parse_acknowledgment(b"\x06")


def test_a_batch_answer_names_the_batch():
    opening = Opening(b"BHS|^~\\&|A|B|C|D|2030||||B77\r")
    answers = [answer(header()), answer(header())]

    written = acknowledge_batch(opening, answers, now=NOON, control_id="B1")

    assert written == (
        b"BHS|^~\\&|C|D|A|B|20300101120000+0000||||B1|B77\r"
        + answers[0] * 2
        + b"BTS|2\r"
    )
