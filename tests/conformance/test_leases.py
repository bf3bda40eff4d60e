"""What every database must do with ownership, reports and wanted states."""

from engine.store import leases, reports
from engine.store.reports import Report
from tests.stored import LATER, NOON, SOON, ask


def acquire(store, owner, now=NOON, until=SOON):
    with store.engine() as connection:
        return leases.acquire(connection, "channel:adt", owner, now, until)


def test_a_lease_belongs_to_one_owner_until_it_ends(store):
    first = acquire(store, "node-1")

    assert acquire(store, "node-2") is None
    second = acquire(store, "node-2", now=LATER)
    assert (first.epoch, second.epoch) == (1, 2)


def test_an_owner_may_take_its_own_lease_again(store):
    assert acquire(store, "node-1") == acquire(store, "node-1")


def test_a_lease_taken_over_can_neither_be_renewed_nor_used(store):
    first = acquire(store, "node-1")
    acquire(store, "node-2", now=LATER)

    with store.engine() as connection:
        assert not leases.renew(connection, first, LATER)
        assert not leases.is_held(connection, first)


def test_a_renewed_lease_lasts(store):
    first = acquire(store, "node-1")

    with store.engine() as connection:
        assert leases.renew(connection, first, LATER)
        assert leases.is_held(connection, first)

    assert acquire(store, "node-2", now=SOON) is None


def test_a_lease_given_back_is_free_at_once(store):
    first = acquire(store, "node-1")
    with store.engine() as connection:
        leases.give_back(connection, first)

    assert acquire(store, "node-2").epoch == first.epoch + 1


def test_the_latest_report_of_each_process_is_kept(store):
    edge = Report("node-1", "edge", "", 10, NOON, NOON)
    worker = Report("node-1", "worker", "1", 11, NOON, NOON)
    later = Report("node-1", "edge", "", 10, NOON, LATER, '{"listeners":1}')
    with store.engine() as connection:
        for one in (edge, worker, later):
            reports.report(connection, one)

    assert ask(store, reports.reports) == [later, worker]
