"""protocol.md 3.3 and 4: duplicates, and how what was heard is answered.

The real deframer, decision table and accept loop, with a journal in memory.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.channels.awaiting import Ended
from engine.errors import JournalError
from engine.hl7.framing import enclose
from engine.store import error_queue
from engine.store.words import Verdict
from tests.databases import empty_database
from tests.listening import ADMISSION, KnownEnd, Peer, adt, codes, fault, heard
from tests.processing import lines, process, states
from tests.stored import ask

# ---- 3.3 duplicates


def test_E64_the_same_message_again_gets_the_same_answer_and_nothing_new(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) * 3)

    assert codes(peer.sent) == [("AA", "M1")] * 3
    assert peer.notes["duplicates_suppressed"] == 2


def test_E64_the_same_refused_message_gets_its_refusal_again(strict):
    peer = Peer(strict=strict, hl7={"types": ("ORU",)})

    peer.hear(enclose(adt()) * 2)

    assert codes(peer.sent) == [("AR", "M1")] * 2


def test_E65_the_same_control_id_with_other_content_is_taken_as_new(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) + enclose(adt(body="PID|2\r")))

    assert codes(peer.sent) == [("AA", "M1")] * 2
    assert peer.notes["duplicates_suppressed"] == 0


def test_E65_a_channel_may_have_it_refused_by_the_journal(strict):
    peer = heard(adt(), strict=strict, duplicate={"new_content": "reject"})

    assert peer.journal.arrivals[0].reuse_code == "AE"


def test_E66_another_time_or_sequence_number_is_still_the_same_message(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) + enclose(adt(f7="2031", f13="8")))

    assert peer.notes["duplicates_suppressed"] == 1


def test_E67_the_same_message_from_another_peer_is_another_message(strict):
    peer = Peer(strict=strict)
    peer.hear(enclose(adt()))

    other = peer.connect_another(host="10.0.0.2")
    other.dataReceived(enclose(adt()))

    first, second = peer.journal.arrivals
    assert first.dedupe_key != second.dedupe_key
    assert peer.notes["duplicates_suppressed"] == 0


def test_E77_several_messages_in_one_block_are_refused_together(strict):
    peer = heard(adt() + adt("M2"), strict=strict)

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer)[0] == "100"
    assert peer.journalled == [adt() + adt("M2")]


def test_E77_a_channel_may_split_them_and_answers_each(strict):
    several = adt() + adt("M2", f11="T") + adt("M3")

    peer = heard(several, strict=strict, hl7={"split_multi_msh": True})

    assert codes(peer.sent) == [("AA", "M1"), ("AR", "M2"), ("AA", "M3")]
    assert peer.journalled == [adt(), adt("M2", f11="T"), adt("M3")]


def test_E77_what_was_split_off_is_not_answered_when_it_could_not_be_stored(strict):
    split = {"split_multi_msh": True}
    peer = Peer(strict=strict, at_once=False, hl7=split)
    peer.hear(enclose(adt() + adt("M2") + adt("M3")))

    peer.journal.commit(0)
    peer.journal.fail(1, JournalError("disk full"))

    assert codes(peer.sent) == [("AA", "M1")]
    assert len(peer.journal.arrivals) == 2
    assert peer.wire.producerState == "paused"


def test_E77_an_unfinished_last_one_is_the_only_one_flagged(strict):
    peer = Peer(strict=strict, hl7={"split_multi_msh": True})

    peer.hear(enclose(adt() + adt("M2"))[:-1] + enclose(adt("M4")))

    [first, second, third] = peer.journal.arrivals
    assert (first.findings, third.findings) == ((), ())
    assert second.findings == ("missing_cr",)
    refused = ("AR", "M2") if strict else ("AA", "M2")
    assert codes(peer.sent) == [("AA", "M1"), refused, ("AA", "M4")]


# ---- 4, the table


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "AA"),
        ({"f15": "AL", "f16": "NE"}, "CA"),
        ({"f15": "NE", "f16": "AL"}, "AA"),
        ({"f15": "ER", "f16": "NE"}, ""),
        ({"f15": "NE", "f16": "NE"}, ""),
    ],
)
def test_section_4_a_stored_message_is_answered_as_asked_and_stored_anyway(
    asked, code, strict
):
    peer = heard(adt(**asked), strict=strict)

    assert codes(peer.sent) == ([(code, "M1")] if code else [])
    assert peer.verdicts == [Verdict.ACCEPTED]


@pytest.mark.parametrize(("asked", "sent"), [({}, []), ({"f15": "AL"}, [("CE", "M1")])])
def test_section_4_nothing_is_promised_when_the_journal_cannot_commit(
    asked, sent, strict
):
    peer = Peer(strict=strict, at_once=False)
    peer.hear(enclose(adt(**asked)) + enclose(adt("M2")))

    peer.journal.fail(0, JournalError("disk full"))

    assert codes(peer.sent) == sent
    assert len(peer.journal.arrivals) == 1
    assert peer.wire.producerState == "paused"
    peer.clock.advance(5)
    assert peer.closed


def test_section_4_how_long_a_peer_is_kept_waiting_then_is_a_knob(strict):
    seconds = timedelta(seconds=2)
    peer = Peer(strict=strict, at_once=False, mllp={"storage_failure_close": seconds})
    peer.hear(enclose(adt()))
    peer.journal.fail(0, JournalError("disk full"))

    peer.clock.advance(2)

    assert peer.closed


def test_section_4_ten_unreadable_messages_in_a_row_end_the_conversation(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(b"no header") * 12)

    assert codes(peer.sent) == [("AR", "")] * 10
    peer.clock.advance(5)
    assert peer.closed


def test_section_4_a_peer_that_is_not_allowed_hears_nothing(strict):
    peer = Peer(strict=strict, mllp={"allow": ("10.0.0.0/24", "192.168.7.7")})

    assert peer.connect_another(host="10.0.1.1") is None
    assert peer.connect_another(host="192.168.7.7") is not None
    assert peer.notes["peer_refused"] == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"f3": "EVIL"}, "199"),
        ({"f11": "T"}, "202"),
        ({"f9": "ORU^R01"}, "200"),
    ],
)
def test_section_4_what_is_not_taken_here_is_refused_and_kept(message, code, strict):
    taken = {"trusted": ("REG/GEN",), "types": ("ADT",)}

    original = heard(adt(**message), strict=strict, hl7=taken)
    enhanced = heard(adt(f15="AL", **message), strict=strict, hl7=taken)

    assert codes(original.sent) == [("AR", "M1")]
    assert codes(enhanced.sent) == [("CR", "M1")]
    assert fault(original)[0] == fault(enhanced)[0] == code
    assert original.verdicts == enhanced.verdicts == [Verdict.QUARANTINED]
    assert not original.closed


def test_section_4_a_trusted_sender_is_taken(strict):
    assert codes(heard(adt(), strict=strict, hl7={"trusted": ("REG/GEN",)}).sent) == [
        ("AA", "M1")
    ]


def test_section_4_an_unknown_version_is_refused_in_both_modes_when_strict():
    assert codes(heard(adt(f12="2.99", f15="AL"), strict=True).sent) == [("CR", "M1")]
    assert codes(heard(adt(f12="2.99"), strict=True).sent) == [("AR", "M1")]


@pytest.mark.parametrize(("asked", "code"), [({}, "AR"), ({"f15": "AL"}, "CE")])
def test_section_4_broken_syntax_under_a_readable_name_is_refused(asked, code, strict):
    peer = heard(adt(**asked) + adt("M2"), strict=strict)

    assert codes(peer.sent) == [(code, "M1")]
    assert fault(peer)[0] in {"100", "199"}
    assert peer.verdicts == [Verdict.QUARANTINED]
    assert not peer.closed


@pytest.mark.parametrize(("asked", "code"), [({}, "AR"), ({"f15": "AL"}, "CE")])
def test_section_4_what_is_too_large_is_refused_by_name_and_the_peer_drained(
    asked, code, strict
):
    peer = Peer(strict=strict, mllp={"max_size": 500})

    peer.hear(b"\x0b" + adt(**asked) + b"OBX|" + b"x" * 600)
    peer.hear(b"x" * 600)

    assert codes(peer.sent) == [(code, "M1")]
    assert fault(peer)[0] == "104"
    assert peer.journalled == [adt(**asked).split(b"PID")[0]]
    assert not peer.closed
    peer.clock.advance(5)
    assert peer.closed


@pytest.mark.parametrize(
    ("choice", "asked", "sent"),
    [
        ("nak", {}, [("AR", "M1")]),
        ("nak", {"f15": "AL"}, [("CE", "M1")]),
        ("silent", {}, []),
        ("silent", {"f15": "AL"}, []),
    ],
)
def test_section_4_what_is_said_of_a_storage_failure_is_a_knob(
    choice, asked, sent, strict
):
    knob = {"on_storage_failure": choice}
    peer = Peer(strict=strict, at_once=False, mllp=knob)
    peer.hear(enclose(adt(**asked)))

    peer.journal.fail(0, JournalError("disk full"))

    assert codes(peer.sent) == sent
    if sent:
        assert fault(peer)[0] == "207"
        assert b"|F|" in peer.sent
    peer.clock.advance(5)
    assert peer.closed


def test_section_4_a_channel_that_pauses_finishes_what_is_in_flight_and_refuses_nothing(
    strict,
):
    peer = Peer(strict=strict, at_once=False)
    peer.hear(enclose(adt()) + enclose(adt("M2")))

    peer.factory.hang_up()
    peer.hear(enclose(adt("LATE")))
    peer.journal.commit(0)
    assert not peer.closed
    peer.journal.commit(1)

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2")]
    assert len(peer.journal.arrivals) == 2
    assert peer.closed


def test_section_4_a_bug_of_ours_before_storing_says_nothing_and_closes(strict):
    peer = Peer(strict=strict, at_once=False)
    peer.hear(enclose(adt()) + enclose(adt("M2")))

    peer.journal.fail(0, ZeroDivisionError("a bug"))

    assert peer.sent == b""
    assert len(peer.journal.arrivals) == 1
    assert peer.closed


def test_section_4_a_bug_of_ours_after_storing_leaves_the_answer_and_is_in_the_queue(
    strict, tmp_path
):
    store = empty_database("sqlite", tmp_path)
    peer = heard(adt(body=ADMISSION), strict=strict, store=store)
    found = lines(tmp_path, strict=strict)
    feed = replace(found["adt"].feed, map_context=lambda _: 1 / 0)

    process(store, {"adt": replace(found["adt"], feed=feed)})

    assert codes(peer.sent) == [("AA", "M1")]
    [(state, reason)] = states(store)
    assert (state, "a defect in the engine" in reason) == ("error", True)
    [entry] = ask(store, error_queue.entries)
    assert (entry.message_id, entry.code) == (1, "defect")


@pytest.mark.parametrize("ack", ["processed", "delivered"])
@pytest.mark.parametrize(
    ("ended", "original", "later"),
    [
        (Ended(good=True), "AA", "AA"),
        (Ended(good=False, reason="no row"), "AE", "AE"),
        (None, "AE", "AE"),
    ],
)
def test_section_4_the_outcome_is_the_answer_where_the_sender_waits_for_it(
    ended, original, later, ack, strict
):
    for asked, said in [
        ({}, [original]),
        ({"f15": "AL", "f16": "AL"}, ["CA", later]),
        ({"f15": "AL", "f16": "ER"}, ["CA"] + [later] * (later == "AE")),
        ({"f15": "AL", "f16": "SU"}, ["CA"] + [later] * (later == "AA")),
    ]:
        peer = heard(
            adt(**asked), strict=strict, mllp={"ack": ack}, outcomes=KnownEnd(ended)
        )

        assert sorted(codes(peer.sent)) == sorted((code, "M1") for code in said)
        assert peer.verdicts == [Verdict.ACCEPTED]
        if "AE" in said:
            assert b"207^Application error" in peer.sent


def test_section_4_a_duplicate_after_an_ae_gets_the_outcome_now_known(strict):
    outcomes = KnownEnd()
    peer = heard(adt(), strict=strict, mllp={"ack": "delivered"}, outcomes=outcomes)
    assert codes(peer.sent) == [("AE", "M1")]

    outcomes.known = Ended(good=True)
    peer.hear(enclose(adt()))

    assert codes(peer.sent) == [("AE", "M1"), ("AA", "M1")]
    assert outcomes.asked == [(1, True), (1, True)]
    assert peer.notes["duplicates_suppressed"] == 1
