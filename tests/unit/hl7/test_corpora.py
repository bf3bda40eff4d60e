"""Published messages of many origins: every one is read, kept and can be answered."""

from datetime import UTC, datetime

import pytest

from engine.errors import ParseError
from engine.hl7 import parse
from engine.hl7.acknowledgment import acknowledge, parse_acknowledgment, read_header
from engine.hl7.conformance import check
from engine.hl7.masking import mask
from tests.shared_data import shared

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def published(folder):
    return sorted(shared("corpora", folder).rglob("*.hl7"))


def read_everything(message):
    for segment in message.segments:
        for number in segment.populated():
            for repetition in segment.positions(number):
                for component in range(1, repetition.component_count + 1):
                    repetition.sub(component)


def test_every_message_is_read_and_kept_byte_for_byte():
    for path in published("messages"):
        data = path.read_bytes()
        message = parse(data)

        read_everything(message)

        assert message.encode() == data, path.name


def test_every_message_can_be_edited_in_one_place_only():
    for path in published("messages")[::5]:
        message = parse(path.read_bytes())
        before = [segment.encoded for segment in message.segments]

        message.segments[-1].put(99, "x")

        after = [segment.encoded for segment in parse(message.encode()).segments]
        assert after[:-1] == before[:-1], path.name
        assert after[-1].startswith(before[-1]), path.name


def test_every_message_is_answered_in_its_own_words():
    for path in published("messages"):
        header = read_header(path.read_bytes())

        written = acknowledge(header, "AA", now=NOON, control_id="A1")

        answer = parse_acknowledgment(written)
        assert answer.positive
        assert answer.acknowledges(header) or not header.control_id, path.name


def test_every_message_is_checked_and_masked():
    for path in published("messages")[::5]:
        message = parse(path.read_bytes())

        findings, text = check(message), mask(message)

        assert all(finding.code for finding in findings)
        assert len(text.split("\r")) == len(message.segments) + 1, path.name


def test_what_is_malformed_is_read_or_refused_with_a_code():
    for path in published("malformed"):
        data = path.read_bytes()
        try:
            message = parse(data)
        except ParseError:
            with pytest.raises(ParseError):
                read_header(data)
            continue

        read_everything(message)
        check(message)
        mask(message)

        assert message.encode() == data, path.name
