"""F21: a start that finds rows in every state; 100,000 of each by `make faults-pr`."""

from tests.databases import empty_database
from tests.faults.full_store import counted, fill, judge, recovered

ROWS = 20


def test_F21_recovery_ends_this_nodes_leases_and_touches_nothing_else(tmp_path):
    store = empty_database("sqlite", tmp_path)
    fill(store, ROWS)
    before, _ = counted(store)

    recovered(store)

    after, counters = counted(store)
    assert judge(before, after, counters, ROWS) == []


def test_F21_a_recovery_that_left_leases_or_counters_behind_is_seen(tmp_path):
    store = empty_database("sqlite", tmp_path)
    fill(store, ROWS)
    before, counters = counted(store)

    told = judge(before, before, counters, ROWS)
    told += judge(before, before, {}, ROWS + 1)

    assert [sentence.split()[1] for sentence in told] == [
        "states",
        "store",
        "states",
        "counters",
    ]
