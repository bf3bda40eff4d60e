"""Waiting for the end of a message."""

from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock

from engine.channels.awaiting import Ended, Outcomes
from engine.errors import StoreError
from tests.fakes import ends_of


class Store:
    """Knows what the test says."""

    def __init__(self):
        self.ended, self.looks, self.away = {}, 0, False

    def look(self, asked):
        self.looks += 1
        if self.away:
            return fail(StoreError("away"))
        return succeed({key: self.ended[key] for key in asked if key in self.ended})


def waiting(store, clock, seconds=20.0, *, delivered=False):
    return told(Outcomes(store.look, clock), 7, seconds, delivered=delivered)


def told(outcomes, number, seconds=20.0, *, delivered=False):
    async def wait():
        return await outcomes.wait(number, seconds, delivered=delivered)

    return ends_of(wait())


def test_an_end_that_is_known_is_told_at_once():
    store, clock = Store(), Clock()
    store.ended[7, False] = Ended(good=True)

    assert waiting(store, clock) == [Ended(good=True)]
    assert clock.getDelayedCalls() == []


def test_an_end_is_told_soon_after_it_came():
    store, clock = Store(), Clock()
    ends = waiting(store, clock, delivered=True)
    assert ends == []

    store.ended[7, True] = Ended(good=False, reason="refused")
    clock.advance(0.1)

    assert ends == [Ended(good=False, reason="refused")]


def test_when_the_time_is_up_nothing_is_known_and_nobody_looks_any_more():
    store, clock = Store(), Clock()
    ends = waiting(store, clock, 1.0)

    for _ in range(30):
        clock.advance(0.1)
    looks = store.looks
    clock.advance(10)

    assert ends == [None]
    assert store.looks == looks


def test_a_store_that_is_away_is_asked_again():
    store, clock = Store(), Clock()
    store.away = True
    ends = waiting(store, clock)

    store.away = False
    store.ended[7, False] = Ended(good=True)
    clock.advance(0.1)

    assert ends == [Ended(good=True)]


def test_two_may_wait_for_different_things():
    store, clock = Store(), Clock()
    outcomes = Outcomes(store.look, clock)
    first, second = told(outcomes, 1), told(outcomes, 2)

    store.ended[2, False] = Ended(good=True)
    clock.advance(0.1)
    assert (first, second) == ([], [Ended(good=True)])
    store.ended[1, False] = Ended(good=False)
    clock.advance(0.1)

    assert first == [Ended(good=False)]
