"""protocol.md 3.2, 3.3 and 4: how what was heard is answered.

The real deframer, decision table and accept loop, with a journal in memory.
"""

import re
from datetime import timedelta

import pytest

from engine.errors import JournalError
from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.listening import Peer, adt, answers, codes

both = pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])


def heard(body, *, strict=False, **options):
    """Return a peer that has sent one block."""
    peer = Peer(strict=strict, **options)
    peer.hear(enclose(body))
    return peer


def fault(peer):
    """ERR-3 and ERR-2 of the first answer."""
    err = answers(peer.sent)[0].split(b"\rERR|", 1)[1].split(b"|")
    return err[2].split(b"^")[0].decode(), err[1].decode()


def header(peer):
    """MSH of the first answer, as a list in which MSH-n stands at n - 1."""
    msh = answers(peer.sent)[0].split(b"\r", 1)[0]
    return ["|", *msh.decode().split("|")[1:]]


# ---- 3.2 MSH, delimiters


def test_E33_line_feeds_for_terminators_are_taken_and_flagged():
    body = adt().replace(b"\r", b"\n")

    peer = heard(body)

    assert codes(peer.sent) == [("AA", "M1")]
    assert "line_feed" in peer.journal.arrivals[0].findings
    assert peer.journalled == [body]


def test_E33_a_strict_channel_refuses_them():
    peer = heard(adt().replace(b"\r", b"\n"), strict=True)

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer)[0] == "100"


@both
@pytest.mark.parametrize("tail", [b"\r", b"\r\r", b""])
def test_E34_blank_segments_and_a_missing_last_cr_are_taken(tail, strict):
    body = adt().rstrip(b"\r") + tail

    assert codes(heard(body, strict=strict).sent) == [("AA", "M1")]


@both
def test_E35_the_answer_is_written_in_the_senders_delimiters(strict):
    body = adt().replace(b"|", b"$").replace(b"^", b"%")

    [answer] = answers(heard(body, strict=strict).sent)

    assert answer.startswith(b"MSH$%~\\&$")
    assert b"ACK%A01%ACK" in answer
    assert b"\rMSA$AA$M1\r" in answer


@both
@pytest.mark.parametrize("encoding", ["^", "^~", "^~&"])
def test_E36_only_the_given_delimiters_exist(encoding, strict):
    [answer] = answers(heard(adt(encoding=encoding), strict=strict).sent)

    assert answer.startswith(f"MSH|{encoding}|".encode())


@both
@pytest.mark.parametrize("encoding", ["^^\\&", "A~\\&", "1~\\&"])
def test_E38_delimiters_that_cannot_be_are_refused(encoding, strict):
    peer = heard(adt(encoding=encoding), strict=strict)

    assert codes(peer.sent)[0][0] == "AR"
    assert fault(peer)[0] == "199"


@both
def test_E39_a_delimiter_outside_ascii_is_refused(strict):
    peer = heard(adt(encoding="§~\\&"), strict=strict)

    assert codes(peer.sent)[0][0] == "AR"
    assert fault(peer)[0] == "199"


@both
@pytest.mark.parametrize("body", [b"MSH", b"MSH|", b"MSH|^~\\&"])
def test_E40_a_header_that_ends_too_early_is_refused_without_a_name(body, strict):
    peer = heard(body, strict=strict)

    assert codes(peer.sent) == [("AR", "")]
    assert fault(peer) == ("101", "MSH^1^9")
    assert peer.verdicts == [Verdict.QUARANTINED]


@both
def test_E41_every_component_of_sender_and_receiver_is_swapped(strict):
    body = adt(f3="REG^1.2.3^ISO", f4="GEN", f5="ENG^9.8^ISO", f6="^^")

    msh = header(heard(body, strict=strict))

    assert msh[2:6] == ["ENG^9.8^ISO", "^^", "REG^1.2.3^ISO", "GEN"]


@both
def test_E42_a_message_without_a_control_id_is_refused_and_none_is_invented(strict):
    peer = heard(adt(""), strict=strict)

    assert codes(peer.sent) == [("AR", "")]
    assert fault(peer) == ("101", "MSH^1^10")
    assert peer.verdicts == [Verdict.QUARANTINED]


def test_E42_a_channel_may_take_it_and_still_invents_nothing():
    peer = heard(adt(""), hl7={"accept_without_control_id": True})

    assert codes(peer.sent) == [("AA", "")]
    assert peer.journal.arrivals[0].dedupe_key == ""


@both
@pytest.mark.parametrize(
    "name", ["1", "A" * 20, "B" * 199, "C" * 500, "a\\T\\b", "x\\S\\"]
)
def test_E43_the_control_id_is_echoed_byte_for_byte(name, strict):
    assert codes(heard(adt(name), strict=strict).sent) == [("AA", name)]


@both
@pytest.mark.parametrize("kind", ["ADT", "ADT^A01", "ADT^A01^ADT_A01"])
def test_E44_every_form_of_the_message_type_is_taken(kind, strict):
    assert codes(heard(adt(f9=kind), strict=strict).sent) == [("AA", "M1")]


@both
def test_E44_an_acknowledgment_is_never_acknowledged(strict):
    peer = heard(adt(f9="ACK^A01^ACK", f15="AL"), strict=strict)

    assert peer.sent == b""
    assert peer.notes["unsolicited_ack"] > 0


def test_E44_unless_the_link_agreed_on_it_and_it_asks():
    peer = Peer(mllp={"acknowledge_application_acks": True})

    peer.hear(enclose(adt(f9="ACK^A01^ACK", f15="AL")))
    peer.hear(enclose(adt("M2", f9="ACK^A01^ACK")))

    assert codes(peer.sent) == [("CA", "M1")]


@both
@pytest.mark.parametrize(("kind", "code"), [("ORU^R01", "200"), ("ADT^A08", "201")])
def test_E45_a_type_or_event_that_is_not_taken_is_refused(kind, code, strict):
    taken = {"types": ("ADT^A01", "SIU")}

    original = heard(adt(f9=kind), strict=strict, hl7=taken)
    enhanced = heard(adt(f9=kind, f15="AL"), strict=strict, hl7=taken)

    assert codes(original.sent) == [("AR", "M1")]
    assert codes(enhanced.sent) == [("CR", "M1")]
    assert fault(original)[0] == code


@both
@pytest.mark.parametrize("processing_id", ["T", "D"])
def test_E46_test_messages_never_pass_a_production_channel(processing_id, strict):
    peer = heard(adt(f11=processing_id), strict=strict)

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer) == ("202", "MSH^1^11")
    assert peer.verdicts == [Verdict.QUARANTINED]


@pytest.mark.parametrize(
    "version", ["2.1", "2.3.1", "2.5.1", "2.9", "2.3.1^AUS", "", "2.99"]
)
def test_E47_every_version_is_taken(version):
    assert codes(heard(adt(f12=version)).sent) == [("AA", "M1")]


def test_E47_an_unknown_version_is_flagged_or_refused():
    lenient, strict = heard(adt(f12="2.99")), heard(adt(f12="2.99"), strict=True)

    assert lenient.journal.arrivals[0].findings == ("version_unknown",)
    assert codes(strict.sent) == [("AR", "M1")]
    assert fault(strict)[0] == "203"


@both
def test_E48_the_answers_own_header(strict):
    peer = Peer(strict=strict)
    body = adt(f18="UNICODE UTF-8")
    peer.hear(enclose(body))
    peer.hear(enclose(adt("M2")))

    msh = header(peer)
    names = [answer.split(b"|")[9] for answer in answers(peer.sent)]

    assert msh[8] == "ACK^A01^ACK"
    assert (msh[10], msh[11], msh[17]) == ("P", "2.5.1", "UNICODE UTF-8")
    assert msh[6].startswith("20300101120000")
    assert len(set(names)) == 2
    assert all(re.fullmatch(rb"[0-9A-HJKMNP-TV-Z]{26}", name) for name in names)


@both
def test_E48_before_2_4_the_type_is_plain_ack(strict):
    assert header(heard(adt(f12="2.3"), strict=strict))[8] == "ACK"


# ---- 3.3 duplicates


@both
def test_E64_the_same_message_again_gets_the_same_answer_and_nothing_new(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) * 3)

    assert codes(peer.sent) == [("AA", "M1")] * 3
    assert peer.notes["duplicates_suppressed"] == 2


@both
def test_E64_the_same_refused_message_gets_its_refusal_again(strict):
    peer = Peer(strict=strict, hl7={"types": ("ORU",)})

    peer.hear(enclose(adt()) * 2)

    assert codes(peer.sent) == [("AR", "M1")] * 2


@both
def test_E65_the_same_control_id_with_other_content_is_taken_as_new(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) + enclose(adt(body="PID|2\r")))

    assert codes(peer.sent) == [("AA", "M1")] * 2
    assert peer.notes["duplicates_suppressed"] == 0


def test_E65_a_channel_may_have_it_refused_by_the_journal():
    peer = heard(adt(), duplicate={"new_content": "reject"})

    assert peer.journal.arrivals[0].reuse_code == "AE"


@both
def test_E66_another_time_or_sequence_number_is_still_the_same_message(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt()) + enclose(adt(f7="2031", f13="8")))

    assert peer.notes["duplicates_suppressed"] == 1


@both
def test_E67_the_same_message_from_another_peer_is_another_message(strict):
    peer = Peer(strict=strict)
    peer.hear(enclose(adt()))

    other = peer.connect_another(host="10.0.0.2")
    other.dataReceived(enclose(adt()))

    first, second = peer.journal.arrivals
    assert first.dedupe_key != second.dedupe_key
    assert peer.notes["duplicates_suppressed"] == 0


def test_E77_several_messages_in_one_block_are_refused_together():
    peer = heard(adt() + adt("M2"))

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer)[0] == "100"
    assert peer.journalled == [adt() + adt("M2")]


# ---- 4, the table


@both
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


@both
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


def test_section_4_how_long_a_peer_is_kept_waiting_then_is_a_knob():
    seconds = timedelta(seconds=2)
    peer = Peer(at_once=False, mllp={"storage_failure_close": seconds})
    peer.hear(enclose(adt()))
    peer.journal.fail(0, JournalError("disk full"))

    peer.clock.advance(2)

    assert peer.closed


@both
def test_section_4_ten_unreadable_messages_in_a_row_end_the_conversation(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(b"no header") * 12)

    assert codes(peer.sent) == [("AR", "")] * 10
    peer.clock.advance(5)
    assert peer.closed


@both
def test_section_4_a_peer_that_is_not_allowed_hears_nothing(strict):
    peer = Peer(strict=strict, mllp={"allow": ("10.0.0.0/24", "192.168.7.7")})

    assert peer.connect_another(host="10.0.1.1") is None
    assert peer.connect_another(host="192.168.7.7") is not None
    assert peer.notes["peer_refused"] == 1


@both
def test_section_4_an_untrusted_sender_is_refused(strict):
    peer = heard(adt(f3="EVIL"), strict=strict, hl7={"trusted": ("REG/GEN",)})

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer)[0] == "199"
