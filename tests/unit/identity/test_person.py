"""Persons as a fold: any order of moves, and every move taken back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import IllegalTransitionError
from engine.identity.person import (
    LinkEvent,
    LinkKind,
    Membership,
    fold,
    inverse,
    merged,
    moved,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
RECORDS = range(1, 9)


def event(number, kind=LinkKind.LINK, **given):
    values = {"records": (), **given}
    return LinkEvent(number, NOON, "ann", kind, **values)


def registered(*records):
    """Return the events that give each record a person of its own, A, B, C, ..."""
    return [
        event(number, records=(number,), target=chr(64 + number)) for number in records
    ]


def merge(events, source, target):
    state = fold(events)
    source, target = state.resolved(source), state.resolved(target)
    planned = event(len(events) + 1)
    return [*events, merged(source, target, state.records_of(source), planned)]


def undo(events, number):
    undone = events[number - 1]
    planned = event(len(events) + 1, target=f"new{len(events)}")
    taken_back = inverse(fold(events), undone, events[number:], planned)
    return [*events, taken_back]


@st.composite
def histories(draw):
    """Registrations, then merges, splits and links in any order, some taken back."""
    events = registered(*RECORDS)
    for _ in range(draw(st.integers(0, 12))):
        state = fold(events)
        persons = sorted(set(state.person_of.values()))
        try:
            match draw(st.sampled_from(["merge", "move", "split", "undo"])):
                case "merge":
                    pair = draw(st.tuples(*[st.sampled_from(persons)] * 2))
                    events = merge(events, *pair)
                case "move":
                    record = draw(st.sampled_from(RECORDS))
                    target = draw(st.sampled_from(persons))
                    planned = event(len(events) + 1)
                    events = [*events, moved(state, [record], target, planned)]
                case "split":
                    record = draw(st.sampled_from(RECORDS))
                    planned = event(len(events) + 1, LinkKind.SPLIT)
                    target = f"split{len(events)}"
                    events = [*events, moved(state, [record], target, planned)]
                case _:
                    number = draw(st.integers(1, len(events)))
                    events = undo(events, number)
        except IllegalTransitionError:
            continue
    return events


@given(histories())
def test_M06_a_record_is_in_exactly_one_person_in_use(events):
    state = fold(events)

    assert sorted(state.person_of) == list(RECORDS)
    assert not set(state.person_of.values()) & set(state.survivor_of)


@given(histories())
def test_M08_every_retired_person_resolves_and_there_are_no_cycles(events):
    state = fold(events)

    for retired in state.survivor_of:
        assert state.resolved(retired) not in state.survivor_of


@given(histories(), st.data())
def test_M07_a_merge_taken_back_restores_everything(events, data):
    before = fold(events)
    persons = sorted(set(before.person_of.values()))
    source, target = data.draw(st.tuples(*[st.sampled_from(persons)] * 2))
    events = merge(events, source, target)
    if source == target:
        assert fold(events) == before
        return

    events = undo(events, len(events))

    assert fold(events) == before


@given(histories(), st.data())
def test_a_split_taken_back_restores_membership(events, data):
    before = fold(events)
    record = data.draw(st.sampled_from(RECORDS))
    try:
        split = moved(before, [record], "new", event(99, LinkKind.SPLIT))
    except IllegalTransitionError:
        return

    after = fold([split], before)
    back = inverse(after, split, [], event(100))

    assert fold([back], after).person_of == before.person_of


def test_M07_records_that_followed_a_returned_one_return_with_it():
    events = merge(registered(1, 2), "B", "A")
    events.append(event(4, records=(3,), target="A", via=2))
    events.append(event(5, records=(4,), target="A", via=1))

    state = fold(undo(events, 3))

    assert state.records_of("B") == (2, 3)
    assert state.records_of("A") == (1, 4)


def test_an_unmerge_finds_its_records_after_the_survivor_was_merged_too():
    events = merge(merge(registered(1, 2, 3), "B", "A"), "A", "C")

    state = fold(undo(events, 4))

    assert state.records_of("B") == (2,)
    assert state.records_of("C") == (1, 3)
    assert state.resolved("A") == "C"


def test_an_event_is_taken_back_once():
    events = undo(merge(registered(1, 2), "B", "A"), 3)

    with pytest.raises(IllegalTransitionError, match="undone already"):
        undo(events, 3)


def test_a_link_of_a_new_record_is_taken_back_to_a_new_person():
    events = [*registered(1), event(2, records=(2,), target="A", via=1)]

    state = fold(undo(events, 2))

    assert state.records_of("new2") == (2,)


def test_a_pair_told_apart_can_be_withdrawn():
    events = [*registered(1, 2), event(3, LinkKind.DIFFERENT, records=(2, 1))]
    assert fold(events).different == {(1, 2)}

    assert fold(undo(events, 3)).different == frozenset()


def test_moving_the_last_record_is_a_merge():
    state = fold(registered(1, 2))

    planned = moved(state, [2], "A", event(3))

    assert planned.kind is LinkKind.MERGE
    assert fold([planned], state).resolved("B") == "A"


@pytest.mark.parametrize(
    ("records", "target", "kind"),
    [
        ([1, 2], "X", LinkKind.LINK),
        ([1], "A", LinkKind.LINK),
        ([7], "A", LinkKind.LINK),
        ([1], "X", LinkKind.SPLIT),
    ],
)
def test_impossible_moves_are_refused(records, target, kind):
    state = fold(registered(1, 2))

    with pytest.raises(IllegalTransitionError):
        moved(state, records, target, event(3, kind))


def test_nothing_folds_to_nobody():
    assert fold([]) == Membership()
