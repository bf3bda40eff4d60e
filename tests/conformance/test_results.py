"""What every database must do with what processing led to."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text

from engine.errors import IllegalTransitionError
from engine.store import leases, queues, results, search, table_misses
from engine.store.delivery_state import Event, State
from engine.store.message_state import MessageState
from engine.store.messages import discard, release, reprocess
from engine.store.queues import DeliveryFilter
from engine.store.results import Batch, Outcome, SearchKey, TableMiss
from engine.store.search import MessageFilter
from tests.stored import (
    LATER,
    NOON,
    accept,
    accept_some,
    arrival,
    ask,
    claim,
    document,
    end,
    failed,
    lease,
    order,
    processed,
    record,
)

DOE = SearchKey("family", "Doe")


def states(store, *numbers):
    return [ask(store, search.message, number).state for number in numbers]


def found(store, **fields):
    with store.reading() as connection:
        wanted = MessageFilter(**fields)
        return [one.id for one in search.messages(connection, store.sealer, wanted)]


def held(message_id, **fields):
    return Outcome(message_id, MessageState.HELD, **fields)


def test_a_batch_gives_each_message_its_state_and_its_deliveries(store):
    accept_some(store, 3)

    numbers = record(
        store,
        processed(1, document("ann"), document("ann", destination="archive")),
        Outcome(2, MessageState.FILTERED, reason="only adults"),
        failed(3),
    )

    assert numbers == [[1, 2], [], []]
    assert states(store, 1, 2, 3) == ["processed", "filtered", "error"]
    assert ask(store, search.message, 2).reason == "only adults"


def test_a_message_nobody_has_finished_is_received(store):
    accept_some(store, 2)
    record(store, processed(1))

    assert states(store, 2) == [MessageState.RECEIVED]
    assert found(store, state=MessageState.RECEIVED) == [2]


def test_each_attempt_is_kept_with_its_report(store):
    accept_some(store, 1)
    record(store, failed(1, revision="aaa", report=b'{"losses":[]}'))
    order(store, reprocess, 1)
    record(store, processed(1, attempt=2, redo=True, revision="bbb", duration_us=300))

    with store.reading() as connection:
        first, second = search.attempts(connection, store.sealer, 1)

    assert (first.state, first.revision, first.report) == (
        MessageState.ERROR,
        "aaa",
        b'{"losses":[]}',
    )
    assert (second.state, second.revision, second.duration_us) == (
        MessageState.PROCESSED,
        "bbb",
        300,
    )


def test_a_worker_that_lost_its_channel_writes_nothing(store):
    accept_some(store, 1)
    with store.engine() as connection:
        ours = leases.acquire(connection, "channel:adt", "node-1", NOON, NOON)
        leases.acquire(connection, "channel:adt", "node-2", LATER, LATER)

    with pytest.raises(IllegalTransitionError, match="node-1 lost"):
        record(store, processed(1), lease=ours)

    assert states(store, 1) == [MessageState.RECEIVED]


def test_a_message_is_not_recorded_twice(store):
    accept_some(store, 1)
    record(store, processed(1))

    with pytest.raises(IllegalTransitionError, match="processed"):
        record(store, processed(1, attempt=2))


def test_reprocessing_discards_what_was_not_sent_and_keeps_what_was(store):
    accept_some(store, 1)
    record(store, processed(1, document("ann"), document("ann"), document("ann")))
    end(store, lease(store)[0])
    end(store, lease(store)[0], Event.PARK)

    order(store, reprocess, 1)
    [again] = claim(store)
    record(store, processed(1, document("ann"), attempt=2, redo=True))

    assert again.redo
    of_message = ask(store, queues.deliveries, DeliveryFilter(message_id=1))
    assert [(one.attempt, one.state) for one in of_message] == [
        (1, State.DELIVERED),
        (1, State.DISCARDED),
        (1, State.DISCARDED),
        (2, State.QUEUED),
    ]


def test_only_finished_messages_are_reprocessed(store):
    accept_some(store, 2)
    record(store, held(1))

    with pytest.raises(IllegalTransitionError, match="held"):
        order(store, reprocess, 1)


def test_later_messages_of_a_held_person_are_known_to_wait(store):
    accept_some(store, 1)
    record(store, held(1, holds=("mrn|100482", "E1")))

    with store.reading() as connection:
        waits = results.blocked(connection, store.sealer, ["mrn|100482", "mrn|7"])

    assert waits == {"mrn|100482": 1}


def test_a_person_waits_for_each_of_two_messages(store):
    accept_some(store, 2)
    record(store, failed(1, holds=("ann",)), failed(2, holds=("ann",)))

    order(store, discard, 1)

    with store.reading() as connection:
        assert results.blocked(connection, store.sealer, ["ann"]) == {"ann": 2}


def test_releasing_a_held_message_releases_those_behind_it_in_order(store):
    accept_some(store, 4)
    record(store, held(1, holds=("ann",)))
    record(store, held(2, behind=1), processed(3), held(4, behind=1))
    assert ask(store, search.behind, 1) == [2, 4]

    assert order(store, release, 1) == 3

    assert [one.row.id for one in claim(store)] == [1, 2, 4]
    with store.reading() as connection:
        assert results.blocked(connection, store.sealer, ["ann"]) == {}


def test_discarding_a_held_message_releases_those_behind_it(store):
    accept_some(store, 2)
    record(store, held(1, holds=("ann",)), held(2, behind=1))

    assert order(store, discard, 1) == 1

    assert states(store, 1, 2) == [MessageState.FILTERED, MessageState.RECEIVED]
    assert [one.row.id for one in claim(store)] == [2]


def test_a_message_is_found_by_what_names_its_patient(store):
    accept_some(store, 3)
    born = SearchKey("birth", "19800229")
    record(
        store,
        processed(1, keys=(DOE, born), person="E1"),
        processed(2, keys=(DOE,), person="E2"),
        processed(3, keys=(SearchKey("family", "Roe"),)),
    )

    assert found(store, keys=(SearchKey("family", " doe"),)) == [2, 1]
    assert found(store, keys=(DOE, born)) == [1]
    assert found(store, keys=(DOE,), person="E2") == [2]
    assert found(store, keys=(SearchKey("given", "Doe"),)) == []


def test_messages_are_found_by_channel_state_type_and_time(store):
    oru = {"message_type": "ORU", "trigger_event": "R01"}
    accept(
        store,
        arrival("C1"),
        arrival("C2", received_at=LATER, **oru),
        arrival("C3", channel="lab", received_at=LATER + timedelta(hours=1)),
    )
    record(store, failed(1))

    assert found(store) == [3, 2, 1]
    assert found(store, channel="lab") == [3]
    assert found(store, state=MessageState.ERROR) == [1]
    assert found(store, message_type="ORU", trigger_event="R01") == [2]
    assert found(store, since=LATER, until=LATER) == [2]


def test_messages_are_listed_page_by_page(store):
    accept_some(store, 5)

    with store.reading() as connection:
        every = MessageFilter()
        page = search.messages(connection, store.sealer, every, limit=2)
        rest = search.messages(connection, store.sealer, every, before=page[-1].id)

    assert [one.id for one in page + rest] == [5, 4, 3, 2, 1]


def test_codes_without_a_row_are_counted_by_table_and_sender(store):
    accept_some(store, 2)
    glux = TableMiss("local-to-loinc", "GLUX", "LAB")
    record(store, processed(1, misses=(glux, glux)), processed(2, misses=(glux,)))

    with store.reading() as connection:
        [miss] = table_misses.misses(connection, store.sealer)

    assert (miss.channel, miss.table, miss.sender) == ("adt", "local-to-loinc", "LAB")
    assert (miss.code, miss.count, miss.message_id) == ("GLUX", 3, 2)


def test_the_counters_equal_the_table(store):
    accept_some(store, 6)
    record(store, processed(1), failed(2), held(3), failed(4), processed(5))
    order(store, reprocess, 2, 5)
    order(store, discard, 4)
    record(store, failed(2, attempt=2, redo=True))

    with store.reading() as connection:
        rows = connection.execute(text("SELECT state FROM engine.message")).scalars()
        table = Counter(rows)
        counted = {one.state: one.count for one in queues.counts(connection)}

    assert counted == table


def test_what_the_output_gate_has_seen_is_counted_by_destination(store):
    accept_some(store, 3)
    record(
        store,
        processed(1, gates=(("clinic", True), ("registry", False))),
        processed(2, gates=(("clinic", False),)),
    )
    record(store, processed(3, gates=(("clinic", True),)))

    assert ask(store, queues.gates) == [
        queues.Gate("adt", "clinic", 3, 2),
        queues.Gate("adt", "registry", 1, 0),
    ]
    assert {one.subject for one in ask(store, queues.counts)} == {"message"}


def test_what_a_channel_took_in_and_what_waits_is_told_without_counting_all(store):
    accept_some(store, 4)
    record(store, processed(1), processed(2))
    order(store, reprocess, 1)

    [intake] = ask(store, queues.intake)

    assert (intake.messages, intake.waiting, intake.repeats) == (4, 3, 0)
    assert intake.oldest_waiting == NOON


def test_a_failing_batch_leaves_nothing_half_done(store):
    accept_some(store, 1)
    batch = Batch("adt", [processed(1, document("ann"), keys=(DOE,))])

    with suppress(KeyboardInterrupt), store.engine() as connection:
        results.record(connection, store.sealer, batch, NOON)
        raise KeyboardInterrupt

    assert states(store, 1) == [MessageState.RECEIVED]
    assert ask(store, queues.counts) == []
    assert lease(store) == []


def test_only_an_end_of_processing_can_be_recorded(store):
    accept_some(store, 1)

    with pytest.raises(IllegalTransitionError, match="received"):
        record(store, Outcome(1, MessageState.RECEIVED))
