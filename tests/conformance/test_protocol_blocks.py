"""protocol.md 3.1, MLLP blocks: where a message begins, ends and is not one."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.listening import Peer, adt, codes

ACCEPTED = Verdict.ACCEPTED


def test_E01_a_block_in_one_segment_gives_one_framed_answer(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.sent.startswith(b"\x0bMSH")
    assert peer.sent.endswith(b"\r\x1c\r")
    assert peer.journalled == [adt()]


def test_E02_a_block_cut_at_any_offset_gives_the_same(strict):
    stream = enclose(adt())
    for cut in range(1, len(stream)):
        peer = Peer(strict=strict)

        peer.hear(stream[:cut])
        peer.hear(stream[cut:])

        assert codes(peer.sent) == [("AA", "M1")]
        assert peer.journalled == [adt()]


@given(cuts=st.lists(st.integers(1, 300), max_size=12))
@settings(max_examples=50)
def test_E02_a_block_in_any_pieces_gives_the_same(cuts, strict):
    stream, peer = enclose(adt()) + enclose(adt("M2")), Peer(strict=strict)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})

    for start, end in pairwise(borders):
        peer.hear(stream[start:end])

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]


def test_E03_eb_and_cr_in_different_packets_end_the_block_once(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt())[:-1])
    assert peer.sent == b""
    peer.hear(b"\r")

    assert codes(peer.sent) == [("AA", "M1")]


def test_E04_a_thousand_blocks_in_one_write_are_answered_in_order(strict):
    names = [f"M{number}" for number in range(1000)]
    peer = Peer(strict=strict)

    peer.hear(b"".join(enclose(adt(name)) for name in names))

    assert [name for _, name in codes(peer.sent)] == names
    assert len(peer.journalled) == 1000


@pytest.mark.parametrize("between", [b"", b"\n"])
def test_E05_the_start_of_the_next_block_is_kept(between, strict):
    peer = Peer(strict=strict)
    stream = enclose(adt()) + between + enclose(adt("M2"))

    peer.hear(stream[:-20])
    assert codes(peer.sent) == [("AA", "M1")]
    peer.hear(stream[-20:])

    assert codes(peer.sent)[1:] == [("AA", "M2")]


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"   ", b"\x00\x00"])
def test_E06_bytes_between_blocks_are_dropped_and_counted(between, strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) + between + enclose(adt("M2")))

    assert len(codes(peer.sent)) == 2
    assert peer.notes["interframe_bytes"] == len(between)
    assert not peer.closed


@pytest.mark.parametrize(
    ("start", "word"), [(b"GET / HTTP/1.1\r\n", "http"), (b"\x16\x03\x01", "tls")]
)
def test_E07_bytes_without_a_start_block_close_the_connection(start, word, strict):
    peer = Peer(mllp={"max_junk": 1000}, strict=strict)

    peer.hear(start + b"x" * 1000)

    assert peer.closed
    assert peer.notes[f"not_mllp_{word}"] == 1
    assert peer.journalled == []


def test_E08_a_new_start_block_never_merges_two_messages(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x0b" + adt() + enclose(adt("M2")))

    assert codes(peer.sent) == [("AR", "M1"), ("AA", "M2")]
    assert peer.verdicts == [Verdict.QUARANTINED, Verdict.ACCEPTED]
    assert peer.journalled == [adt(), adt("M2")]


def test_E08_a_fragment_without_a_name_is_kept_and_not_answered(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x0bMSH|^~\\&|REG" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M2")]
    assert peer.verdicts == [Verdict.QUARANTINED, Verdict.ACCEPTED]


@pytest.mark.parametrize("after", [enclose(adt("M2")), b"\n" + enclose(adt("M2"))])
def test_E09_an_end_block_without_cr_is_flagged_and_a_strict_channel_refuses_it(
    after, strict
):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt())[:-1] + after)

    refused, verdict = ("AR", Verdict.QUARANTINED) if strict else ("AA", ACCEPTED)
    assert codes(peer.sent) == [(refused, "M1"), ("AA", "M2")]
    assert peer.verdicts == [verdict, ACCEPTED]
    assert peer.journal.arrivals[0].findings == ("missing_cr",)


def test_E09_a_cr_that_never_comes_is_waited_for_two_seconds(strict):
    peer = Peer(strict=strict)
    peer.hear(enclose(adt())[:-1])

    peer.clock.advance(1.9)
    assert peer.sent == b""
    peer.clock.advance(0.1)

    assert codes(peer.sent) == [("AR" if strict else "AA", "M1")]


def test_E10_an_end_block_before_text_is_payload(strict):
    body = adt() + b"NTE|1||a\x1cb\r"
    peer = Peer(strict=strict)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [body]
    assert "control_char" in peer.journal.arrivals[0].findings


def test_E10_a_channel_may_reject_control_characters(strict):
    peer = Peer(strict=strict, hl7={"control_characters": "reject"})

    peer.hear(enclose(adt() + b"NTE|1||a\x1cb\r"))

    assert codes(peer.sent) == [("AR", "M1")]
    assert b"199" in peer.sent


def test_E11_an_end_block_and_cr_inside_a_blob_end_the_block(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x0bnot a header QUJD\x1c\rREVG\x1c\r" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AR", ""), ("AA", "M2")]
    assert peer.notes["interframe_bytes"] == len(b"REVG\x1c\r")


def test_E12_an_empty_block_is_refused_and_the_connection_stays(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x0b\x1c\r" + enclose(adt()))

    assert codes(peer.sent) == [("AR", ""), ("AA", "M1")]
    assert b"100" in peer.sent
    assert peer.verdicts[0] is Verdict.QUARANTINED


def test_E13_without_a_start_block_it_is_junk(strict):
    peer = Peer(strict=strict)

    peer.hear(adt() + b"\x1c\r" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M2")]
    assert peer.notes["interframe_bytes"] == len(adt()) + 2


def test_E13_one_old_peer_may_leave_the_start_block_out(strict):
    peer = Peer(strict=strict, mllp={"accept_missing_sb": True})

    peer.hear(adt() + b"\x1c\r")
    peer.hear(enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]


def test_E14_a_block_framed_twice_is_one_message(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x0b" + enclose(adt()) + b"\x1c\r" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]
    assert peer.journalled == [adt(), adt("M2")]
