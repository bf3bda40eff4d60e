"""What every database must do with the notes of the watch and with past pauses."""

from datetime import timedelta

from engine.store import traffic, watch_notes
from engine.store.audit import Order
from engine.store.reports import set_run_state
from engine.store.rests import rests
from engine.store.schema import EPOCH
from engine.store.watch_notes import Note, Noted
from engine.store.words import RunState
from tests.stored import NOON, ask

MINUTE = timedelta(minutes=1)


def note(store, minutes, **ages):
    stood = {(Noted.OLDEST, name, "his"): age for name, age in ages.items()}
    with store.engine() as connection:
        watch_notes.note(connection, stood, NOON + minutes * MINUTE)


def test_the_last_look_of_a_minute_is_what_is_noted_of_it(store):
    note(store, 0, adt=20, oru=70)
    note(store, 0.5, adt=50)
    note(store, 1)
    note(store, 2, adt=140)

    found = ask(store, watch_notes.notes, ["adt"], NOON)

    assert found == [
        Note(NOON, "oldest", "adt", "his", 50),
        Note(NOON + 2 * MINUTE, "oldest", "adt", "his", 140),
    ]
    assert ask(store, watch_notes.notes, ["adt"], NOON + MINUTE) == found[1:]
    assert ask(store, watch_notes.notes, [], NOON) == []


def test_one_knows_since_when_is_noted_though_nothing_waited(store):
    assert ask(store, watch_notes.noted_since) is None

    note(store, 0)
    note(store, 1, adt=20)

    assert ask(store, watch_notes.noted_since) == NOON


def test_notes_are_forgotten_after_eight_days(store):
    note(store, 0, adt=20)
    note(store, 1)

    with store.engine() as connection:
        traffic.prune(connection, NOON + timedelta(days=8) + MINUTE)

    assert ask(store, watch_notes.noted_since) == NOON + MINUTE


def move(store, minutes, state, channel="adt", destination=""):
    order = Order("kim", NOON + minutes * MINUTE)
    with store.engine() as connection:
        place = channel, destination
        set_run_state(connection, store.sealer, place, RunState(state), order)


def test_a_channel_rested_from_a_pause_to_the_next_start(store):
    move(store, 1, "running")
    move(store, 10, "paused")
    move(store, 12, "stopped")
    move(store, 13, "paused", "oru")
    move(store, 14, "paused", "adt", "his")
    move(store, 20, "running")
    move(store, 40, "stopped")
    until = NOON + 50 * MINUTE

    found = ask(store, rests, {"adt": True, "oru": True, "lab": True}, until)

    assert found == {
        "adt": [
            (NOON + 10 * MINUTE, NOON + 20 * MINUTE),
            (NOON + 40 * MINUTE, until),
        ],
        "oru": [(NOON + 13 * MINUTE, until)],
        "lab": [],
    }


def test_a_channel_that_is_started_by_hand_rested_before(store):
    move(store, 10, "running")

    found = ask(store, rests, {"adt": False, "lab": False}, NOON + 50 * MINUTE)

    assert found == {
        "adt": [(EPOCH, NOON + 10 * MINUTE)],
        "lab": [(EPOCH, NOON + 50 * MINUTE)],
    }
