"""MllpListener: no socket, no clock, no waiting."""

from collections import defaultdict

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from engine.channels.accept import Reply, Then
from engine.channels.sources.mllp import MAX_WAITING, Limits, MllpListener
from engine.channels.verdict import TooLong
from engine.hl7.framing import Block, Fragment, Junk, enclose
from tests.fakes import Notes, Wire

FIRST, SECOND = Block(b"MSH|1"), Block(b"MSH|2")


class Desk:
    """Accepts what it is given; answers when the test says so."""

    def __init__(self):
        self.accepted = []
        self.replies = defaultdict(Deferred)

    def accept(self, event):
        self.accepted.append(event)
        return self.replies[event]

    def answer(self, event, acknowledgment=None, then=Then.KEEP, *, kept=True):
        self.replies[event].callback(Reply(acknowledgment, then, kept))


class Connected:
    """A listener with a wire, a desk, a clock and notes around it."""

    def __init__(self, *chunks, **limits):
        self.desk, self.wire, self.clock, self.notes = Desk(), Wire(), Clock(), Notes()
        self.listener = MllpListener(
            self.desk.accept, Limits(**limits), self.clock, self.notes
        )
        self.listener.makeConnection(self.wire)
        for chunk in chunks:
            self.listener.dataReceived(chunk)

    @property
    def sent(self):
        return self.wire.value()

    def lose(self):
        self.listener.connectionLost(Failure(ConnectionDone()))


def connect(*messages, **limits):
    return Connected(b"".join(map(enclose, messages)), **limits)


def test_no_acknowledgment_leaves_before_the_journal_has_committed():
    peer = connect(b"MSH|1")
    assert peer.sent == b""

    peer.desk.answer(FIRST, b"MSA|AA")

    assert peer.sent == enclose(b"MSA|AA")


def test_messages_are_accepted_one_at_a_time_and_in_order():
    peer = connect(b"MSH|1", b"MSH|2")
    assert peer.desk.accepted == [FIRST]

    peer.desk.answer(FIRST, b"ACK 1")
    peer.desk.answer(SECOND, b"ACK 2")

    assert peer.sent == enclose(b"ACK 1") + enclose(b"ACK 2")


def test_nothing_is_accepted_after_a_failure():
    peer = connect(b"MSH|1", b"MSH|2")

    peer.desk.replies[FIRST].errback(ValueError("a defect"))

    assert (peer.desk.accepted, peer.sent) == ([FIRST], b"")
    assert peer.wire.disconnecting


def test_a_message_that_is_not_on_disk_stops_the_reading_then_the_connection():
    peer = connect(b"MSH|1", b"MSH|2", storage_failure_close=5)

    peer.desk.answer(FIRST, then=Then.FREEZE, kept=False)

    assert (peer.desk.accepted, peer.sent) == ([FIRST], b"")
    assert peer.wire.producerState == "paused"
    peer.clock.advance(4.9)
    assert not peer.wire.disconnecting
    peer.clock.advance(0.1)
    assert peer.wire.disconnecting


def test_reading_stops_while_too_many_messages_wait_and_goes_on_after():
    peer = connect(*[b"MSH"] * (MAX_WAITING + 2))
    assert peer.wire.producerState == "paused"

    peer.desk.answer(Block(b"MSH"), b"ACK")

    assert peer.wire.producerState == "producing"
    assert peer.sent == enclose(b"ACK") * (MAX_WAITING + 2)


def test_reading_stops_while_large_messages_wait():
    large = b"MSH" + b"x" * 600_000
    peer = connect(large, large, large)

    assert peer.wire.producerState == "paused"


def test_a_peer_that_reads_no_answers_is_not_read_and_then_aborted():
    peer = connect(answer_write_timeout=30)

    peer.listener.pauseProducing()
    assert peer.wire.producerState == "paused"
    peer.clock.advance(30)

    assert peer.wire.disconnecting
    assert peer.notes == {"ack_write_timeout": 1}


def test_a_peer_that_reads_its_answers_again_is_read_again():
    peer = connect(answer_write_timeout=30)
    peer.listener.pauseProducing()

    peer.listener.resumeProducing()
    peer.clock.advance(30)

    assert peer.wire.producerState == "producing"
    assert not peer.wire.disconnecting


def test_an_answer_that_cannot_be_delivered_is_noted():
    peer = connect(b"MSH|1")
    peer.lose()

    peer.desk.answer(FIRST, b"ACK")

    assert (peer.sent, peer.notes) == (b"", {"ack_undelivered": 1})


def test_what_was_read_before_the_connection_broke_is_still_accepted():
    peer = connect(b"MSH|1", b"MSH|2")
    peer.listener.dataReceived(b"\x0bMSH|3")

    peer.lose()
    peer.desk.answer(FIRST, b"ACK")
    peer.desk.answer(SECOND, b"ACK")

    assert peer.desk.accepted == [FIRST, SECOND, Fragment(b"MSH|3")]


def test_no_timer_survives_the_connection():
    peer = Connected(b"\x0bMSH|1", idle_timeout=5.0)

    peer.lose()

    assert peer.clock.getDelayedCalls() == []


def test_an_idle_peer_is_closed_only_where_the_channel_says_so():
    patient, strict = connect(b"MSH|1"), connect(b"MSH|1", idle_timeout=10.0)
    patient.desk.answer(FIRST, b"ACK")
    strict.desk.answer(FIRST, b"ACK")

    for _ in range(11):
        patient.clock.advance(1)
        strict.clock.advance(1)

    assert not patient.wire.disconnecting
    assert strict.wire.disconnecting


def test_commit_blocks_answer_where_the_link_speaks_release_2():
    peer = connect(b"MSH|1", b"MSH|2", commit_blocks=True)

    peer.desk.answer(FIRST, b"ACK")
    peer.desk.answer(SECOND, then=Then.FREEZE, kept=False)

    assert peer.sent == b"\x0b\x06\x1c\r" + enclose(b"ACK") + b"\x0b\x15\x1c\r"


def test_a_refused_peer_has_time_to_read_its_answer():
    peer = connect(b"MSH|1", b"MSH|2")

    peer.desk.answer(FIRST, b"NAK", Then.CLOSE)
    peer.listener.dataReceived(enclose(b"MSH|3"))

    assert (peer.desk.accepted, peer.sent) == ([FIRST], enclose(b"NAK"))
    assert not peer.wire.disconnecting
    peer.clock.advance(5)
    assert peer.wire.disconnecting


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"\x16\x03\x01\x02\x00", "tls"),
        (b"GET / HTTP/1.1\r\n", "http"),
        (b"SSH-2.0-x", "ssh"),
        (b"MSH|^~\\&", "hl7_without_start_block"),
        (b"\x00" * 9, "unknown"),
    ],
)
def test_a_stream_that_is_not_mllp_is_named_and_closed(start, word):
    peer = Connected(start + b"x" * 50, max_junk=40)

    assert peer.notes == {f"not_mllp_{word}": 1}
    assert peer.wire.disconnecting


def test_a_message_that_is_too_long_is_given_up_with_its_start():
    peer = Connected(b"\x0bMSH|1\r" + b"x" * 40, max_bytes=20)

    [event] = peer.desk.accepted
    assert isinstance(event, TooLong)
    assert event.head.startswith(b"MSH|1\r")


def test_junk_is_offered_for_counting_and_the_connection_stays():
    peer = Connected(b"\r\n", enclose(b"MSH|1"))

    peer.desk.answer(Junk(b"\r\n"), kept=None)

    assert peer.desk.accepted == [Junk(b"\r\n"), FIRST]
    assert not peer.wire.disconnecting
