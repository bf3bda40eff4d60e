"""What segments say by themselves is remembered, and nobody can tell."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message, message_bundle, write_json
from engine.transforms.fhir import feed as feeds
from engine.transforms.fhir import said as memory
from engine.transforms.fhir.compiled import is_compiled
from engine.transforms.fhir.groups import Node
from tests.fhir_messages import (
    admission,
    adt,
    laboratory_report,
    pid,
    pv1,
    resource,
    segment,
)

SAMPLES = sorted(Path(__file__).parents[4].glob("samples/*/message.hl7"))
ALLERGY = segment("AL1", f1="1", f3="70618^Penicillin^RXNORM", f6="1999")
NORTH = MapContext(site="north")
SOURCE_ONLY = pytest.mark.skipif(
    is_compiled(), reason="what is compiled calls past what a test puts in place"
)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget()


def forget():
    memory.forget()
    feeds.forget()


def made_of(data):
    """Return everything the map says of a message, as text."""
    mapped = map_message(parse(data), NORTH)
    entries = [(one.full_url, one.nulls, one.presumed) for one in mapped.entries]
    told = (entries, mapped.losses, mapped.findings, mapped.told)
    return write_json(message_bundle(mapped.entries)), repr(told)


def messages():
    return [path.read_bytes().replace(b"\n", b"\r") for path in SAMPLES] + [
        make(number) for make in (admission, laboratory_report) for number in (0, 1)
    ]


def test_a_message_says_the_same_after_any_others_and_when_it_comes_again():
    alone = []
    for data in messages():
        forget()
        alone.append(made_of(data))

    forget()
    assert [made_of(data) for data in messages()] == alone
    assert [made_of(data) for data in messages()] == alone


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["", "1999", "199902", "soon", '""']), min_size=2))
def test_segments_that_differ_in_a_field_are_told_apart(onsets):
    for onset in onsets:
        data = adt("A01", pid(), segment("AL1", f1="1", f3="A^Aspirin^L", f6=onset))
        again = made_of(data)
        forget()
        assert made_of(data) == again


def test_of_a_visit_the_number_is_read_each_time():
    for number in ("V1", "V2"):
        visit = resource(adt("A01", pid(), pv1(f19=number)), "Encounter")

        assert visit["identifier"][0]["value"] == number


def test_what_is_remembered_holds_no_reference_that_can_move():
    moving = set()
    kept = []
    for data in messages():
        mapped = map_message(parse(data), NORTH)
        kept.append(mapped)
        moving |= {id(entry.reference) for entry in mapped.entries}

    assert memory.remembered()
    assert moving.isdisjoint(ids_in(memory.remembered()))


def ids_in(value):
    yield id(value)
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(parts, list | tuple) or isinstance(value, dict):
        for part in parts:
            yield from ids_in(part)


def test_what_is_lost_is_listed_for_every_message():
    unreadable = segment("AL1", f1="1", f3="70618^Penicillin^RXNORM", f6="soon")
    data = adt("A01", pid(), unreadable, unreadable)

    for _ in range(2):
        paths = [loss.path for loss in map_message(parse(data), NORTH).losses]
        assert {"AL1-6", "AL1[2]-6"} <= set(paths)


def test_what_each_message_has_of_its_own_is_lost_for_itself():
    visits = [pv1(), pv1(f40="x"), pv1(f6="OLD"), pv1(f20="MC")]

    for visit in [*visits, *reversed(visits)]:
        data = adt("A01", pid(), visit)
        again = made_of(data)
        forget()
        assert made_of(data) == again


@given(st.lists(st.sampled_from(["", "x"]), max_size=12), st.sets(st.integers(1, 14)))
def test_what_is_populated_holds_for_whatever_is_left_to_be_read(fields, apart):
    line = "OBX|" + "|".join(fields)
    node = Node(parse(adt("A01", line)).segments[2], 0, 1, {})
    expected = [number for number, raw in enumerate(fields, 1) if raw]

    assert node.untaken() == expected
    node.carrying = node.populated(tuple(sorted(apart)))
    assert node.untaken() == expected


@SOURCE_ONLY
def test_the_segment_longest_unused_is_forgotten(monkeypatch):
    monkeypatch.setattr(memory, "_MOST", 2)
    for name in "abac":
        place = ("feed", made_of, name)
        if memory.recall(place) is None:
            memory.remember(place, memory.Said(name, 0, 0, ()))

    assert memory.remembered() == ["a", "c"]


def test_documents_are_not_remembered():
    words = "word " * 600
    long = segment("AL1", f1="1", f3="70618^Penicillin^RXNORM", f5=words)
    made_of(adt("A01", pid(), ALLERGY, long))

    feed = feeds.feed_of(parse(adt()), NORTH)
    assert words not in repr(memory.remembered())
    assert words not in feed.fields


@SOURCE_ONLY
def test_these_tests_notice_when_somebody_changes_what_messages_share():
    message = parse(adt("A01", pid(), ALLERGY))
    map_message(message, NORTH)
    [value] = [one for one in memory.remembered() if "Penicillin" in repr(one)]
    assert isinstance(value, dict)
    value["code"] = "of another patient"

    with pytest.raises(AssertionError, match="changed what messages share"):
        map_message(message, NORTH)
