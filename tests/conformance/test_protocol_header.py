"""protocol.md 3.2, MSH: delimiters, names, types, versions, and the answer's own."""

import re

import pytest

from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.listening import Peer, adt, answers, codes, fault, header, heard


@pytest.mark.parametrize(
    "body",
    [
        adt().replace(b"\r", b"\n"),
        adt().replace(b"\r", b"\r\n"),
        adt(body="PID|1|\r\nPV1|1|\r"),
        adt(body="PID|1|\rNTE|1||two\nlines\r"),
    ],
    ids=["lf", "crlf", "mixed", "lf inside"],
)
def test_E33_line_feeds_for_terminators_are_flagged_or_refused(body, strict):
    peer = heard(body, strict=strict)

    assert codes(peer.sent) == [("AR" if strict else "AA", "M1")]
    assert "line_feed" in peer.journal.arrivals[0].findings
    assert peer.journalled == [body]
    assert not strict or fault(peer)[0] == "100"


@pytest.mark.parametrize("tail", [b"\r", b"\r\r", b""])
def test_E34_blank_segments_and_a_missing_last_cr_are_taken(tail, strict):
    body = adt().rstrip(b"\r") + tail

    assert codes(heard(body, strict=strict).sent) == [("AA", "M1")]


def test_E35_the_answer_is_written_in_the_senders_delimiters(strict):
    body = adt().replace(b"|", b"$").replace(b"^", b"%")

    [answer] = answers(heard(body, strict=strict).sent)

    assert answer.startswith(b"MSH$%~\\&$")
    assert b"ACK%A01%ACK" in answer
    assert b"\rMSA$AA$M1\r" in answer


@pytest.mark.parametrize("encoding", ["^", "^~", "^~&"])
def test_E36_only_the_given_delimiters_exist(encoding, strict):
    [answer] = answers(heard(adt(encoding=encoding), strict=strict).sent)

    assert answer.startswith(f"MSH|{encoding}|".encode())


@pytest.mark.parametrize("version", ["2.6", "2.7", "2.9"])
def test_E37_the_answer_repeats_the_truncation_character_where_it_exists(
    version, strict
):
    peer = heard(adt(encoding="^~\\&#", f12=version), strict=strict)

    encoding = "^~\\&" if version == "2.6" else "^~\\&#"
    assert header(peer)[1] == encoding
    assert codes(peer.sent) == [("AA", "M1")]


@pytest.mark.parametrize("encoding", ["^^\\&", "A~\\&", "1~\\&"])
def test_E38_delimiters_that_cannot_be_are_refused(encoding, strict):
    peer = heard(adt(encoding=encoding), strict=strict)

    assert codes(peer.sent)[0][0] == "AR"
    assert fault(peer)[0] == "199"


def test_E39_a_delimiter_outside_ascii_is_refused(strict):
    peer = heard(adt(encoding="§~\\&"), strict=strict)

    assert codes(peer.sent)[0][0] == "AR"
    assert fault(peer)[0] == "199"


@pytest.mark.parametrize("body", [b"MSH", b"MSH|", b"MSH|^~\\&"])
def test_E40_a_header_that_ends_too_early_is_refused_without_a_name(body, strict):
    peer = heard(body, strict=strict)

    assert codes(peer.sent) == [("AR", "")]
    assert fault(peer) == ("101", "MSH^1^9")
    assert peer.verdicts == [Verdict.QUARANTINED]


def test_E41_every_component_of_sender_and_receiver_is_swapped(strict):
    body = adt(f3="REG^1.2.3^ISO", f4="GEN", f5="ENG^9.8^ISO", f6="^^")

    msh = header(heard(body, strict=strict))

    assert msh[2:6] == ["ENG^9.8^ISO", "^^", "REG^1.2.3^ISO", "GEN"]


def test_E42_a_message_without_a_control_id_is_refused_and_none_is_invented(strict):
    peer = heard(adt(""), strict=strict)

    assert codes(peer.sent) == [("AR", "")]
    assert fault(peer) == ("101", "MSH^1^10")
    assert peer.verdicts == [Verdict.QUARANTINED]


def test_E42_a_channel_may_take_it_and_still_invents_nothing(strict):
    peer = heard(adt(""), strict=strict, hl7={"accept_without_control_id": True})

    assert codes(peer.sent) == [("AA", "")]
    assert peer.journal.arrivals[0].dedupe_key == ""


@pytest.mark.parametrize(
    "name", ["1", "A" * 20, "B" * 199, "C" * 500, "a\\T\\b", "x\\S\\"]
)
def test_E43_the_control_id_is_echoed_byte_for_byte(name, strict):
    assert codes(heard(adt(name), strict=strict).sent) == [("AA", name)]


@pytest.mark.parametrize("kind", ["ADT", "ADT^A01", "ADT^A01^ADT_A01"])
def test_E44_every_form_of_the_message_type_is_taken(kind, strict):
    assert codes(heard(adt(f9=kind), strict=strict).sent) == [("AA", "M1")]


def test_E44_an_acknowledgment_is_never_acknowledged(strict):
    peer = heard(adt(f9="ACK^A01^ACK", f15="AL"), strict=strict)

    assert peer.sent == b""
    assert peer.notes["unsolicited_ack"] > 0


def test_E44_unless_the_link_agreed_on_it_and_it_asks(strict):
    peer = Peer(strict=strict, mllp={"acknowledge_application_acks": True})

    peer.hear(enclose(adt(f9="ACK^A01^ACK", f15="AL")))
    peer.hear(enclose(adt("M2", f9="ACK^A01^ACK")))

    assert codes(peer.sent) == [("CA", "M1")]


@pytest.mark.parametrize(("kind", "code"), [("ORU^R01", "200"), ("ADT^A08", "201")])
def test_E45_a_type_or_event_that_is_not_taken_is_refused(kind, code, strict):
    taken = {"types": ("ADT^A01", "SIU")}

    original = heard(adt(f9=kind), strict=strict, hl7=taken)
    enhanced = heard(adt(f9=kind, f15="AL"), strict=strict, hl7=taken)

    assert codes(original.sent) == [("AR", "M1")]
    assert codes(enhanced.sent) == [("CR", "M1")]
    assert fault(original)[0] == code


@pytest.mark.parametrize("processing_id", ["T", "D"])
def test_E46_test_messages_never_pass_a_production_channel(processing_id, strict):
    peer = heard(adt(f11=processing_id), strict=strict)

    assert codes(peer.sent) == [("AR", "M1")]
    assert fault(peer) == ("202", "MSH^1^11")
    assert peer.verdicts == [Verdict.QUARANTINED]


@pytest.mark.parametrize("version", ["2.1", "2.3.1", "2.5.1", "2.9", "2.3.1^AUS"])
def test_E47_every_known_version_is_taken(version, strict):
    peer = heard(adt(f12=version), strict=strict)

    assert codes(peer.sent) == [("AA", "M1")]
    assert peer.journal.arrivals[0].findings == ()


@pytest.mark.parametrize("version", ["", "2.99"])
def test_E47_an_empty_or_unknown_version_is_flagged_or_refused(version, strict):
    peer = heard(adt(f12=version), strict=strict)

    assert codes(peer.sent) == [("AR" if strict else "AA", "M1")]
    assert peer.journal.arrivals[0].findings == ("version_unknown",)
    assert not strict or fault(peer) == ("203", "MSH^1^12")


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


def test_E48_before_2_4_the_type_is_plain_ack(strict):
    assert header(heard(adt(f12="2.3"), strict=strict))[8] == "ACK"
