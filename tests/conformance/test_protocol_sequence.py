"""protocol.md E68 and E69: sequence numbers in MSH-13 and MSA-4, on every database."""

import pytest

from engine.hl7.acknowledgment import parse_acknowledgment
from engine.hl7.framing import enclose
from engine.store.sequences import thaw
from tests.databases import each_setting
from tests.listening import ADMISSION, Peer, adt, answers
from tests.processing import lines, process, states


class Numbered(Peer):
    """A peer whose link agreed on the protocol; each message has a name of its own."""

    def __init__(self, store, strict, **options):
        hl7 = {"sequence_protocol": True}
        super().__init__(strict=strict, store=store, hl7=hl7, **options)
        self.count = 0

    def says(self, number, name="", *, body="PID|1|\r", **fields):
        """Send a message under a number; return MSA-1 and MSA-4 of the answer."""
        self.count += 1
        before = len(answers(self.sent))
        name = name or f"M{self.count}"
        self.hear(enclose(adt(name, body=body, f13=str(number), **fields)))
        [*new] = map(parse_acknowledgment, answers(self.sent)[before:])
        return [(each.code, each.sequence) for each in new]


@each_setting
def test_E68_a_link_starts_with_0_and_hears_what_is_expected(store, strict):
    peer = Numbered(store, strict)

    assert peer.says(0) == [("AA", "-1")]
    assert peer.says(41) == [("AA", "41")]
    assert peer.says(0) == [("AA", "42")]
    assert peer.says(42) == [("AA", "42")]


@each_setting
def test_E68_minus_1_starts_anew_with_whatever_number_comes(store, strict):
    peer = Numbered(store, strict)
    peer.says(41)

    assert peer.says(-1) == [("AA", "-1")]
    assert peer.says(7) == [("AA", "7")]
    assert peer.says(8) == [("AA", "8")]


@each_setting
def test_E68_a_number_again_is_answered_again_with_the_next_one(store, strict):
    peer = Numbered(store, strict)
    peer.says(41, "A")

    assert peer.says(41, "A") == [("AA", "42")]
    assert peer.notes["duplicates_suppressed"] == 1
    assert peer.says(42, "B") == [("AA", "42")]


@each_setting
@pytest.mark.parametrize(("asked", "code"), [({}, "AR"), ({"f15": "AL"}, "CE")])
def test_E68_a_gap_is_refused_with_the_number_expected(store, strict, asked, code):
    peer = Numbered(store, strict)
    peer.says(41)

    assert peer.says(43, "LATE", **asked) == [(code, "42")]
    fault = parse_acknowledgment(answers(peer.sent)[-1]).errors[0]
    assert (fault.code, fault.location) == ("199", "MSH^1^13")
    good = "AA" if code == "AR" else "CA"
    assert peer.says(42, **asked) == [(good, "42")]
    assert peer.says(43, "LATE", **asked) == [(good, "43")]
    assert not peer.closed


@each_setting
def test_E68_any_other_number_freezes_the_link_until_a_person_comes(store, strict):
    for host, number in enumerate([40, 41, "x", -5]):
        peer = Numbered(store, strict, host=f"10.0.0.{host}")
        peer.says(41)

        assert peer.says(number, "OTHER") == [("AR", "42")]
        assert peer.notes["link_frozen"] == 1
        assert peer.wire.producerState == "paused"
        again = Numbered(store, strict, host=f"10.0.0.{host}")
        assert again.says(42) == [("AR", "42")]

    with store.journal() as connection:
        assert thaw(connection, "adt") == 4
    assert Numbered(store, strict, host="10.0.0.1").says(42) == [("AA", "42")]


@each_setting
def test_E68_a_frozen_link_is_in_the_error_queue(store, strict, tmp_path):
    peer = Numbered(store, strict)
    peer.says(41)
    peer.says(40, "OTHER")

    process(store, lines(tmp_path, strict=strict))

    [_, other] = states(store)
    assert other == ("error", "sequence-lost")


@each_setting
def test_E68_the_sender_thaws_a_frozen_link_when_it_resynchronises(store, strict):
    peer = Numbered(store, strict)
    peer.says(41)
    peer.says(40, "OTHER")

    again = Numbered(store, strict)
    assert again.says(-1) == [("AA", "-1")]
    assert again.says(7, "NEW") == [("AA", "7")]


@each_setting
def test_E68_the_number_is_kept_with_its_message_and_a_restart_goes_on(store, strict):
    Numbered(store, strict).says(41)

    assert Numbered(store, strict).says(43, "LATE") == [("AR", "42")]
    assert Numbered(store, strict).says(42, "NEXT") == [("AA", "42")]


@each_setting
def test_E68_a_link_that_has_not_agreed_knows_no_numbers(store, strict):
    peer = Peer(strict=strict, store=store)

    peer.hear(enclose(adt(f13="41")) + enclose(adt("M2", f13="7")))

    told = [parse_acknowledgment(each) for each in answers(peer.sent)]
    assert [(each.code, each.sequence) for each in told] == [("AA", "")] * 2


@each_setting
def test_E68_a_message_without_a_number_is_taken_as_usual(store, strict):
    peer = Numbered(store, strict)
    peer.says(41)

    assert peer.says("") == [("AA", "")]
    assert peer.says(42) == [("AA", "42")]


@each_setting
def test_E69_a_bare_header_starts_the_link_and_is_no_parse_error(
    store, strict, tmp_path
):
    peer = Numbered(store, strict)

    for number in (0, -1):
        for body in ("", "EVN||\rPID|||\r"):
            assert peer.says(number, body=body) == [("AA", "-1")]
    process(store, lines(tmp_path, strict=strict))

    reason = "starts or resynchronises its link, nothing else"
    assert states(store) == [("filtered", reason)] * 4


@each_setting
def test_E69_what_a_link_start_says_beyond_its_header_is_not_thrown_away(
    store, strict, tmp_path
):
    Numbered(store, strict).says(0, body=ADMISSION)

    process(store, lines(tmp_path, strict=strict))

    assert states(store) == [("processed", "")]
