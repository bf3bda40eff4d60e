"""protocol.md 3.1, connections: timers, dead peers, limits, commit blocks, TLS."""

import socket
from datetime import timedelta
from time import process_time
from typing import cast

import pytest
from twisted.internet.interfaces import ITCPTransport

from engine.channels.format.endpoints import MllpSource
from engine.channels.listeners import tune
from engine.channels.sources.mllp import MAX_WAITING
from engine.errors import JournalError
from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.databases import empty_database
from tests.fakes import NOON, Wire
from tests.listening import Peer, adt, codes
from tests.stored import accept, arrival, claim


def test_E21_a_block_that_never_completes_is_quarantined_and_closed(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x0b" + adt()[:30])
    for _ in range(5):
        peer.clock.advance(10)
        peer.hear(b"x")
    assert not peer.closed
    peer.clock.advance(10)

    assert peer.closed
    assert peer.verdicts == [Verdict.QUARANTINED]
    assert peer.sent == b""


def test_E21_a_byte_of_each_of_a_thousand_slow_peers_is_soon_read(strict):
    good, slow = Peer(strict=strict), [Peer(strict=strict) for _ in range(1_000)]
    for peer in slow:
        peer.hear(b"\x0b" + adt()[:30])
    rounds = []

    for _ in range(20):  # between two looks at the good one, one byte of each of them
        began = process_time()
        for peer in slow:
            peer.hear(b"x")
        good.hear(enclose(adt()))
        rounds.append(process_time() - began)

    assert len(codes(good.sent)) == 20
    assert max(rounds) <= 0.1
    assert not any(peer.closed for peer in slow)


def test_E22_a_peer_that_never_sends_is_closed_but_a_quiet_one_is_not(strict):
    silent, quiet = Peer(strict=strict), Peer(strict=strict)
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


def test_E24_a_peer_that_closed_its_side_is_answered_first(strict):
    peer = Peer(at_once=False, strict=strict)
    peer.hear(enclose(adt()))

    peer.listener.readConnectionLost()
    assert not peer.closed
    peer.journal.commit(0)

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.closed


def test_E25_an_answer_that_cannot_be_written_leaves_the_message_accepted(strict):
    peer = Peer(at_once=False, strict=strict)
    peer.hear(enclose(adt()))

    peer.lose()
    peer.journal.commit(0)

    assert peer.notes["ack_undelivered"] == 1
    assert peer.verdicts == [Verdict.ACCEPTED]


def test_E26_a_peer_that_reads_no_answers_is_held_back_then_dropped(strict):
    peer = Peer(mllp={"ack_write_timeout": timedelta(seconds=9)}, strict=strict)
    peer.hear(enclose(adt()))

    peer.listener.pauseProducing()
    assert peer.wire.producerState == "paused"
    peer.clock.advance(9)

    assert peer.closed
    assert peer.notes["ack_write_timeout"] == 1


def test_E26_messages_of_one_peer_never_pile_up(strict):
    peer = Peer(at_once=False, strict=strict)

    peer.hear(b"".join(enclose(adt(f"M{number}")) for number in range(MAX_WAITING + 2)))

    assert peer.wire.producerState == "paused"


def test_E27_one_connection_too_many_is_refused_and_counted(strict):
    peer = Peer(mllp={"max_connections": 2}, strict=strict)
    peer.connect_another()

    refused = peer.connect_another()

    assert refused is None
    assert peer.notes["connection_refused"] == 1
    peer.lose()
    assert peer.connect_another() is not None


def test_E27_descriptors_are_kept_back_for_the_store(strict):
    peer = Peer(places=1, strict=strict)

    assert peer.connect_another() is None


@pytest.mark.parametrize("block", [b"\x06", b"\x15"])
def test_E29_a_commit_block_on_a_listener_is_no_message(block, strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(block) + enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journalled == [adt()]


def test_E29_release_2_commits_only_after_the_journal_has(strict):
    peer = Peer(strict=strict, mllp={"mode": "r2"}, at_once=False)
    peer.hear(enclose(adt()))
    assert peer.sent == b""

    peer.journal.commit(0)

    assert peer.sent.startswith(enclose(b"\x06"))
    assert codes(peer.sent) == [("AA", "M1")]


def test_E29_release_2_says_so_when_it_could_not_store(strict):
    peer = Peer(strict=strict, mllp={"mode": "r2"}, at_once=False)
    peer.hear(enclose(adt()))

    peer.journal.fail(0, JournalError("disk full"))

    assert peer.sent == enclose(b"\x15")


def test_E31_tls_on_a_plain_port_is_closed_at_once(strict):
    peer = Peer(strict=strict)

    peer.hear(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")

    assert peer.closed
    assert peer.notes["not_mllp_tls"] == 1


@pytest.mark.parametrize("jump", [timedelta(hours=1), -timedelta(hours=1)])
def test_E32_a_jump_of_the_clock_neither_closes_nor_keeps_a_connection(jump, strict):
    walls = iter([NOON, NOON + jump, NOON + 2 * jump])
    peer = Peer(strict=strict, mllp={"idle_timeout": timedelta(seconds=90)})
    peer.factory._intake.now = lambda: next(walls)

    peer.hear(enclose(adt()))
    peer.clock.advance(89)
    assert not peer.closed
    peer.clock.advance(1)

    assert peer.closed


@pytest.mark.parametrize("jump", [timedelta(hours=1), -timedelta(hours=1)])
def test_E32_messages_keep_their_order_when_the_clock_jumps(jump, strict, tmp_path):
    store = empty_database("sqlite", tmp_path)
    times = [NOON, NOON + jump, NOON + jump, NOON]
    for number, received_at in enumerate(times):
        accept(store, arrival(f"M{number}", received_at=received_at))

    assert [each.row.control_id for each in claim(store)] == ["M0", "M1", "M2", "M3"]


@pytest.mark.parametrize("jump", [timedelta(hours=1), -timedelta(hours=1)])
def test_E32_a_duplicate_is_known_after_the_clock_jumped(jump, strict, tmp_path):
    peer = Peer(strict=strict, store=empty_database("sqlite", tmp_path))
    peer.hear(enclose(adt()))
    peer.factory._intake.now = lambda: NOON + jump

    peer.hear(enclose(adt()))

    assert codes(peer.sent) == [("AA", "M1")] * 2
    assert peer.notes["duplicates_suppressed"] == 1


def test_E25_a_message_whose_first_try_was_cut_off_is_taken_when_it_comes_whole(strict):
    peer = Peer(strict=strict, duplicate={"new_content": "reject"})
    peer.hear(enclose(adt())[:-2])
    peer.lose()

    again = Wire()
    peer.connect_another(again).dataReceived(enclose(adt()))

    assert codes(again.value()) == [("AA", "M1")]
