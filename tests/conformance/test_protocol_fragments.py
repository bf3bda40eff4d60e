"""protocol.md E70 to E72: messages in fragments, from the wire to the outbox."""

from datetime import timedelta

import pytest

from engine.channels.awaiting import Ended
from engine.hl7.acknowledgment import parse_acknowledgment
from engine.hl7.framing import enclose
from engine.store import error_queue, retention
from engine.store.messages import reprocess
from engine.store.words import Verdict
from tests.databases import each_setting
from tests.fakes import NOON
from tests.listening import KnownEnd, Peer, adt, answers, codes
from tests.processing import lines, process, queued, states
from tests.sites import site_at
from tests.stored import OPERATOR, ask, order

both = pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
WAITS = ("received", "waits for its next fragment")
LATER = NOON + timedelta(minutes=11)


def part(name, body, *, after="", before="", **fields):
    """Return one fragment; ``after`` is MSH-14 and ``before`` DSC-1."""
    end = f"DSC|{before}|F\r" if before else ""
    return adt(name, body=body + end, **{"f14": after, **fields} if after else fields)


def chain(prefix="M"):
    """Return a message in three fragments, and the whole of it."""
    p = prefix
    first = part(
        f"{p}1", "EVN||2030\rPID|1||7^^^GEN^MR||Doe\rPV1|1|I\r", before=f"{p}a"
    )
    second = part(f"{p}2", "NTE|1||one\rNTE|2||tw\r", after=f"{p}a", before=f"{p}b")
    third = part(f"{p}3", "ADD|o and more\rNTE|3||three\r", after=f"{p}b")
    body = (
        "EVN||2030\rPID|1||7^^^GEN^MR||Doe\rPV1|1|I\rNTE|1||one\rNTE|2||two and more\r"
    )
    return [first, second, third], adt(f"{p}1", body=body + "NTE|3||three\r")


@pytest.fixture
def desk(tmp_path):
    """Return what processes the channel, by profile."""

    def made(strict):
        return lines(tmp_path, strict=strict)

    return made


def heard(store, strict, *blocks, **options):
    peer = Peer(strict=strict, store=store, **options)
    peer.hear(b"".join(map(enclose, blocks)))
    return peer


@both
@pytest.mark.parametrize(("asked", "code"), [({}, "AA"), ({"f15": "AL"}, "CA")])
def test_E70_each_fragment_is_journalled_and_answered_by_its_own_name(
    strict, asked, code, tmp_path
):
    body = {"f9": "ADT^A01^ADT_A01", **asked}
    parts = [
        part("M1", "PID|1||7^^^GEN^MR||Doe\r", before="a", **body),
        part("M2", "PV1|1\r", after="a", **body),
    ]
    peer = Peer(strict=strict)

    peer.hear(b"".join(map(enclose, parts)))

    assert codes(peer.sent) == [(code, "M1"), (code, "M2")]
    assert peer.journalled == parts
    assert [a.findings for a in peer.journal.arrivals] == [("fragment",)] * 2


@each_setting
def test_E70_fragments_are_joined_in_order_and_processed_once(store, strict, desk):
    parts, whole = chain()

    peer = heard(store, strict, *parts)
    process(store, desk(strict))

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2"), ("AA", "M3")]
    assert states(store) == [
        ("filtered", "joined in message 3"),
        ("filtered", "joined in message 3"),
        ("processed", ""),
    ]
    assert queued(store) == [whole]


@each_setting
def test_E70_a_fragment_waits_visibly_for_its_next_one(store, strict, desk):
    (first, second, third), whole = chain()
    peer = heard(store, strict, first)
    process(store, desk(strict))
    assert states(store) == [WAITS]
    assert ask(store, error_queue.entries) == []

    peer.hear(enclose(second))
    process(store, desk(strict))
    assert states(store) == [WAITS, WAITS]
    heard(store, strict, third)  # on another connection
    process(store, desk(strict))

    assert [state for state, _ in states(store)] == ["filtered"] * 2 + ["processed"]
    assert queued(store) == [whole]


@each_setting
def test_E70_a_missing_fragment_ends_in_the_error_queue(store, strict, desk):
    parts, _ = chain()
    heard(store, strict, *parts[:2])
    process(store, desk(strict))

    process(store, desk(strict), NOON + timedelta(minutes=9))
    assert states(store) == [WAITS, WAITS]
    process(store, desk(strict), LATER)

    assert [state for state, _ in states(store)] == ["error", "error"]
    entries = ask(store, error_queue.entries)
    assert [each.code for each in entries] == ["fragment-missing"] * 2


def test_E70_how_long_that_takes_is_a_knob(store, tmp_path):
    parts, _ = chain()
    heard(store, False, *parts[:1])
    patient = lines(tmp_path, hl7=("fragment-timeout: 1h",))
    process(store, patient)

    process(store, patient, LATER)
    assert states(store) == [WAITS]
    process(store, patient, NOON + timedelta(hours=2))

    assert [state for state, _ in states(store)] == ["error"]


@each_setting
def test_E70_the_missing_fragment_may_still_come_and_heals_it(store, strict, desk):
    parts, whole = chain()
    heard(store, strict, *parts[:2])
    process(store, desk(strict))
    process(store, desk(strict), LATER)

    peer = heard(store, strict, *parts)  # its sender sends all of it again
    process(store, desk(strict), LATER)

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2"), ("AA", "M3")]
    assert [state for state, _ in states(store)] == ["filtered"] * 2 + ["processed"]
    assert ask(store, error_queue.entries) == []
    assert queued(store) == [whole]


@each_setting
def test_E70_a_person_may_have_any_part_processed_again(store, strict, desk):
    parts, whole = chain()
    heard(store, strict, *parts)
    process(store, desk(strict))

    order(store, reprocess, 1, 3)
    process(store, desk(strict))

    assert [state for state, _ in states(store)] == ["filtered"] * 2 + ["processed"]
    assert set(queued(store)) == {whole}


@each_setting
def test_E70_the_application_answer_names_the_first_fragment(store, strict):
    parts, _ = chain()
    outcomes = KnownEnd(Ended(good=True))
    delivered = {"ack": "delivered"}

    peer = heard(store, strict, *parts, mllp=delivered, outcomes=outcomes)

    assert codes(peer.sent) == [("AA", "M1"), ("AA", "M2"), ("AA", "M1")]
    assert outcomes.asked == [(3, True)]


@each_setting
def test_E71_add_continues_a_segment_within_a_message(store, strict, desk):
    heard(
        store,
        strict,
        adt(body="EVN||2030\rPID|1||7^^^GE\rADD|N^MR||Doe\rPV1|1|I\r"),
    )

    process(store, desk(strict))

    whole = adt(body="EVN||2030\rPID|1||7^^^GEN^MR||Doe\rPV1|1|I\r")
    assert queued(store) == [whole]


@each_setting
def test_E71_a_bare_add_announces_that_the_next_fragment_goes_on(store, strict, desk):
    first = part(
        "M1", "EVN||2030\rPID|1||7^^^GEN^MR||Doe\rNTE|1||be\rADD\r", before="x"
    )
    second = part("M2", "ADD|gun|P\rPV1|1|I\r", after="x")

    heard(store, strict, first, second)
    process(store, desk(strict))

    whole = adt(body="EVN||2030\rPID|1||7^^^GEN^MR||Doe\rNTE|1||begun|P\rPV1|1|I\r")
    assert queued(store) == [whole]


@each_setting
def test_E72_interleaved_chains_are_told_apart_by_their_pointers(store, strict, desk):
    (a1, a2, a3), first = chain("A")
    (b1, b2, b3), second = chain("B")

    heard(store, strict, a1, b1, b2, a2, a3, b3)
    process(store, desk(strict))

    assert queued(store) == [first, second]


@each_setting
def test_E72_chains_of_two_senders_never_meet(store, strict, desk):
    (first, second, third), whole = chain()
    heard(store, strict, first, host="10.0.0.1")

    other = heard(store, strict, second, host="10.0.0.2")
    heard(store, strict, second, third, host="10.0.0.1")
    process(store, desk(strict))

    assert codes(other.sent) == [("AR", "M2")]
    assert queued(store) == [whole]


@each_setting
def test_E72_a_duplicate_fragment_is_answered_again_and_kept_once(store, strict, desk):
    (first, second, third), whole = chain()
    always = {"same_content": "accept"}

    peer = heard(
        store, strict, first, first, second, second, third, third, duplicate=always
    )
    process(store, desk(strict))

    names = ["M1", "M1", "M2", "M2", "M3", "M3"]
    assert codes(peer.sent) == [("AA", name) for name in names]
    assert queued(store) == [whole]


@each_setting
@pytest.mark.parametrize(("asked", "code"), [({}, "AR"), ({"f15": "AL"}, "CE")])
def test_E72_a_fragment_of_no_known_chain_is_quarantined(
    store, strict, asked, code, desk
):
    (first, second, _), _ = chain()
    orphan = part("M2", "NTE|1||x\r", after="Ma", **asked)

    peer = heard(store, strict, orphan)
    process(store, desk(strict))

    assert codes(peer.sent) == [(code, "M2")]
    fault = parse_acknowledgment(answers(peer.sent)[0]).errors[0]
    assert (fault.code, fault.location) == ("100", "MSH^1^14")
    assert states(store) == [("error", "fragment-orphan")]

    again = heard(store, strict, first, second)
    assert codes(again.sent) == [("AA", "M1"), ("AA", "M2")]


@each_setting
def test_E72_a_pointer_is_taken_once(store, strict):
    (first, second, _), _ = chain()
    other = part("OTHER", "NTE|1||x\r", after="Ma")

    peer = heard(store, strict, first, second, other)

    assert codes(peer.sent)[2] == ("AR", "OTHER")


@both
def test_E70_a_query_that_asks_for_more_is_no_fragment(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(adt(f9="QBP^Q22", body="QPD|1\rDSC|77|I\r")))
    peer.hear(enclose(adt("M2", f9="QBP^Q22", body="QPD|1\rDSC|77\r")))

    assert [each.fragment for each in peer.journal.arrivals] == [None, None]
    assert [each.verdict for each in peer.journal.arrivals] == [Verdict.ACCEPTED] * 2


@each_setting
def test_E70_a_chain_that_retention_has_begun_to_remove_is_not_joined_in_part(
    store, strict, desk
):
    parts, _ = chain()
    heard(store, strict, *parts)
    process(store, desk(strict))
    with store.engine() as connection:
        retention.decide(connection, store.sealer, LATER, OPERATOR)
    with store.journal() as connection:
        assert retention.purge(connection) == [1, 2]

    order(store, reprocess, 3)
    process(store, desk(strict))

    state, reason = states(store)[2]
    assert state == "error"
    assert reason.startswith("an earlier fragment of this message was removed")


def test_E70_what_is_explained_of_a_message_is_the_whole_of_it(tmp_path):
    parts, _ = chain()
    site = site_at(tmp_path)
    store = site.database("edge")
    heard(store, False, *parts)
    store.close()

    told = site.run("explain", "3", "--reveal")

    assert "two and more" in told.output
