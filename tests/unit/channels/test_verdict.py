"""The decision table: what a block is worth, and which code answers it."""

import pytest

from engine.channels.rules import Rules
from engine.channels.verdict import Kept, TooLong, answer_code, hear
from engine.hl7.framing import Block, Fragment, Junk

USUAL = {3: "REG", 4: "GEN", 7: "2030", 9: "ADT^A01", 10: "M1", 11: "P", 12: "2.5.1"}


def msh(**fields):
    """A message with the usual MSH; ``f15="AL"`` sets MSH-15."""
    values = USUAL | {int(name[1:]): text for name, text in fields.items()}
    named = [values.get(number, "") for number in range(3, max(values) + 1)]
    return "|".join(["MSH", "^~\\&", *named]).encode() + b"\rPID|1\r"


def judged(body, **rules):
    heard = hear(Block(body), Rules(**rules))
    codes = [fault.code for fault in heard.faults]
    return heard.kept.value, answer_code(heard, Rules(**rules)), codes


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "AA"),
        ({"f15": "AL", "f16": "NE"}, "CA"),
        ({"f15": "SU", "f16": "NE"}, "CA"),
        ({"f15": "ER", "f16": "NE"}, ""),
        ({"f15": "NE", "f16": "NE"}, ""),
        ({"f15": "NE", "f16": "AL"}, "AA"),
        ({"f16": "AL"}, "AA"),
        ({"f15": "AL", "f16": "AL"}, "CA"),
    ],
)
def test_a_stored_message_is_answered_as_its_sender_asked(fields, code):
    assert judged(msh(**fields)) == ("accepted", code, [])


@pytest.mark.parametrize(
    ("fields", "rules", "original", "enhanced", "fault"),
    [
        ({"f9": "ORU^R01"}, {"types": {"ADT"}}, "AR", "CR", "200"),
        ({"f9": "ADT^A08"}, {"types": {"ADT^A01"}}, "AR", "CR", "201"),
        ({"f3": "EVIL"}, {"trusted": {("REG", "GEN")}}, "AR", "CR", "199"),
        ({"f11": "T"}, {}, "AR", "CR", "202"),
        ({"f12": "2.99"}, {"profile_strict": True}, "AR", "CR", "203"),
    ],
)
def test_what_a_channel_does_not_take_is_refused_and_kept(
    fields, rules, original, enhanced, fault
):
    rules = {name: _frozen(value) for name, value in rules.items()}

    assert judged(msh(**fields), **rules) == ("quarantined", original, [fault])
    assert judged(msh(f15="AL", f16="NE", **fields), **rules) == (
        "quarantined",
        enhanced,
        [fault],
    )


def _frozen(value):
    return frozenset(value) if isinstance(value, set) else value


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "100"),
        (b"PID|1\r", "100"),
        (b"MSH", "101"),
        (b"MSH|", "101"),
        (b"M\x00S\x00H\x00", "199"),
        (b"<?xml version='1.0'?><ClinicalDocument/>", "101"),
    ],
)
def test_what_has_no_readable_header_is_refused_without_a_name(body, fault):
    heard = hear(Block(body), Rules())

    assert judged(body) == ("quarantined", "AR", [fault])
    assert heard.unreadable


def test_a_message_without_type_or_control_id_is_refused_even_in_enhanced_mode():
    assert judged(b"MSH|^~\\&|") == ("quarantined", "AR", ["101", "101"])
    assert judged(msh(f10="", f15="AL")) == ("quarantined", "AR", ["101"])
    assert judged(msh(f10=""), accept_without_control_id=True)[:2] == ("accepted", "AA")


def test_syntax_faults_with_a_control_id_are_errors_in_enhanced_mode():
    again = msh(f15="AL") + msh()

    assert judged(again) == ("quarantined", "CE", ["100"])


def test_an_acknowledgment_is_never_acknowledged():
    ack = msh(f9="ACK", f15="AL")

    assert judged(ack) == ("counted", "", [])
    assert judged(ack, acknowledge_application_acks=True) == ("accepted", "CA", [])


@pytest.mark.parametrize("body", [b"\x06", b"\x15"])
def test_commit_blocks_on_a_listener_are_only_counted(body):
    assert judged(body) == ("counted", "", [])


def test_a_fragment_is_kept_and_answered_only_if_it_can_be_named():
    named, nameless = Fragment(msh()), Fragment(b"MSH|^~\\&|REG|GEN")

    assert answer_code(hear(named, Rules()), Rules()) == "AR"
    assert answer_code(hear(nameless, Rules()), Rules()) == ""
    assert hear(nameless, Rules()).kept is Kept.QUARANTINED
    assert hear(Fragment(b""), Rules()).kept is Kept.COUNTED


def test_junk_is_counted():
    assert hear(Junk(b"\r\n"), Rules()).kept is Kept.COUNTED


def test_of_a_message_that_is_too_long_only_the_header_is_kept():
    heard = hear(TooLong(msh() + b"x" * 99), Rules())

    assert heard.data == msh().split(b"\r")[0] + b"\r"
    assert [fault.code for fault in heard.faults] == ["104"]
    assert answer_code(heard, Rules()) == "AR"
    assert answer_code(hear(TooLong(b"MSH|^~\\&|x"), Rules()), Rules()) == ""


@pytest.mark.parametrize(
    ("body", "flag", "rules", "fault"),
    [
        (msh() + b"NTE|1|\x00\r", "nul_byte", {"reject_nul_bytes": True}, "102"),
        (
            msh() + b"NTE|1|\t\r",
            "control_char",
            {"reject_control_characters": True},
            "199",
        ),
        (msh() + b"\n", "line_feed", {"profile_strict": True}, "100"),
        (b"\xef\xbb\xbf" + msh(), "byte_order_mark", {}, ""),
        (msh(f12="2.99"), "version_unknown", {}, ""),
    ],
)
def test_oddities_are_flagged_and_refused_only_where_the_channel_says_so(
    body, flag, rules, fault
):
    assert hear(Block(body), Rules()).flags == (flag,)
    assert judged(body)[:2] == ("accepted", "AA")
    assert judged(body, **rules)[2] == ([fault] if fault else [])


def test_an_end_block_without_cr_is_flagged_or_refused():
    block = Block(msh(), missing_cr=True)

    assert hear(block, Rules()).flags == ("missing_cr",)
    assert hear(block, Rules(frame_end_strict=True)).kept is Kept.QUARANTINED
