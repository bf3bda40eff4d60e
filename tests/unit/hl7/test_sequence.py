"""The sequence number protocol, seen from the receiver."""

import pytest

from engine.hl7.sequence import Link, SequenceFault, Step, follow, is_link_start

SEVEN = Link(7)


@pytest.mark.parametrize(
    ("link", "given", "repeated", "step"),
    [
        (Link(), "0", False, Step(Link(), "-1")),
        (SEVEN, "0", False, Step(SEVEN, "8")),
        (SEVEN, "-1", False, Step(Link(), "-1")),
        (Link(7, frozen=True), "-1", False, Step(Link(), "-1")),
        (Link(), "41", False, Step(Link(41), "41")),
        (SEVEN, "8", False, Step(Link(8), "8")),
        (SEVEN, "8", True, Step(Link(8), "8")),
        (SEVEN, "7", True, Step(SEVEN, "8")),
        (SEVEN, "9", False, Step(SEVEN, "8", SequenceFault.GAP)),
    ],
)
def test_a_link_that_is_in_order(link, given, repeated, step):
    assert follow(link, given, repeated=repeated) == step


@pytest.mark.parametrize(
    ("link", "given", "repeated"),
    [
        (SEVEN, "7", False),
        (SEVEN, "6", True),
        (SEVEN, "-2", False),
        (SEVEN, "x", False),
        (Link(), "seven", False),
    ],
)
def test_a_number_that_cannot_be_freezes_the_link(link, given, repeated):
    step = follow(link, given, repeated=repeated)

    assert step == Step(Link(link.last, frozen=True), link.expected, SequenceFault.LOST)


def test_a_frozen_link_takes_nothing_and_says_what_it_waits_for():
    frozen = Link(7, frozen=True)

    assert follow(frozen, "8", repeated=False) == Step(
        frozen, "8", SequenceFault.FROZEN
    )
    assert follow(frozen, "0", repeated=False) == Step(frozen, "8")


@pytest.mark.parametrize(
    ("sequence", "data", "starts"),
    [
        ("0", b"MSH|^~\\&|A\r", True),
        ("-1", b"MSH|^~\\&|A", True),
        ("0", b"MSH|^~\\&|A\nPID|||\nPV1\n", True),
        ("0", b"MSH$^~\\&$A\rPID$$$\r", True),
        ("0", b"MSH|^~\\&|A\rPID|||1\r", False),
        ("1", b"MSH|^~\\&|A\r", False),
        ("", b"MSH|^~\\&|A\r", False),
    ],
)
def test_a_link_start_says_nothing_after_its_header(sequence, data, starts):
    assert is_link_start(sequence, data) is starts
