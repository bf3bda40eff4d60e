"""Registrations looked up together are decided as if they had come one by one."""

from dataclasses import replace

import pytest

from engine.identity import decide
from engine.identity.blocking import CANDIDATES, ROWS_PER_KEY
from engine.identity.matching import keys_of
from engine.store.patient_changes import apply
from engine.store.patients import shipped
from engine.store.read_ahead import ReadAhead
from tests.databases import BOTH, empty_database
from tests.hospital import NOON, Hospital

HOME = "12 Elm St^^Salem^OR^97301"
THERE = ({"number": "1"}, {"number": "2", "authority": "CLINIC", "given": "Rosa"})
NEWS = (
    {"number": "3", "authority": "LAB", "address": HOME},
    {"number": "3", "authority": "LAB", "trigger": "A08", "middle": "May"},
    {"number": "1", "trigger": "A08", "birth": "19800228", "sent": "20300102"},
    {"number": "4", "authority": "LAB", "given": "Rosalynd", "address": HOME},
    {"number": "5", "authority": "CLINIC", "birth": "19800228", "middle": "May"},
    {"number": "6", "authority": "LAB", "family": "Doe", "given": "John", "birth": ""},
    {"number": "7", "authority": "LAB", "family": "Quist"},
)


@pytest.fixture(params=BOTH)
def hospital(request, tmp_path):
    database = empty_database(request.param, tmp_path, role="worker")
    yield Hospital(database)
    database.close()


def with_keys(index, registration):
    keys = keys_of(registration.traits, index, shipped())
    return replace(registration, keys=tuple(keys))


def registered(hospital, *, together):
    """Send some, then more in one transaction; return what was said of those."""
    for each in THERE:
        hospital.send(**each)
    news = [hospital.read(**each) for each in NEWS]
    said = []
    with hospital.database.engine() as connection:
        index = hospital.patients(connection)
        if together:
            news = [with_keys(index, each) for each in news]
            index.read_ahead(news)
        for each in news:
            decision = decide(each, index, shipped())
            apply(index, decision, NOON, shipped())
            match = decision.match
            compared = match and (match.record.traits, match.levels, match.bits)
            said.append((decision.outcome, decision.reasons, compared))
        index.flush()
    return said


def test_looked_up_together_they_are_decided_as_one_by_one(hospital, tmp_path):
    alone = Hospital(empty_database("sqlite", tmp_path / "alone"))

    together = registered(hospital, together=True)

    assert together == registered(alone, together=False)
    assert {outcome for outcome, *_ in together} == {"linked", "new", "doubt"}
    assert hospital.faults() == ()
    alone.database.close()


KEYS = (1, 2, 3)


def ahead_of(rows):
    """Return what was read of a table with these rows: (key, record)."""
    ahead = ReadAhead()
    ahead.read(lambda _, keys: [row for row in rows if row[0] in keys], KEYS, ())
    return ahead


def test_a_key_that_was_not_read_has_no_answer():
    ahead = ahead_of([(1, 7), (2, 7), (2, 8)])

    assert ahead.best([1, 2, 3]) == {7: 2, 8: 1}
    assert ahead.best([1, 4]) is None


def test_rows_written_since_count_and_changed_ones_are_asked_for_again():
    ahead = ahead_of([(1, 7)])

    ahead.written({1: [9], 3: [9], 4: [9]}, ())

    assert ahead.best(KEYS) == {7: 1, 9: 2}
    ahead.forget([3])
    assert ahead.best(KEYS) is None


def test_a_crowded_key_gives_its_oldest_records_and_the_best_go_first():
    ahead = ahead_of(
        [*((1, n) for n in range(100, 0, -1)), *((2, n) for n in range(50, 91))]
    )

    best = ahead.best([1, 2])

    of_both = dict.fromkeys(range(50, ROWS_PER_KEY + 1), 2)
    of_one = dict.fromkeys(range(1, CANDIDATES - len(of_both) + 1), 1)
    assert best == of_both | of_one


def test_an_identifier_is_free_until_it_is_written():
    ahead = ReadAhead()
    ahead.read(lambda *_: [(b"known",)], (), [b"known", b"new"])

    assert ahead.absent == {b"new"}
    ahead.written({}, [b"new"])
    assert not ahead.absent
