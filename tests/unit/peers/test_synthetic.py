"""Synthetic hospitals: repeatable, coherent, obviously invented."""

from collections import Counter

from engine.hl7 import parse
from engine.peers.synthetic import Plan, make_feed, truth_rows

SMALL = Plan(patients=40, duplicates=6, days=5, seed=7, unmapped=0.5)


def test_the_same_seed_gives_the_same_bytes():
    assert make_feed(SMALL) == make_feed(SMALL)


def test_every_message_parses_and_has_its_own_control_id():
    feed = make_feed(SMALL)

    messages = [parse(made.data) for made in feed]

    assert len({message.control_id for message in messages}) == len(feed)
    assert [message.control_id for message in messages] == [m.control_id for m in feed]
    assert not [message for message in messages if message.findings]


def test_the_truth_tells_who_is_registered_twice():
    rows = list(truth_rows(make_feed(SMALL)))

    registered = Counter(row["person"] for row in rows if row["event"] == "register")

    assert len(registered) == 40
    assert sum(count == 2 for count in registered.values()) == 6


def test_a_person_is_admitted_before_anything_else_happens_to_a_record():
    seen = set()

    for made in make_feed(SMALL):
        assert made.truth == "register" or made.record.mrn in seen
        seen.add(made.record.mrn)


def test_reports_have_five_to_thirty_results_and_some_a_code_nobody_mapped():
    feed = make_feed(SMALL)
    reports = [made for made in feed if made.trigger.startswith("ORU")]

    counts = [len(parse(made.data).all("OBX")) for made in reports]

    assert all(5 <= count <= 30 for count in counts)
    assert all((b"|X" in made.data) == made.unmapped for made in reports)
    assert any(made.unmapped for made in reports)


def test_a_kind_leaves_the_other_messages_out():
    feed = make_feed(Plan(kind="adt", patients=5, duplicates=0, days=2))

    assert {made.trigger[:3] for made in feed} == {"ADT"}


def test_a_merge_names_a_record_that_was_registered():
    feed = make_feed(Plan(patients=40, duplicates=30, days=5))
    known = {made.record.mrn for made in feed}

    merges = [made for made in feed if made.truth == "merge"]

    assert merges
    assert all(parse(made.data)["MRG-1.1"] in known for made in merges)
