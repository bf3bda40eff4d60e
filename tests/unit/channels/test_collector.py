"""Collector: what refers to itself is freed between batches, and only there."""

import gc
import weakref

import pytest

from engine.channels.collector import (
    OFTEN,
    RARELY,
    SELDOM,
    Collector,
    collect_rarely,
)


class Loop(set[object]):
    """An object that only the cyclic collector can free."""

    def __init__(self):
        super().__init__([lambda: self])


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


def lost(made=Loop):
    """Return a weak reference to an object that nothing else refers to."""
    return weakref.ref(made())


def test_nothing_is_looked_at_while_a_batch_is_in_hand(collector):
    left = lost()
    trash = [[each] for each in range(2_000)]

    assert left() is not None
    assert len(trash) == 2_000


def test_what_a_batch_left_behind_is_freed_after_it(collector):
    left = lost()

    collector.after_batch()

    assert left() is None


def test_what_outlived_a_batch_is_found_some_batches_later(collector):
    held = Loop()
    left = weakref.ref(held)
    collector.after_batch()
    del held

    for _ in range(OFTEN):
        collector.after_batch()

    assert left() is None


def test_at_rest_everything_is_looked_at_once(collector):
    held = Loop()
    left = weakref.ref(held)
    for _ in range(OFTEN):
        collector.after_batch()
    del held

    collector.at_rest()

    assert left() is None


def test_without_rest_everything_is_looked_at_in_the_end(collector):
    held = Loop()
    left = weakref.ref(held)
    gc.collect(1)
    del held
    assert left() is not None

    for _ in range(SELDOM):
        collector.after_batch()

    assert left() is None


def test_afterwards_python_collects_by_itself_again():
    Collector().close()

    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_process_without_batches_goes_on_collecting_by_itself():
    before = gc.get_threshold()
    try:
        collect_rarely()

        assert gc.isenabled()
        assert gc.get_threshold() == RARELY
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
