"""What every database must do when content may be forgotten."""

import pytest
from sqlalchemy import select

from engine.errors import IllegalTransitionError
from engine.store import delivery_moves, journal, messages, queues, retention, tables
from engine.store.batches import Batch
from engine.store.delivery_state import Event
from engine.store.fragments import Fragment
from engine.store.message_state import MessageState
from engine.store.results import Outcome
from tests.stored import (
    LATER,
    OPERATOR,
    accept,
    accept_some,
    arrival,
    ask,
    document,
    end,
    failed,
    lease,
    order,
    processed,
    record,
)


def purge(store):
    """Let retention decide, and edge purge; return what was purged."""
    with store.engine() as connection:
        retention.decide(connection, store.sealer, LATER, OPERATOR)
    with store.journal() as connection:
        purged = retention.purge(connection)
    with store.engine() as connection:
        retention.confirm(connection, purged)
    return purged


def test_only_what_is_done_with_is_purged(store):
    accept_some(store, 6)
    record(
        store,
        processed(1, document("ann")),
        processed(2, document("bob")),
        processed(3, document("cid")),
        failed(4),
        Outcome(5, MessageState.HELD),
    )
    anns, bobs, _ = lease(store)
    end(store, anns)
    end(store, bobs, Event.PARK)

    assert purge(store) == [1]
    assert purge(store) == []


def test_purged_content_is_gone_and_the_rest_remains(store):
    accept_some(store, 1)
    record(store, processed(1, document("ann")))
    end(store, lease(store)[0], answer=b"MSA|AA")

    purge(store)

    with store.reading() as connection:
        assert journal.content(connection, store.sealer, 1) is None
        assert delivery_moves.content(connection, store.sealer, 1) is None
        assert delivery_moves.answer(connection, store.sealer, 1) == b""
    assert ask(store, journal.row, 1).control_id == "C0"
    assert ask(store, queues.delivery, 1).sha256


def test_purged_messages_are_not_processed_again(store):
    accept_some(store, 1)
    record(store, processed(1))
    purge(store)

    with pytest.raises(IllegalTransitionError, match="removed by retention"):
        order(store, messages.reprocess, 1)


def rows(store, table):
    with store.reading() as connection:
        return len(connection.execute(select(table)).all())


def test_a_chain_of_fragments_is_forgotten_with_its_last_content(store):
    accept(store, arrival(fragment=Fragment("", "next")))
    accept(store, arrival(fragment=Fragment("next", "")), arrival())
    record(store, processed(1), failed(2))
    purge(store)
    assert (
        rows(store, tables.fragment) == 2
    )  # half a chain would pass for a whole message

    order(store, messages.discard, 2)
    purge(store)

    assert rows(store, tables.fragment) == 0


def test_a_batch_is_forgotten_with_the_last_content_of_its_messages(store):
    both = Batch("one", control_id="B1", found=2)
    accept(store, arrival(batch=both), arrival(batch=both), arrival())
    record(store, processed(1), failed(2))
    purge(store)
    assert rows(store, tables.batch) == 1

    order(store, messages.discard, 2)
    purge(store)

    assert rows(store, tables.batch) == 0
