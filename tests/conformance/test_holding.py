"""What every database must do when a person holds a message back."""

from threading import Thread

import pytest

from engine.channels import worker as working
from engine.channels.processing.finish import finish
from engine.channels.processing.prepare import prepare
from engine.channels.worker import Worker
from engine.errors import IllegalTransitionError
from engine.store import audit, error_queue, holding, messages
from engine.store.delivery_state import Event
from tests.builders import adt_a01, er7, msh
from tests.processing import lines, process, queued, states
from tests.stored import NOON, OPERATOR, accept, arrival, ask, end, lease, order


@pytest.fixture
def adt(tmp_path):
    return lines(tmp_path)


def journaled(store, *numbers):
    """Journal a message for each patient number."""
    some = [adt_a01(header=msh(f10=f"M{at}"), number=number)
            for at, number in enumerate(numbers)]  # fmt: skip
    return [one.id for one in accept(store, *(arrival(data=each) for each in some))]


def told(store):
    return [state for state, _ in states(store)]


def acts(store):
    with store.reading() as connection:
        rows = audit.rows(connection, store.sealer)
    return [(row.act.action, row.act.subject) for row in reversed(rows)]


def test_a_held_message_goes_out_no_more_until_it_is_released(store, adt):
    [number] = journaled(store, "1")
    process(store, adt)

    order(store, holding.hold, number)
    before = states(store), lease(store, destination="his")
    process(store, adt)
    held = states(store)
    order(store, messages.release, number)
    process(store, adt)

    assert before == ([("received", "")], [])
    assert held == [("held", "held for kim")]
    assert told(store) == ["processed"]
    assert len(lease(store, destination="his")) == 1
    assert acts(store) == [
        ("message.hold", "message 1"),
        ("message.release", "message 1"),
    ]


def test_what_a_person_holds_is_in_the_error_queue_in_their_care(store, adt):
    [number] = journaled(store, "1")
    process(store, adt)

    order(store, holding.hold, number)
    process(store, adt)

    [entry] = ask(store, error_queue.entries)
    assert (entry.message_id, entry.code) == (number, holding.HELD_BY_PERSON)
    assert (entry.sentence, entry.assignee) == ("held for kim", "kim")


def test_later_messages_of_the_person_wait_behind_in_order(store, adt):
    first, _, third, _ = journaled(store, "1", "2", "1", "1")
    process(store, adt)

    order(store, holding.hold, first)
    process(store, adt)
    journaled(store, "1")
    process(store, adt)
    waiting = told(store)
    order(store, messages.release, first)
    process(store, adt)

    assert waiting == ["held", "processed", "held", "held", "held"]
    assert told(store) == ["processed"] * 5
    assert b"M0" in queued(store)[-4]
    assert ("message.reprocess", f"message {third}") in acts(store)


def test_a_message_is_held_before_it_is_processed(store, adt):
    first, _ = journaled(store, "1", "1")

    order(store, holding.hold, first)
    process(store, adt)

    assert told(store) == ["held", "held"]
    assert queued(store) == []


def test_a_message_in_the_error_queue_is_held_out_of_its_group(store, tmp_path):
    strict = lines(tmp_path, strict=True)
    [number] = [one.id for one in accept(store, arrival(data=er7(msh(f9="ADT^A01"))))]
    process(store, strict)
    before = told(store)

    order(store, holding.hold, number)
    process(store, strict)

    assert (before, told(store)) == (["error"], ["held"])
    assert [each.code for each in ask(store, error_queue.entries)] == ["held-by-person"]


def test_what_has_gone_out_or_is_on_its_way_is_not_held(store, adt):
    [number] = journaled(store, "1")
    process(store, adt)

    [leased] = lease(store, destination="his")
    with pytest.raises(IllegalTransitionError, match="was sent to his, or is being"):
        order(store, holding.hold, number)
    end(store, leased, Event.ACCEPT)
    with pytest.raises(IllegalTransitionError, match="was sent to his, or is being"):
        order(store, holding.hold, number)

    assert told(store) == ["processed"]
    assert acts(store) == []


def test_a_try_of_earlier_processing_that_fails_is_not_made_again_once_held(store, adt):
    [number] = journaled(store, "1")
    process(store, adt)
    [sending] = lease(store, destination="his")
    order(store, messages.reprocess, number)
    with pytest.raises(IllegalTransitionError, match="is being sent"):
        order(store, holding.hold, number)
    end(store, sending, Event.RETRY)

    order(store, holding.hold, number)

    assert lease(store, destination="his") == []


def test_what_is_held_or_to_be_held_or_unknown_is_refused(store, adt):
    [number] = journaled(store, "1")
    order(store, holding.hold, number)
    with pytest.raises(IllegalTransitionError, match="going to be held for kim"):
        order(store, holding.hold, number)
    process(store, adt)
    with pytest.raises(IllegalTransitionError, match="is held: it stays"):
        order(store, holding.hold, number)
    with pytest.raises(IllegalTransitionError, match="there is no message 7"):
        order(store, holding.hold, 7)


@pytest.mark.parametrize(
    ("move", "ends"),
    [
        (holding.hold, ["held", "held"]),
        (messages.reprocess, ["processed", "processed"]),
    ],
)
def test_a_batch_in_hand_does_not_overtake_what_comes_back_meanwhile(
    store, adt, monkeypatch, move, ends
):
    [first] = journaled(store, "1")
    process(store, adt)
    [second] = journaled(store, "1")
    asked: list[int] = []

    def moved_meanwhile(*arguments):
        if not asked:
            asked.append(first)
            with store.engine() as connection:
                move(connection, store.sealer, [first], OPERATOR)
        return prepare(*arguments)

    monkeypatch.setattr(working, "prepare", moved_meanwhile)
    worker = Worker(store, adt, lambda: NOON)
    turns = [worker.turn() for _ in range(4)]
    [*sent] = lease(store, destination="his")

    assert turns == [0, 1, 1, 0]
    assert told(store) == ends
    assert [each.message_id for each in sent] == ([first] if "held" not in ends else [])
    assert second > first


@pytest.mark.parametrize(
    ("move", "ends"),
    [
        (messages.release, ["processed", "processed"]),
        (messages.discard, ["filtered", "processed"]),
    ],
)
def test_what_comes_to_wait_is_released_with_what_is_moved_at_the_same_moment(
    store, adt, monkeypatch, move, ends
):
    [first] = journaled(store, "1")
    order(store, holding.hold, first)
    process(store, adt)
    journaled(store, "1")
    moving = Thread(target=order, args=(store, move, first))

    def moved_at_the_same_moment(*arguments):
        if moving.ident is None:
            moving.start()
            moving.join(0.5)
        return finish(*arguments)

    monkeypatch.setattr(working, "finish", moved_at_the_same_moment)
    worker = Worker(store, adt, lambda: NOON)
    worker.turn()
    moving.join()
    while worker.turn():
        pass

    assert told(store) == ends
