"""What every database must do with lanes of persons whose records moved."""

from engine.store import lane_joins
from engine.store.counters import last_reserved
from engine.store.deliveries import next_due
from engine.store.delivery_state import Event
from engine.store.tables import lane_join
from tests.stored import LATER, NOON, document, end, lease, queue

PLACE = ("adt", "registry")


def follow(store, before, after):
    """Let one person's lane follow another's, for all that is queued so far."""
    with store.engine() as connection:
        until = last_reserved(connection, "delivery")
        lane_joins.join(connection, store.sealer, PLACE, (before, after), until)


def contents(leased):
    return [each.content for each in leased]


def test_the_lane_that_was_left_drains_first(store):
    queue(store, document("old", b"1"), document("old", b"2"))
    follow(store, "old", "new")
    queue(store, document("new", b"3"))

    first = lease(store)
    assert contents(first) == [b"1"]
    end(store, first[0], Event.RETRY, not_before=LATER)
    assert lease(store) == []

    [again] = lease(store, now=LATER)
    end(store, again, now=LATER)
    [second] = lease(store, now=LATER)
    assert second.content == b"2"
    end(store, second, now=LATER)
    assert contents(lease(store, now=LATER)) == [b"3"]


def test_older_deliveries_of_the_lane_that_follows_do_not_wait(store):
    queue(store, document("new", b"1"))
    queue(store, document("old", b"2"))

    follow(store, "old", "new")

    assert sorted(contents(lease(store))) == [b"1", b"2"]


def test_lanes_that_follow_one_another_both_ways_never_stand_still(store):
    queue(store, document("a", b"1"), document("b", b"2"))
    follow(store, "a", "b")
    queue(store, document("b", b"3"))
    follow(store, "b", "a")
    queue(store, document("a", b"4"))

    sent = []
    while found := lease(store):
        sent += contents(found)
        for each in found:
            end(store, each)

    assert sent == [b"1", b"2", b"3", b"4"]


def test_what_comes_to_the_lane_that_was_left_afterwards_holds_nobody_up(store):
    queue(store, document("old", b"1"))
    follow(store, "old", "new")
    queue(store, document("new", b"2"))
    end(store, lease(store)[0])
    queue(store, document("old", b"3"))

    assert sorted(contents(lease(store))) == [b"2", b"3"]


def test_a_lane_that_waits_is_not_due(store):
    queue(store, document("old", b"1"))
    follow(store, "old", "new")
    [first] = lease(store)
    queue(store, document("new", b"2"))

    with store.reading() as connection:
        assert next_due(connection, *PLACE) is None

    end(store, first)
    with store.reading() as connection:
        assert next_due(connection, *PLACE) == NOON


def test_what_is_over_is_forgotten(store):
    queue(store, document("old", b"1"))
    follow(store, "old", "new")
    end(store, lease(store)[0])

    with store.engine() as connection:
        lane_joins.forget(connection)
        rows = connection.execute(lane_join.select()).all()

    assert rows == []
