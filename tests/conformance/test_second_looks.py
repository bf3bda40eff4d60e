"""Doubts that two people read, scores of related doubts, and how people work."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.store import second_looks, task_work, worklist
from engine.store.audit import Order
from engine.store.patient_tables import task_candidate
from engine.store.patients import shipped
from engine.store.reviewers import reviewers
from engine.store.second_looks import Practice
from engine.store.training import registrations_a_day
from tests.databases import BOTH, empty_database
from tests.hospital import NOON, Hospital

NONE, EVERY = Practice(shipped(), 0.0), Practice(shipped(), 1.0)
SAME, DIFFERENT = Ruling.SAME, Ruling.DIFFERENT
LATER = "20300102120000"


@pytest.fixture(params=BOTH)
def hospital(request, tmp_path):
    database = empty_database(request.param, tmp_path, role="worker")
    hospital = Hospital(database)
    hospital.send("1", birth="19800229")
    hospital.send("2", birth="19800301")
    yield hospital
    database.close()


def by(name, minutes=0):
    return Order(name, NOON + timedelta(minutes=minutes), "seen both charts")


def decide(hospital, ruling, order, practice=NONE):
    number = task(hospital).id
    return hospital.ask(second_looks.decide, number, ruling, order, practice=practice)


def task(hospital):
    return hospital.ask(worklist.shown, 1)


def look(hospital):
    return hospital.ask(lambda p: second_looks.of_task(p.connection, 1))


def waiting(hospital, reader):
    return hospital.ask(lambda p: second_looks.waiting(p.connection, reader))


def is_one_person(hospital):
    return hospital.person("1") == hospital.person("2")


def test_with_four_eyes_nothing_happens_until_a_second_person_says_the_same(hospital):
    hospital.ask(second_looks.propose, 1, SAME, by("ann"))

    assert (task(hospital).state, is_one_person(hospital)) == ("open", False)
    assert (waiting(hospital, "ann"), waiting(hospital, "ben")) == ([], [1])
    with pytest.raises(IllegalTransitionError, match="waits for somebody else"):
        decide(hospital, SAME, by("ann"))
    with pytest.raises(IllegalTransitionError, match="two people already"):
        hospital.ask(second_looks.propose, 1, SAME, by("ben"))

    done = decide(hospital, SAME, by("ben"))

    assert (done.state, done.decided_by) == ("decided", "ben")
    assert is_one_person(hospital)
    assert look(hospital).agreed
    with pytest.raises(IllegalTransitionError, match="not open"):
        hospital.ask(second_looks.propose, 1, SAME, by("eve"))


def test_two_people_who_disagree_leave_the_doubt_open(hospital):
    hospital.ask(second_looks.propose, 1, SAME, by("ann"))

    left = decide(hospital, DIFFERENT, by("ben"))
    assert (left.state, look(hospital).agreed) == ("open", False)

    assert decide(hospital, DIFFERENT, by("ann")).state == "decided"
    assert not is_one_person(hospital)


def test_a_drawn_decision_is_read_blind_by_somebody_else_and_stands(hospital):
    decide(hospital, SAME, by("ann"), EVERY)

    assert waiting(hospital, "ben") == [1]
    assert second_looks.is_blind(look(hospital), "ben")
    assert not second_looks.is_blind(look(hospital), "ann")
    with pytest.raises(IllegalTransitionError, match="waits for somebody else"):
        decide(hospital, SAME, by("ann"))
    shown = second_looks.blinded(task(hospital))
    assert (shown.state, shown.decision, shown.candidates[0].bits) == ("open", "", 0)

    decide(hospital, DIFFERENT, by("ben", 70), EVERY)

    assert is_one_person(hospital)
    assert (task(hospital).decision, waiting(hospital, "eve")) == ("same", [])
    assert not second_looks.is_blind(look(hospital), "eve")


def test_no_decision_is_drawn_where_the_share_is_nothing(hospital):
    decide(hospital, DIFFERENT, by("ann"))

    assert (look(hospital), waiting(hospital, "ben")) == (None, [])
    assert not second_looks.is_blind(None, "ben")


def test_people_are_told_how_fast_they_decide_and_how_far_others_agree(hospital):
    decide(hospital, SAME, by("ann"), EVERY)
    decide(hospital, SAME, by("ben", 70), EVERY)

    with hospital.database.reading() as connection:
        found = reviewers(connection, NOON, NOON + timedelta(days=1))
        later = reviewers(connection, NOON + timedelta(days=1), NOON)

    assert [(f.name, f.decisions, f.per_hour) for f in found] == [
        ("ann", 1, 1.0),
        ("ben", 1, 1.0),
    ]
    assert {each.agreement for each in found} == {1.0}
    assert later == []


def test_related_doubts_are_scored_again_by_all_records_of_a_person(hospital):
    home, phone = "12 Elm St^^Salem^OR^97301", "5415550123"
    hospital.send("1", trigger="A08", birth="19800229", sent=LATER, address=home)
    hospital.send("2", trigger="A08", birth="19800301", sent=LATER, phone=phone)
    hospital.send("3", given="Rosa", birth="", address=home, phone=phone)
    one, other = (hospital.record(each).number for each in "12")
    before = bits(hospital)

    decide(hospital, SAME, by("ann"))

    after = bits(hospital)
    assert before[2, one] != before[2, other]
    assert after[2, one] == after[2, other]
    assert after[1, one] == before[1, one]
    assert hospital.ask(worklist.shown, 2).state == "open"


def bits(hospital):
    with hospital.database.reading() as connection:
        rows = connection.execute(select(task_candidate)).all()
    return {(row.task, row.record): row.millibits for row in rows}


def test_open_tasks_are_dealt_out_in_turn_and_those_given_stay(hospital):
    hospital.send("3", birth="19800301", given="Rosalie")
    some = [
        each for each, _ in hospital.ask(lambda p: task_work.by_priority(p.connection))
    ]

    given = hospital.ask(task_work.deal, ["ann", "ben"], by("kim"))
    again = hospital.ask(task_work.deal, ["eve"], by("kim"))

    with hospital.database.reading() as connection:
        names = [each.assignee for each, _ in task_work.by_priority(connection)]
    assert (given, again) == (len(some), 0)
    assert names == ["ann", "ben", "ann"][: len(some)]


def test_registrations_a_day_count_from_the_first_of_late(hospital):
    with hospital.database.reading() as connection:
        soon = registrations_a_day(connection, NOON + timedelta(hours=1))
        later = registrations_a_day(connection, NOON + timedelta(days=4))
        gone = registrations_a_day(connection, NOON + timedelta(days=90))

    assert (soon, later, gone) == (2.0, 0.5, 0.0)
