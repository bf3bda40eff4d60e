"""Answers to orders of programs: kept with the act, for a day, for one order."""

from engine.store import kept_answers
from engine.store.kept_answers import LASTS, Kept
from tests.stored import NOON

KEY = kept_answers.key_of("token 1 portal", "a")


def take(store, order=b"discard 1", now=NOON, key=KEY):
    with store.engine() as connection:
        return kept_answers.take(connection, store.sealer, key, order, now)


def test_a_key_stands_for_one_order_and_its_answer(store):
    assert take(store) is None
    with store.engine() as connection:
        kept_answers.keep(connection, store.sealer, KEY, b"one was discarded")

    assert take(store) == Kept(b"one was discarded", same=True)
    assert take(store, b"discard 2") == Kept(b"one was discarded", same=False)
    assert take(store, key=kept_answers.key_of("token 2 portal", "a")) is None
    assert take(store, now=NOON + LASTS) is None
