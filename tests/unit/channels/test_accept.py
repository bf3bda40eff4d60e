"""Conversation: the accept loop between a judged event and its answer."""

from collections import Counter
from datetime import timedelta

from twisted.internet.defer import Deferred

from engine.channels.accept import Conversation, Reply, Then
from engine.channels.arriving import Intake
from engine.channels.awaiting import Ended
from engine.channels.clock import Ulids
from engine.channels.format.channel import Channel, Duplicates, Hl7Options, Source
from engine.channels.format.endpoints import MllpSource
from engine.errors import JournalError
from engine.hl7.acknowledgment import parse_acknowledgment
from engine.hl7.framing import Block
from engine.store.words import Verdict
from tests.fakes import NOON, FakeJournal, Notes


def msh(control_id="M1", *, time="2030", tail="|||", body="PID|1"):
    head = f"MSH|^~\\&|REG|GEN|||{time}||ADT^A01|{control_id}|P|2.5.1{tail}"
    return f"{head}\r{body}\r".encode()


def channel(*, duplicate=None, mllp=None, **hl7):
    return Channel(
        name="adt",
        source=Source(
            mllp=MllpSource(port=2575, **(mllp or {})),
            hl7=Hl7Options(**hl7),
            duplicate=Duplicates(**(duplicate or {})),
        ),
    )


class Desk:
    """A conversation with a fake journal, and the replies it gave."""

    def __init__(self, journal=None, peer="10.0.0.1", **settings):
        self.journal, self.notes, self.replies = journal or FakeJournal(), Notes(), []
        self.said: list[bytes] = []
        self.intake = Intake(
            channel(**settings),
            "adt:2575",
            self.journal,
            now=lambda: NOON,
            new_control_id=Ulids(lambda: NOON),
            note=self.notes,
        )
        self.conversation = Conversation(self.intake, peer)

    def hear(self, body):
        turn = Deferred.fromCoroutine(self.conversation.accept(Block(body)))
        turn.addCallback(self.replies.append)
        return self.replies[-1] if self.replies else None

    def answer(self, body):
        reply = self.hear(body)
        return parse_acknowledgment(reply.acknowledgment)


def test_the_answer_waits_for_the_commit():
    desk = Desk(FakeJournal(at_once=False))
    assert desk.hear(msh()) is None

    desk.journal.commit(0)

    assert parse_acknowledgment(desk.replies[0].acknowledgment).code == "AA"


def test_what_is_journalled_is_what_came():
    desk = Desk()

    desk.hear(msh())

    [arrival] = desk.journal.arrivals
    assert arrival.data == msh()
    assert (arrival.channel, arrival.peer) == ("adt", "10.0.0.1")
    assert (arrival.control_id, arrival.message_type) == ("M1", "ADT")
    assert (arrival.trigger_event, arrival.verdict) == ("A01", Verdict.ACCEPTED)


def test_a_refused_message_is_quarantined_with_its_cause():
    desk = Desk(types=("ORU",))

    answer = desk.answer(msh())

    [arrival] = desk.journal.arrivals
    assert (arrival.verdict, arrival.cause) == (Verdict.QUARANTINED, "message-type")
    assert (answer.code, answer.errors[0].code) == ("AR", "200")


def test_a_resend_is_answered_again_although_its_time_changed():
    desk = Desk()
    desk.hear(msh())

    answer = desk.answer(msh(time="2031"))

    assert (answer.code, answer.control_id) == ("AA", "M1")
    assert desk.notes["duplicates_suppressed"] == 1


def test_the_same_control_id_with_other_content_is_another_message():
    desk = Desk()
    desk.hear(msh())

    desk.hear(msh(body="PID|2"))

    hashes = [arrival.content_hash for arrival in desk.journal.arrivals]
    keys = [arrival.dedupe_key for arrival in desk.journal.arrivals]
    assert hashes[0] != hashes[1]
    assert keys[0] == keys[1]


def test_the_same_control_id_from_another_peer_is_another_message():
    here, there = Desk(peer="10.0.0.1"), Desk(peer="10.0.0.2")
    here.hear(msh())
    there.hear(msh())

    assert here.journal.arrivals[0].dedupe_key != there.journal.arrivals[0].dedupe_key


def test_a_channel_may_take_resends_as_new():
    desk = Desk(duplicate={"same_content": "accept"})

    desk.hear(msh())

    assert desk.journal.arrivals[0].dedupe_key == ""


def test_a_storage_failure_is_silence_in_original_mode():
    desk = Desk(FakeJournal(at_once=False))
    desk.hear(msh())

    desk.journal.fail(0, JournalError("disk full"))

    assert desk.replies == [Reply(None, Then.FREEZE, kept=False)]


def test_a_storage_failure_is_ce_in_enhanced_mode():
    desk = Desk(FakeJournal(at_once=False))
    desk.hear(msh(tail="|||AL|NE"))

    desk.journal.fail(0, JournalError("disk full"))

    [reply] = desk.replies
    answer = parse_acknowledgment(reply.acknowledgment)
    assert (answer.code, answer.errors[0].code) == ("CE", "207")
    assert (reply.then, reply.kept) == (Then.FREEZE, False)


def test_a_channel_may_choose_to_answer_storage_failures():
    desk = Desk(FakeJournal(at_once=False), mllp={"on_storage_failure": "nak"})
    desk.hear(msh())

    desk.journal.fail(0, JournalError("disk full"))

    assert parse_acknowledgment(desk.replies[0].acknowledgment).code == "AR"


def test_ten_unreadable_messages_in_a_row_close_the_connection():
    desk = Desk()

    for _ in range(9):
        assert desk.hear(b"no header").then is Then.KEEP
    desk.hear(msh())
    assert desk.hear(b"no header").then is Then.KEEP
    for _ in range(9):
        desk.hear(b"no header")

    assert desk.replies[-1].then is Then.CLOSE


class KnownEnd:
    """Tells how every message ended, when the test says so."""

    def __init__(self):
        self.asked = []

    def wait(self, message_id, seconds, *, delivered):
        self.asked.append((message_id, seconds, delivered))
        end: Deferred[Ended | None] = Deferred()
        self.end = end
        return end


def patient(ack="processed", **mllp):
    desk = Desk(mllp={"ack": ack, **mllp})
    desk.intake.outcomes = KnownEnd()
    desk.conversation.speak = desk.said.append
    return desk


def test_processed_answers_when_the_message_has_been_processed():
    desk = patient()
    assert desk.hear(msh()) is None

    desk.intake.outcomes.end.callback(Ended(good=True))

    assert parse_acknowledgment(desk.replies[0].acknowledgment).code == "AA"
    assert desk.intake.outcomes.asked == [(1, 20.0, False)]


def test_delivered_waits_for_every_destination():
    desk = patient("delivered", ack_wait=timedelta(seconds=3))

    desk.hear(msh())

    assert desk.intake.outcomes.asked == [(1, 3.0, True)]


def test_a_message_that_failed_is_answered_with_its_reason():
    desk = patient()
    desk.hear(msh())

    desk.intake.outcomes.end.callback(Ended(good=False, reason="no row for code"))

    answer = parse_acknowledgment(desk.replies[0].acknowledgment)
    assert (answer.code, answer.errors[0].code) == ("AE", "207")
    assert answer.errors[0].text == "no row for code"


def test_a_message_without_an_outcome_in_time_is_ae_and_stays_accepted():
    desk = patient()
    desk.hear(msh())

    desk.intake.outcomes.end.callback(None)

    assert parse_acknowledgment(desk.replies[0].acknowledgment).code == "AE"
    assert desk.journal.arrivals[0].verdict is Verdict.ACCEPTED


def test_in_enhanced_mode_ca_comes_at_once_and_the_application_answer_later():
    desk = patient()

    answer = desk.answer(msh(tail="|||AL|AL"))
    assert (answer.code, desk.said) == ("CA", [])
    desk.intake.outcomes.end.callback(Ended(good=True))

    assert [parse_acknowledgment(later).code for later in desk.said] == ["AA"]


def test_an_application_answer_nobody_asked_for_is_not_sent():
    desk = patient()
    desk.hear(msh(tail="|||AL|ER"))

    desk.intake.outcomes.end.callback(Ended(good=True))

    assert desk.said == []


def test_an_acknowledgment_that_comes_by_itself_is_shown_to_the_senders():
    desk, shown = Desk(), Counter[bytes]()
    desk.intake.unsolicited = lambda answer: bool(shown.update([answer]))
    ack = msh().replace(b"ADT^A01", b"ACK^A01")

    reply = desk.hear(ack)

    assert (reply.acknowledgment, shown) == (None, {ack: 1})
    assert desk.journal.arrivals == []
