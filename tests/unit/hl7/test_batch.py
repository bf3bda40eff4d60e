"""Batch files, cut while they stream in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FrameError
from engine.hl7.batch import (
    BatchedMessage,
    BatchReader,
    Closing,
    Event,
    Opening,
    split_messages,
)
from tests.builders import er7, msh

FHS = "FHS|^~\\&|A|B|C|D|2030||||F1"
BHS = "BHS$%~\\&$A$B$C$D$2030$$$$B1"
PIECES = st.lists(
    st.sampled_from(
        [FHS, BHS, msh(), "PID|||1", "", "BTS$2", "FTS|1", "BTSX", "OBX|\n|"]
    ),
    max_size=12,
)
ENDS = st.sampled_from(["\r", "\n", "\r\n"])
CUTS = st.lists(st.integers(0, 600))


def read(stream, *, cuts=(), **limits):
    reader = BatchReader(**limits)
    events: list[Event] = []
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in itertools.pairwise(borders):
        reader.feed(stream[start:stop])
        events.extend(iter(reader.next_event, None))
    events.extend(iter(reader.flush, None))
    return events


def wire(event):
    return event.message if isinstance(event, BatchedMessage) else event.segment


def closings(*lines):
    return [event for event in read(er7(*lines)) if isinstance(event, Closing)]


@given(pieces=PIECES, end=ENDS, cuts=CUTS)
def test_chunk_borders_do_not_matter(pieces, end, cuts):
    stream = er7(*pieces, end=end)

    assert read(stream, cuts=cuts) == read(stream)


@given(pieces=PIECES, end=ENDS)
def test_every_byte_ends_in_exactly_one_event(pieces, end):
    stream = er7(*pieces, end=end)

    assert b"".join(map(wire, read(stream))).strip() == stream.strip()


@given(pieces=PIECES, end=ENDS)
def test_what_is_opened_is_closed(pieces, end):
    events = read(er7(*pieces, end=end))

    opened = [event for event in events if isinstance(event, Opening)]
    closed = [e.opening for e in events if isinstance(e, Closing) and e.opening]
    assert sorted(map(wire, opened)) == sorted(map(wire, closed))


def test_a_file_is_read_in_order_with_each_headers_own_delimiters():
    first, second = er7(msh(f10="1"), "PID|||1"), er7(msh(f10="2"))
    stream = er7(FHS, BHS) + first + second + er7("BTS$2", "FTS|1")

    file, batch, *rest = read(stream)

    assert isinstance(file, Opening)
    assert isinstance(batch, Opening)
    assert (file.control_id, batch.control_id) == (b"F1", b"B1")
    assert batch.raw(99) == b""
    assert rest == [
        BatchedMessage(first, batch),
        BatchedMessage(second, batch),
        Closing(batch, b"BTS$2\r", "2", 2),
        Closing(file, b"FTS|1\r", "1", 1),
    ]
    assert all(event.agrees for event in rest if isinstance(event, Closing))


@pytest.mark.parametrize(
    ("lines", "agree"),
    [
        ([BHS, msh(), "BTS$1"], [True]),
        ([BHS, msh(), "BTS$01"], [True]),
        ([BHS, msh(), "BTS"], [True]),
        ([BHS, msh(), "BTS$"], [True]),
        ([BHS, "BTS$0"], [True]),
        ([BHS, msh(), "BTS$2"], [False]),
        ([BHS, msh(), "BTS$x"], [False]),
        ([BHS, msh()], [False]),
        ([FHS, BHS, msh(), "FTS|1"], [False, True]),
        ([FHS, BHS, msh(), BHS, msh(), "BTS$1", "FTS|2"], [False, True, True]),
        ([FHS, msh(), msh(), "FTS|1"], [True]),
        ([FHS, FHS, "FTS|0"], [False, True]),
        ([msh(), "BTS|1"], [True]),
    ],
)
def test_a_count_that_differs_or_a_missing_trailer_does_not_agree(lines, agree):
    assert [closing.agrees for closing in closings(*lines)] == agree


def test_line_feeds_inside_a_message_do_not_cut_it():
    text = er7(msh(), "OBX|1|TX|||a\nMSH|b")

    assert read(text) == [BatchedMessage(text, None)]


def test_a_byte_order_mark_and_blank_lines_ahead_are_dropped():
    assert read(b"\xef\xbb\xbf" + er7(msh())) == [BatchedMessage(er7(msh()), None)]
    assert read(b"\n\n" + er7(msh(), end="\n")) == [
        BatchedMessage(er7(msh(), end="\n"), None)
    ]
    assert read(b"") == []


def test_what_is_no_message_is_still_handed_on():
    assert read(b"hello\r") == [BatchedMessage(b"hello\r", None)]


def test_a_message_that_never_ends_is_refused():
    with pytest.raises(FrameError, match="longer than 100 bytes"):
        read(er7(msh()) + b"x" * 200, max_bytes=100)


def test_a_block_with_several_headers_is_split_at_each():
    first, second = er7(msh(f10="1"), "PID|||1"), er7(msh(f10="2"))

    assert split_messages(first + second) == [first, second]
    assert split_messages(first) == [first]
