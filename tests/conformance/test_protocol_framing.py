"""protocol.md 3.1, framing and TCP: the listener and the accept loop together.

Every row runs with the lenient settings and with the strict ones.
"""

import socket
import tracemalloc
from datetime import timedelta
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.internet.interfaces import ITCPTransport

from engine.channels.format.endpoints import MllpSource
from engine.channels.listeners import tune
from engine.channels.sources.mllp import MAX_WAITING
from engine.errors import JournalError
from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.fakes import Wire
from tests.listening import Peer, adt, answers, codes

BOTH = [{}, {"strict": True}]
both = pytest.mark.parametrize("profile", BOTH, ids=["lenient", "strict"])


@both
def test_E01_a_block_in_one_segment_gives_one_framed_answer(profile):
    peer = Peer(**profile)

    peer.hear(enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.sent.startswith(b"\x0bMSH")
    assert peer.sent.endswith(b"\r\x1c\r")
    assert peer.journalled == [adt()]


@both
def test_E02_a_block_cut_at_any_offset_gives_the_same(profile):
    stream = enclose(adt())
    for cut in range(1, len(stream)):
        peer = Peer(**profile)

        peer.hear(stream[:cut])
        peer.hear(stream[cut:])

        assert codes(peer.sent) == [("AA", "M1")]
        assert peer.journalled == [adt()]


@given(cuts=st.lists(st.integers(1, 300), max_size=12))
@settings(max_examples=50)
def test_E02_a_block_in_any_pieces_gives_the_same(cuts):
    stream, peer = enclose(adt()) + enclose(adt("M2")), Peer()
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})

    for start, end in pairwise(borders):
        peer.hear(stream[start:end])

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]


@both
def test_E03_eb_and_cr_in_different_packets_end_the_block_once(profile):
    peer = Peer(**profile)

    peer.hear(enclose(adt())[:-1])
    assert peer.sent == b""
    peer.hear(b"\r")

    assert codes(peer.sent) == [("AA", "M1")]


@both
def test_E04_a_thousand_blocks_in_one_write_are_answered_in_order(profile):
    names = [f"M{number}" for number in range(1000)]
    peer = Peer(**profile)

    peer.hear(b"".join(enclose(adt(name)) for name in names))

    assert [name for _, name in codes(peer.sent)] == names
    assert len(peer.journalled) == 1000


@both
@pytest.mark.parametrize("between", [b"", b"\n"])
def test_E05_the_start_of_the_next_block_is_kept(between, profile):
    peer = Peer(**profile)
    stream = enclose(adt()) + between + enclose(adt("M2"))

    peer.hear(stream[:-20])
    assert codes(peer.sent) == [("AA", "M1")]
    peer.hear(stream[-20:])

    assert codes(peer.sent)[1:] == [("AA", "M2")]


@both
@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"   ", b"\x00\x00"])
def test_E06_bytes_between_blocks_are_dropped_and_counted(between, profile):
    peer = Peer(**profile)

    peer.hear(enclose(adt()) + between + enclose(adt("M2")))

    assert len(codes(peer.sent)) == 2
    assert peer.notes["interframe_bytes"] == len(between)
    assert not peer.closed


@both
@pytest.mark.parametrize(
    ("start", "word"), [(b"GET / HTTP/1.1\r\n", "http"), (b"\x16\x03\x01", "tls")]
)
def test_E07_bytes_without_a_start_block_close_the_connection(start, word, profile):
    peer = Peer(mllp={"max_junk": 1000}, **profile)

    peer.hear(start + b"x" * 1000)

    assert peer.closed
    assert peer.notes[f"not_mllp_{word}"] == 1
    assert peer.journalled == []


@both
def test_E08_a_new_start_block_never_merges_two_messages(profile):
    peer = Peer(**profile)

    peer.hear(b"\x0b" + adt() + enclose(adt("M2")))

    assert codes(peer.sent) == [("AR", "M1"), ("AA", "M2")]
    assert peer.verdicts == [Verdict.QUARANTINED, Verdict.ACCEPTED]
    assert peer.journalled == [adt(), adt("M2")]


@both
def test_E08_a_fragment_without_a_name_is_kept_and_not_answered(profile):
    peer = Peer(**profile)

    peer.hear(b"\x0bMSH|^~\\&|REG" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M2")]
    assert peer.verdicts == [Verdict.QUARANTINED, Verdict.ACCEPTED]


@pytest.mark.parametrize("after", [enclose(adt("M2")), b"\n" + enclose(adt("M2"))])
def test_E09_an_end_block_without_cr_is_accepted_and_flagged(after):
    peer = Peer()

    peer.hear(enclose(adt())[:-1] + after)

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]
    assert peer.journal.arrivals[0].findings == ("missing_cr",)


def test_E09_a_cr_that_never_comes_is_waited_for_two_seconds():
    peer = Peer()
    peer.hear(enclose(adt())[:-1])

    peer.clock.advance(1.9)
    assert peer.sent == b""
    peer.clock.advance(0.1)

    assert codes(peer.sent) == [("AA", "M1")]


def test_E09_a_strict_channel_refuses_and_keeps_it():
    peer = Peer(mllp={"frame_end": "strict"})

    peer.hear(enclose(adt())[:-1] + enclose(adt("M2")))

    assert codes(peer.sent) == [("AR", "M1"), ("AA", "M2")]
    assert peer.verdicts[0] is Verdict.QUARANTINED


@both
def test_E10_an_end_block_before_text_is_payload(profile):
    body = adt() + b"NTE|1||a\x1cb\r"
    peer = Peer(**profile)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [body]
    assert "control_char" in peer.journal.arrivals[0].findings


def test_E10_a_channel_may_reject_control_characters():
    peer = Peer(hl7={"control_characters": "reject"})

    peer.hear(enclose(adt() + b"NTE|1||a\x1cb\r"))

    assert codes(peer.sent) == [("AR", "M1")]
    assert b"199" in peer.sent


@both
def test_E11_an_end_block_and_cr_inside_a_blob_end_the_block(profile):
    peer = Peer(**profile)

    peer.hear(b"\x0bnot a header QUJD\x1c\rREVG\x1c\r" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AR", ""), ("AA", "M2")]
    assert peer.notes["interframe_bytes"] == len(b"REVG\x1c\r")


@both
def test_E12_an_empty_block_is_refused_and_the_connection_stays(profile):
    peer = Peer(**profile)

    peer.hear(b"\x0b\x1c\r" + enclose(adt()))

    assert codes(peer.sent) == [("AR", ""), ("AA", "M1")]
    assert b"100" in peer.sent
    assert peer.verdicts[0] is Verdict.QUARANTINED


@both
def test_E13_without_a_start_block_it_is_junk(profile):
    peer = Peer(**profile)

    peer.hear(adt() + b"\x1c\r" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M2")]
    assert peer.notes["interframe_bytes"] == len(adt()) + 2


def test_E13_one_old_peer_may_leave_the_start_block_out():
    peer = Peer(mllp={"accept_missing_sb": True})

    peer.hear(adt() + b"\x1c\r")
    peer.hear(enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]


@both
def test_E14_a_block_framed_twice_is_one_message(profile):
    peer = Peer(**profile)

    peer.hear(b"\x0b" + enclose(adt()) + b"\x1c\r" + enclose(adt("M2")))

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]
    assert peer.journalled == [adt(), adt("M2")]


@both
def test_E15_nul_bytes_are_kept_as_they_came(profile):
    body = adt() + b"NTE|1||a\x00b\r"
    peer = Peer(**profile)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].findings == ("nul",)


def test_E15_a_channel_may_reject_nul_bytes():
    peer = Peer(hl7={"nul_bytes": "reject"})

    peer.hear(enclose(adt() + b"NTE|1||a\x00b\r"))

    assert codes(peer.sent) == [("AR", "M1")]
    assert b"102" in peer.sent


@both
@pytest.mark.parametrize("control", [b"\t", b"\x01", b"\x1f"])
def test_E16_control_characters_are_kept_and_flagged(control, profile):
    body = adt() + b"NTE|1||a" + control + b"b\r"
    peer = Peer(**profile)

    peer.hear(enclose(body))

    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].findings == ("control_char",)


@both
def test_E17_a_byte_order_mark_before_msh_is_kept_and_flagged(profile):
    body = b"\xef\xbb\xbf" + adt()
    peer = Peer(**profile)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].findings == ("byte_order_mark",)


@both
def test_E17_a_byte_order_mark_before_the_block_does_no_harm(profile):
    peer = Peer(**profile)

    peer.hear(b"\xef\xbb\xbf" + enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")]


@both
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le"])
def test_E18_wide_characters_are_refused_with_a_reason(codec, profile):
    peer = Peer(**profile)

    peer.hear(enclose(adt().decode("ascii").encode(codec)))

    assert codes(peer.sent) == [("AR", "")]
    assert b"charset not supported by MLLP" in peer.sent
    assert peer.verdicts == [Verdict.QUARANTINED]


@both
@pytest.mark.parametrize("excess", [-1, 0])
def test_E19_a_message_up_to_the_limit_is_accepted(excess, profile):
    body = adt()
    body += b"x" * (10_000 + excess - len(body))
    peer = Peer(mllp={"max_size": 10_000}, **profile)

    peer.hear(enclose(body))

    assert codes(peer.sent) == [("AA", "M1")]


@both
def test_E19_a_message_over_the_limit_is_refused_and_the_connection_drained(profile):
    peer = Peer(mllp={"max_size": 10_000}, **profile)

    for _ in range(40):
        peer.hear(b"\x0b" + adt() + b"x" * 1_000 if not peer.heard else b"x" * 1_000)

    assert codes(peer.sent) == [("AR", "M1")]
    assert b"104" in peer.sent
    assert len(peer.journalled[0]) < 200
    peer.clock.advance(5)
    assert peer.closed


def test_E19_memory_for_a_large_message_stays_under_three_times_its_size():
    size = 8_000_000
    peer = Peer(mllp={"max_size": size + 1_000})
    piece = b"x" * 65_536
    tracemalloc.start()

    peer.hear(b"\x0b" + adt())
    for _ in range(size // len(piece)):
        peer.hear(piece)
    peer.hear(b"\r\x1c\r")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert codes(peer.sent) == [("AA", "M1")]
    assert peak <= 3 * size


def test_E20_work_is_linear_in_small_chunks():
    peer = Peer()
    body = adt() + b"x" * 1_460 * 4_000
    stream = enclose(body)

    for start in range(0, len(stream), 1_460):
        peer.hear(stream[start : start + 1_460])

    assert peer.journalled == [body]


@both
def test_E21_a_block_that_never_completes_is_quarantined_and_closed(profile):
    peer = Peer(**profile)

    peer.hear(b"\x0b" + adt()[:30])
    for _ in range(5):
        peer.clock.advance(10)
        peer.hear(b"x")
    assert not peer.closed
    peer.clock.advance(10)

    assert peer.closed
    assert peer.verdicts == [Verdict.QUARANTINED]
    assert peer.sent == b""


@both
def test_E22_a_peer_that_never_sends_is_closed_but_a_quiet_one_is_not(profile):
    silent, quiet = Peer(**profile), Peer(**profile)
    quiet.hear(enclose(adt()))

    for peer in (silent, quiet):
        peer.clock.advance(60)
    quiet.clock.advance(100_000)

    assert silent.closed
    assert not quiet.closed


def test_E23_dead_peers_are_found_by_probes_and_by_unanswered_data():
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()) as peer:
        transport = Wire()
        transport.socket = peer

        tune(cast("ITCPTransport", transport), MllpSource(port=1))
        told = {
            option: peer.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        }

    assert list(told.values()) == [60, 10, 6, 30_000]
    assert transport.keepalive


@both
def test_E24_a_peer_that_closed_its_side_is_answered_first(profile):
    peer = Peer(at_once=False, **profile)
    peer.hear(enclose(adt()))

    peer.listener.readConnectionLost()
    assert not peer.closed
    peer.journal.commit(0)

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.closed


@both
def test_E25_an_answer_that_cannot_be_written_leaves_the_message_accepted(profile):
    peer = Peer(at_once=False, **profile)
    peer.hear(enclose(adt()))

    peer.lose()
    peer.journal.commit(0)

    assert peer.notes["ack_undelivered"] == 1
    assert peer.verdicts == [Verdict.ACCEPTED]


@both
def test_E26_a_peer_that_reads_no_answers_is_held_back_then_dropped(profile):
    peer = Peer(mllp={"ack_write_timeout": timedelta(seconds=9)}, **profile)
    peer.hear(enclose(adt()))

    peer.listener.pauseProducing()
    assert peer.wire.producerState == "paused"
    peer.clock.advance(9)

    assert peer.closed
    assert peer.notes["ack_write_timeout"] == 1


@both
def test_E26_messages_of_one_peer_never_pile_up(profile):
    peer = Peer(at_once=False, **profile)

    peer.hear(b"".join(enclose(adt(f"M{number}")) for number in range(MAX_WAITING + 2)))

    assert peer.wire.producerState == "paused"


@both
def test_E27_one_connection_too_many_is_refused_and_counted(profile):
    peer = Peer(mllp={"max_connections": 2}, **profile)
    peer.connect_another()

    refused = peer.connect_another()

    assert refused is None
    assert peer.notes["connection_refused"] == 1
    peer.lose()
    assert peer.connect_another() is not None


@both
def test_E27_descriptors_are_kept_back_for_the_store(profile):
    peer = Peer(places=1, **profile)

    assert peer.connect_another() is None


@pytest.mark.parametrize("block", [b"\x06", b"\x15"])
def test_E29_a_commit_block_on_a_listener_is_no_message(block):
    peer = Peer()

    peer.hear(enclose(block) + enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [adt()]


def test_E29_release_2_commits_only_after_the_journal_has():
    peer = Peer(mllp={"mode": "r2"}, at_once=False)
    peer.hear(enclose(adt()))
    assert peer.sent == b""

    peer.journal.commit(0)

    assert peer.sent.startswith(enclose(b"\x06"))
    assert codes(peer.sent) == [("AA", "M1")]


def test_E29_release_2_says_so_when_it_could_not_store():
    peer = Peer(mllp={"mode": "r2"}, at_once=False)
    peer.hear(enclose(adt()))

    peer.journal.fail(0, JournalError("disk full"))

    assert peer.sent == enclose(b"\x15")


@both
def test_E30_xml_with_a_control_id_is_journalled_and_named(profile):
    body = b"<?xml version='1.0'?><ADT_A01><MSH><MSH.10>M1</MSH.10></MSH></ADT_A01>"
    peer = Peer(**profile)

    peer.hear(enclose(body))

    assert peer.journalled == [body]
    assert peer.journal.arrivals[0].control_id == "M1"
    [answer] = answers(peer.sent)
    root = etree.fromstring(answer)
    where = {"v2": "urn:hl7-org:v2xml"}
    assert root.findtext("v2:MSA/v2:MSA.1", namespaces=where) == "AA"
    assert root.findtext("v2:MSA/v2:MSA.2", namespaces=where) == "M1"


@both
def test_E30_xml_without_a_control_id_is_refused_without_a_name(profile):
    peer = Peer(**profile)

    peer.hear(enclose(b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"))

    assert codes(peer.sent) == [("AR", "")]
    assert peer.verdicts == [Verdict.QUARANTINED]


@both
def test_E31_tls_on_a_plain_port_is_closed_at_once(profile):
    peer = Peer(**profile)

    peer.hear(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")

    assert peer.closed
    assert peer.notes["not_mllp_tls"] == 1
