"""What every database must do with deliveries."""

import os
from collections import Counter
from time import process_time

import pytest
from sqlalchemy import text

from engine.errors import IllegalTransitionError
from engine.store import delivery_moves, lanes, queues, reports
from engine.store.contents import SMALL_BYTES
from engine.store.deliveries import MAX_BYTES, next_due
from engine.store.delivery_moves import discard, resend
from engine.store.delivery_state import Event, State
from engine.store.queues import DeliveryFilter
from engine.store.settlement import PAGE, expire, extend
from engine.store.words import OnFailure, RunState
from tests.databases import empty_database
from tests.stored import (
    LATER,
    NOON,
    OPERATOR,
    SOON,
    ask,
    document,
    end,
    lease,
    order,
    queue,
)

ANN, BOB = document("ann"), document("bob")


def ids(leased):
    return [one.id for one in leased]


def state(store, number):
    return ask(store, queues.delivery, number).state


def test_a_document_comes_back_as_it_was_queued(store):
    queue(
        store, document(content=b"bytes\x00\xff" * 50, name="out/ann.hl7", person="E1")
    )

    [leased] = lease(store)

    assert leased.content == b"bytes\x00\xff" * 50
    assert (leased.name, leased.person, leased.attempts) == ("out/ann.hl7", "E1", 1)


def test_large_documents_are_leased_few_at_a_time(store):
    half, unpacked = bytes(MAX_BYTES // 2), os.urandom(2 * SMALL_BYTES)
    contents = {"ann": half, "bob": unpacked, "cid": half, "dee": b"small"}
    numbers = queue(store, *(document(*each) for each in contents.items()))

    leased = lease(store)

    assert [one.content for one in leased] == [half, unpacked, half]
    assert state(store, numbers[3]) is State.QUEUED
    assert ids(lease(store)) == [numbers[3]]


def test_only_the_head_of_a_lane_is_leased(store):
    first, second, bobs = queue(store, ANN, ANN, BOB)

    assert ids(lease(store)) == [first, bobs]
    assert lease(store) == []
    assert state(store, second) is State.QUEUED


def test_a_lane_sends_in_the_order_it_was_given(store):
    queued = queue(store, ANN, ANN, ANN)
    sent = []
    while leased := lease(store):
        sent += ids(leased)
        end(store, leased[0])

    assert sent == queued


def test_the_head_of_a_lane_waits_for_its_retry_and_the_lane_with_it(store):
    first, _ = queue(store, ANN, ANN)

    end(store, lease(store)[0], Event.RETRY, not_before=LATER)

    assert lease(store) == []
    assert ids(lease(store, now=LATER)) == [first]


def test_other_lanes_go_on_meanwhile(store):
    queue(store, ANN)
    end(store, lease(store)[0], Event.RETRY, not_before=LATER)

    [bobs] = queue(store, BOB)

    assert ids(lease(store)) == [bobs]


def test_a_lane_goes_past_a_delivery_set_aside_until_that_is_due(store):
    first, second, third = queue(store, ANN, ANN, ANN)
    end(store, lease(store)[0], Event.RETRY, not_before=LATER, aside=True)

    [leased] = lease(store)
    assert leased.id == second
    end(store, leased, now=LATER)

    assert ids(lease(store, now=LATER)) == [first]
    assert state(store, third) is State.QUEUED


def test_a_delivery_set_aside_alone_is_sent_when_it_is_due(store):
    [first] = queue(store, ANN)
    end(store, lease(store)[0], Event.RETRY, not_before=LATER, aside=True)

    assert lease(store) == []
    assert ask(store, next_due, "adt", "registry") == LATER
    assert ids(lease(store, now=LATER)) == [first]


def test_park_makes_the_lane_wait_and_asks_for_a_person(store):
    first, _ = queue(store, ANN, ANN)

    end(store, lease(store)[0], Event.PARK, class_="permanent", code="422")

    assert lease(store, now=LATER) == []
    [parked] = ask(store, queues.parked)
    assert (parked.delivery_id, parked.behind) == (first, 1)


def test_continue_lets_the_lane_go_past_the_failure(store):
    passing = document(on_failure=OnFailure.CONTINUE)
    first, second = queue(store, passing, passing)

    end(store, lease(store)[0], Event.PARK)

    assert ids(lease(store)) == [second]
    assert state(store, first) is State.FAILED


def test_stop_pauses_the_destination(store):
    queue(store, ANN, BOB)
    [anns, bobs] = lease(store)

    end(store, anns, Event.PARK, on_failure=OnFailure.STOP, sentence="401")
    end(store, bobs, Event.RETRY)

    assert lease(store, now=LATER) == []
    wanted = ask(store, reports.run_states)["adt", "registry"]
    assert (wanted.state, wanted.changed_by) == (RunState.PAUSED, "engine")


def test_a_paused_destination_gives_nothing_until_it_runs_again(store):
    [first] = queue(store, ANN)
    place = ("adt", "registry")
    with store.engine() as connection:
        reports.set_run_state(
            connection, store.sealer, place, RunState.PAUSED, OPERATOR
        )
    assert lease(store) == []

    with store.engine() as connection:
        reports.set_run_state(
            connection, store.sealer, place, RunState.RUNNING, OPERATOR
        )

    assert ids(lease(store)) == [first]


def test_a_settlement_under_a_stale_epoch_writes_nothing(store):
    [number] = queue(store, ANN)
    [paused_nodes] = lease(store)
    with store.engine() as connection:
        assert expire(connection, LATER) == 1
    [ours] = lease(store, now=LATER, owner="node-2")

    assert end(store, paused_nodes) == [number]
    assert state(store, number) is State.LEASED
    assert end(store, ours) == []
    assert state(store, number) is State.DELIVERED


def test_a_lease_that_runs_is_not_expired(store):
    queue(store, ANN)
    lease(store)

    with store.engine() as connection:
        assert expire(connection, NOON) == 0
        assert expire(connection, NOON, owner="node-2") == 0
        assert expire(connection, NOON, owner="node-1") == 1


def test_more_leases_than_fit_into_one_statement_end_together(store):
    count = 2 * PAGE + 1
    queue(store, *[document(order_key=str(number)) for number in range(count)])
    assert len(lease(store, limit=count)) == count

    with store.engine() as connection:
        assert expire(connection, NOON, owner="node-1") == count

    assert len(lease(store, limit=count)) == count


def test_a_lane_that_damage_keeps_leased_does_not_hold_up_the_start(store, monkeypatch):
    queue(store, ANN)
    lease(store)
    monkeypatch.setattr(lanes, "refresh", lambda *_: None)  # finds no such lane

    with store.engine() as connection:
        assert expire(connection, NOON, owner="node-1") == 1


def test_a_lease_can_be_lengthened_with_a_note(store):
    [number] = queue(store, ANN)
    leased = lease(store)

    with store.engine() as connection:
        assert extend(connection, leased, LATER, "awaiting the answer") == []
        assert expire(connection, SOON.replace(second=59)) == 0

    assert ask(store, queues.delivery, number).note == "awaiting the answer"


def test_a_lost_lease_cannot_be_lengthened(store):
    [number] = queue(store, ANN)
    leased = lease(store)

    with store.engine() as connection:
        expire(connection, LATER)
        assert extend(connection, leased, LATER) == [number]


def test_the_attempt_counts_before_it_is_made(store):
    queue(store, ANN)
    lease(store)
    with store.engine() as connection:
        expire(connection, LATER)  # the node died with it

    [again] = lease(store, now=LATER)

    assert again.attempts == 2


def test_the_answer_is_kept(store):
    [number] = queue(store, ANN)

    end(store, lease(store)[0], answer=b"MSA|AA|C1\r")

    with store.reading() as connection:
        answer = delivery_moves.answer(connection, store.sealer, number)
    assert answer == b"MSA|AA|C1\r"


def test_a_parked_lane_goes_on_in_order_after_a_resend(store):
    first, second = queue(store, ANN, ANN)
    end(store, lease(store)[0], Event.PARK)

    order(store, resend, first)

    [leased] = lease(store)
    assert leased.id == first
    end(store, leased)
    assert ids(lease(store)) == [second]


def test_a_parked_lane_goes_on_after_a_discard(store):
    first, second = queue(store, ANN, ANN)
    end(store, lease(store)[0], Event.PARK)

    order(store, discard, first)

    assert ids(lease(store)) == [second]
    assert state(store, first) is State.DISCARDED


def test_a_delivered_document_can_be_sent_again_from_an_empty_lane(store):
    [first] = queue(store, ANN)
    end(store, lease(store)[0])

    order(store, resend, first)

    assert ids(lease(store)) == [first]


def test_a_failure_gone_past_is_resent_before_what_still_waits(store):
    passing = document(on_failure=OnFailure.CONTINUE)
    first, second, third = queue(store, passing, passing, passing)
    end(store, lease(store)[0], Event.PARK)
    [leased] = lease(store)

    order(store, resend, first)
    assert lease(store) == []  # the head in flight is not overtaken
    end(store, leased)

    assert ids(lease(store)) == [first]
    assert (leased.id, state(store, third)) == (second, State.QUEUED)


def test_a_leased_delivery_can_neither_be_resent_nor_discarded(store):
    [number] = queue(store, ANN)
    lease(store)

    for move in (resend, discard):
        with pytest.raises(IllegalTransitionError, match="leased"):
            order(store, move, number)


def test_a_discarded_queued_delivery_leaves_its_lane(store):
    first, second = queue(store, ANN, ANN)

    order(store, discard, first)

    assert ids(lease(store)) == [second]


def test_the_counters_equal_the_table(store):
    queue(store, ANN, ANN, BOB, document("cid"), document("dot"))
    anns, bobs, cids, _ = lease(store)
    end(store, anns)
    end(store, bobs, Event.PARK)
    end(store, cids, Event.RETRY, not_before=LATER)
    order(store, resend, bobs.id)
    order(store, discard, cids.id)

    with store.reading() as connection:
        rows = connection.execute(text("SELECT state FROM engine.delivery")).scalars()
        table = Counter(rows)
        counted = {one.state: one.count for one in queues.counts(connection)}

    assert counted == table


def test_what_waits_is_told_by_destination(store):
    queue(store, ANN, ANN, BOB, document("cid"))
    anns, bobs, _ = lease(store)
    end(store, anns, Event.PARK)
    end(store, bobs, Event.RETRY, not_before=LATER)

    [waiting] = ask(store, queues.waiting)

    assert (waiting.ready, waiting.leased, waiting.parked) == (1, 1, 1)
    assert (waiting.oldest, waiting.next_due) == (NOON, LATER)


def test_deliveries_are_listed_page_by_page(store):
    queued = queue(store, *(document(f"p{number}") for number in range(5)))
    lease(store, limit=2)
    still = DeliveryFilter(destination="registry", state=State.QUEUED)

    page = ask(store, queues.deliveries, still, limit=2)
    rest = ask(store, queues.deliveries, still, after=page[-1].id)

    assert ids(page) + ids(rest) == queued[2:]
    assert (
        ids(ask(store, queues.deliveries, DeliveryFilter(state=State.LEASED)))
        == (queued[:2])
    )


DAMAGES = [
    "UPDATE engine.rendered SET content = name WHERE delivery_id = :number",
    "UPDATE engine.rendered SET name = content WHERE delivery_id = :number",
    "UPDATE engine.rendered SET content = :none WHERE delivery_id = :number",
    "DELETE FROM engine.rendered WHERE delivery_id = :number",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_F12_a_damaged_document_comes_without_content_and_the_others_whole(
    store, damage
):
    first, second = queue(store, document("ann", name="a.hl7"), BOB)
    values = {"number": first} | ({"none": b""} if ":none" in damage else {})
    with store.engine() as connection:
        connection.execute(text(damage), values)

    damaged, whole = lease(store)

    assert (damaged.id, damaged.content, damaged.name) == (first, None, "")
    assert (whole.id, whole.content) == (second, b"document")


@pytest.mark.slow
def test_claiming_costs_the_same_behind_fifty_thousand_of_a_dead_destination(tmp_path):
    calm = empty_database("sqlite", tmp_path)  # in-process, so its work is measured
    crowded = empty_database("sqlite", tmp_path)
    for start in range(0, 50_000, 5_000):
        lanes = range(start, start + 5_000)
        queue(crowded, *(document(f"d{n % 9_000}", b"", "dead") for n in lanes))

    costs = [(seconds_for_fifty(calm), seconds_for_fifty(crowded)) for _ in range(12)]

    calm.close()
    crowded.close()
    alone, behind = map(min, zip(*costs, strict=True))
    assert behind < alone * 1.5


def seconds_for_fifty(store):
    """Return the CPU seconds that claiming and settling fifty deliveries took."""
    queue(store, *(document(f"p{number}") for number in range(50)))
    began = process_time()
    while leased := lease(store, limit=10):
        for one in leased:
            end(store, one)
    return process_time() - began
