"""A stream of batches, walked and surveyed."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.channels.batches import Walk, is_batch, rounds, survey
from tests.builders import er7, msh

FIRST, SECOND = er7(msh(f10="1"), "PID|||1"), er7(msh(f10="2"), "PID|||2")
BATCH = b"BHS|^~\\&|||||||||B\r" + FIRST + SECOND + b"BTS|2\r"
FILE = b"FHS|^~\\&|||||||||F\r" + BATCH + FIRST + b"FTS|2\r"


def walked(chunks):
    walk = Walk(10_000)
    found = [each for chunk in chunks for each in walk.feed(chunk)]
    return [*found, *walk.end()], walk


def batches_of(content, source="x") -> list[Any]:
    return list(survey([content], source, 10_000).batches)


@given(cuts=st.lists(st.integers(0, len(FILE)), max_size=6))
def test_chunks_carry_no_meaning(cuts):
    places = [0, *sorted(cuts), len(FILE)]
    chunks = [FILE[start:end] for start, end in pairwise(places)]

    found, walk = walked(chunks)

    assert found == [(FIRST, 0), (SECOND, 0), (FIRST, 1)]
    assert survey(chunks, "x", 10_000) == survey([FILE], "x", 10_000)
    assert walk.whole


def test_messages_outside_any_batch_have_none():
    found = survey([FIRST + SECOND], "x", 10_000)

    assert (found.messages, found.batches, found.agrees) == (2, [None], True)


def test_a_trailer_makes_a_batch_of_what_came_before_it():
    [batch] = batches_of(FIRST + SECOND + b"BTS|3\r")

    assert (batch.declared, batch.found, batch.agrees) == ("3", 2, False)


def test_the_same_bytes_of_another_source_are_another_batch():
    [one], [again], [other] = (batches_of(BATCH, source) for source in ("x", "x", "y"))

    assert one.name == again.name != other.name


def test_a_wrong_file_is_one_batch():
    wrong = FILE.replace(b"FTS|2", b"FTS|7")

    first, second = batches_of(wrong)

    assert first.name == second.name
    assert not first.agrees
    assert not second.agrees


def test_only_headers_begin_a_batch():
    assert is_batch(BATCH)
    assert is_batch(b"\xef\xbb\xbf" + FILE)
    assert not is_batch(FIRST)


def test_messages_are_journalled_in_rounds():
    assert [len(each) for each in rounds(range(600))] == [256, 256, 88]
