"""What every database must do with what needs a person."""

import pytest

from engine.console.queries import error_queue as queries
from engine.store import error_queue, queues
from engine.store.delivery_moves import resend
from engine.store.delivery_state import Event
from engine.store.error_queue import Comment
from engine.store.message_state import MessageState
from engine.store.messages import discard, reprocess
from engine.store.queues import DeliveryFilter
from engine.store.results import Failure, Outcome
from engine.store.words import EntryKind
from tests.stored import (
    LATER,
    NOON,
    OPERATOR,
    accept_some,
    ask,
    document,
    end,
    failed,
    lease,
    order,
    processed,
    record,
)


def test_entries_with_one_cause_are_one_group(store):
    accept_some(store, 3)

    record(store, failed(1), failed(2))
    record(store, failed(3, sentence="Another cause."), now=LATER)

    first, second = ask(store, error_queue.groups)
    assert (first.open, first.oldest, first.code) == (2, NOON, "table-miss")
    assert (second.open, second.oldest, second.cause) == (1, LATER, "Another cause.")


def test_a_cause_without_its_values_groups_sentences_that_differ(store):
    accept_some(store, 2)
    outcomes = [
        Outcome(
            number,
            MessageState.ERROR,
            failure=Failure(
                "map", "permanent", "bad", f"Field {number} is bad.", "Field is bad."
            ),
        )
        for number in (1, 2)
    ]

    record(store, *outcomes)

    [group] = ask(store, error_queue.groups)
    assert (group.open, group.cause) == (2, "Field is bad.")


def test_a_failed_delivery_has_an_entry_and_counts_what_is_parked(store):
    accept_some(store, 1)
    record(store, processed(1, document("ann"), document("ann")))

    end(store, lease(store)[0], Event.PARK, class_="permanent", code="422", label="fix")

    [group] = ask(store, error_queue.groups)
    [entry] = ask(store, error_queue.entries, group=group.key)
    assert (group.parked, group.stage, group.label) == (1, "deliver", "fix")
    assert (entry.kind, entry.message_id, entry.delivery_id) == (
        EntryKind.DELIVERY,
        1,
        1,
    )


def test_quarantined_bytes_and_holds_have_entries_of_their_own_kind(store):
    accept_some(store, 2)
    frame = Failure("accept", "frame", "no-msh", "The block does not begin with MSH.")
    hold = Failure("identity", "permanent", "unknown-authority", "Not in the table.")

    record(
        store,
        Outcome(1, MessageState.ERROR, failure=frame),
        Outcome(2, MessageState.HELD, failure=hold),
    )

    kinds = [one.kind for one in ask(store, error_queue.entries)]
    assert kinds == [EntryKind.QUARANTINED, EntryKind.HELD]


def test_a_hold_for_an_identity_doubt_is_not_in_the_error_queue(store):
    accept_some(store, 1)

    record(store, Outcome(1, MessageState.HELD, holds=("ann",)))

    assert ask(store, error_queue.entries) == []


def test_reprocessing_closes_the_entry_and_a_new_failure_opens_another(store):
    accept_some(store, 1)
    record(store, failed(1))

    order(store, reprocess, 1)
    assert ask(store, error_queue.groups) == []
    record(store, failed(1, attempt=2, redo=True))

    closed, opened = ask(store, error_queue.entries, include_closed=True)
    assert (closed.closed_by, closed.resolution) == ("kim", "reprocess")
    assert opened.closed_at is None
    [group] = ask(store, error_queue.groups)
    assert group.open == 1


def test_resending_and_discarding_close_entries(store):
    accept_some(store, 2)
    record(store, failed(1), processed(2, document()))
    end(store, lease(store)[0], Event.PARK)

    order(store, discard, 1)
    order(store, resend, 1)

    assert ask(store, error_queue.entries) == []


@pytest.mark.parametrize("move", [queries.retry, queries.discard])
def test_an_order_for_entries_that_somebody_saw_to_leaves_those_out(store, move):
    accept_some(store, 2)
    record(store, processed(1, document("ann")), processed(2, document("bob")))
    for leased in lease(store):
        end(store, leased, Event.PARK)
    found = ask(store, error_queue.entries)
    order(store, resend, found[0].delivery_id)
    [again] = lease(store)
    end(store, again)

    with store.engine() as connection:
        count = move(connection, store.sealer, found, OPERATOR)

    states = [row.state for row in ask(store, queues.deliveries, DeliveryFilter())]
    assert (count, states[0]) == (1, "delivered")
    assert states[1] == ("queued" if move is queries.retry else "discarded")


def test_a_group_names_its_newest_entry(store):
    accept_some(store, 3)
    record(store, failed(1), failed(2))
    record(store, failed(3, sentence="Another cause."))

    assert [each.newest for each in ask(store, error_queue.groups)] == [2, 3]


def test_entries_are_assigned_and_commented(store):
    accept_some(store, 1)
    record(store, failed(1))
    with store.engine() as connection:
        assert error_queue.assign(connection, [1], "interfaces") == 1
        said = Comment(LATER, "kim", "Ann Doe called about this")
        error_queue.add_comment(connection, store.sealer, 1, said)

    with store.reading() as connection:
        assert error_queue.comments(connection, store.sealer, 1) == [said]
    assert ask(store, error_queue.entry, 1).assignee == "interfaces"


def test_entries_are_listed_page_by_page(store):
    accept_some(store, 3)
    record(store, failed(1), failed(2), failed(3))

    page = ask(store, error_queue.entries, limit=2)
    rest = ask(store, error_queue.entries, after=page[-1].id)

    assert [one.message_id for one in page + rest] == [1, 2, 3]
