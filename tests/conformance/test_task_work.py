"""What every database must do with work on doubts, before and around deciding."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.identity.person import LinkKind, fold
from engine.store import (
    links,
    moves,
    patient_tables,
    second_looks,
    task_moves,
    task_work,
    worklist,
)
from engine.store.audit import Order
from engine.store.patient_tables import TaskState
from engine.store.patients import shipped
from engine.store.second_looks import Practice
from engine.store.task_moves import Staged, request_of
from engine.store.task_work import Asked
from tests.databases import empty_database
from tests.hospital import NOON, ORDER, Hospital

HOME = "12 Elm St^^Salem^OR^97301"
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


@pytest.fixture
def hospital(store):
    return Hospital(store)


def decide_all(hospital, *staged):
    practice = Practice(shipped(), 0.0)
    return hospital.ask(
        task_moves.decide_all, staged, ORDER, practice, confidential=False
    )


def move_for(hospital, task, numbers, target="", **named):
    given = {"confidential": False, **named}
    practice = Practice(shipped(), 0.0)
    asked = request_of(numbers, target)
    return hospital.ask(
        task_moves.decide_by_move, task.id, asked, ORDER, practice, **given
    )


def tasks(hospital):
    with hospital.database.reading() as connection:
        return worklist.listed(connection)


def doubtful(hospital):
    hospital.send("1", birth="19800229")
    hospital.send("2", birth="19800301")
    [task] = tasks(hospital)
    return task


def test_an_unsure_reviewer_leaves_a_question_and_the_task_open(hospital):
    task = doubtful(hospital)

    found = hospital.ask(task_work.ask, task.id, Asked.UNSURE, ORDER)

    assert (found.state, found.asked) == (TaskState.OPEN, "unsure")
    [note] = hospital.ask(task_work.comments, task.id)
    assert (note.author, note.text) == (ORDER.actor, ORDER.reason)


def test_a_merge_requested_at_the_source_closes_when_it_is_told(hospital):
    task = doubtful(hospital)
    hospital.ask(task_work.ask, task.id, Asked.SOURCE, ORDER)

    hospital.send("1", trigger="A40", prior="2", birth="19800229", sent="20300102")

    assert tasks(hospital) == []
    with pytest.raises(IllegalTransitionError, match="not open"):
        hospital.ask(task_work.ask, task.id, Asked.UNSURE, ORDER)


def test_what_holds_messages_or_is_due_comes_first(hospital):
    first = doubtful(hospital)
    hospital.send("5", family="Otis", given="Ada", birth="19701103", ssn="512345678")
    hospital.send("5", trigger="A08", sent="20300103120000", **OTTO)
    second = tasks(hospital)[-1]
    assert second.held

    with hospital.database.reading() as connection:
        ranked = task_work.by_priority(connection)
    assert [(each.id, held) for each, held in ranked] == [(second.id, 1), (first.id, 0)]

    hospital.send("7", family="Whitcombe", given="Philippa", birth="19610228")
    hospital.send("8", family="Whitcombe", given="Philippa", birth="19610301")
    third = tasks(hospital)[-1]
    with hospital.database.engine() as connection:
        task_work.set_due(connection, third.id, NOON + timedelta(days=1))
        ranked = task_work.by_priority(connection)
        few = task_work.by_priority(connection, limit=2)
    assert [each.id for each, _ in ranked] == [second.id, third.id, first.id]
    assert few == ranked[:2]


def test_staged_decisions_are_applied_together_or_not_at_all(hospital):
    task = doubtful(hospital)
    good = Staged(task.id, Ruling.SAME)
    bad = Staged(task.id + 1, Ruling.SAME)

    with pytest.raises(IllegalTransitionError, match="no task"):
        decide_all(hospital, good, bad)
    assert [each.id for each in tasks(hospital)] == [task.id]

    [done] = decide_all(hospital, good, good)
    assert done.decision == Ruling.SAME
    assert hospital.person("1") == hospital.person("2")


def test_a_record_is_moved_to_answer_a_doubt_and_comes_back_when_it_is_undone(hospital):
    task = doubtful(hospital)
    hospital.send("3", **OTTO)
    number, otto = hospital.record("2").number, hospital.person("3")
    before = hospital.person("2")

    staged = Staged(task.id, request=request_of([number], otto))
    [done] = decide_all(hospital, staged)

    assert (done.state, done.decision) == (TaskState.DECIDED, "link")
    assert hospital.person("2") == otto
    hospital.ask(worklist.undo_task, task.id, ORDER)
    assert hospital.person("2") == before
    with pytest.raises(IllegalTransitionError, match="not open"):
        move_for(hospital, task, [number], otto)


def overlaid(hospital):
    """Return a doubt about one of two records that are one person, not one in doubt."""
    hospital.send("1", birth="19800229", address=HOME)
    hospital.send("5", authority="CLINIC", birth="19800229", address=HOME)
    hospital.send("2", birth="19800301")
    [task] = tasks(hospital)
    assert hospital.person("1") == hospital.person("5", "CLINIC")
    return task, hospital.record("5", "CLINIC").number


def test_a_person_who_holds_two_is_split_and_undo_finds_records_not_in_doubt(hospital):
    task, number = overlaid(hospital)
    before = hospital.person("1")

    done = move_for(hospital, task, [number])

    assert (done.state, done.decision) == (TaskState.DECIDED, "split")
    assert hospital.person("5", "CLINIC") not in {before, hospital.person("2")}
    hospital.ask(worklist.undo_task, task.id, ORDER)
    assert hospital.person("5", "CLINIC") == before
    assert hospital.faults() == ()


def test_a_move_taken_back_by_itself_leaves_the_rest_of_a_decision_to_undo(hospital):
    task, number = overlaid(hospital)
    move_for(hospital, task, [number])
    [event] = hospital.ask(lambda index: links.standing(index.connection, task.id))

    hospital.ask(moves.revert, event.number, ORDER)

    assert hospital.ask(worklist.undo_task, task.id, ORDER).state is TaskState.UNDONE


def test_only_records_of_the_persons_in_doubt_are_moved_and_only_to_somebody(hospital):
    task, number = overlaid(hospital)
    hospital.send("3", **OTTO)
    stranger, otto = hospital.record("3").number, hospital.person("3")

    for numbers, target in (
        ([stranger], ""),
        ([number, stranger], otto),
        ([], otto),
        ([number], "NOBODY"),
    ):
        with pytest.raises(IllegalTransitionError, match=r"choose records|no person"):
            move_for(hospital, task, numbers, target)
    assert [each.id for each in tasks(hospital)] == [task.id]


def test_M20_nobody_learns_of_a_confidential_person_by_moving_records_there(hospital):
    task, number = overlaid(hospital)
    hospital.send("3", about=["PD1||||||||||||Y"], **OTTO)
    otto = hospital.person("3")

    with pytest.raises(IllegalTransitionError, match="there is no person"):
        move_for(hospital, task, [number], otto)
    move_for(hospital, task, [number], otto, confidential=True)

    assert hospital.person("5", "CLINIC") == otto


def test_M17_a_held_message_waits_on_while_a_move_does_not_answer_its_doubt(hospital):
    hospital.send("1", address=HOME, ssn="512345678")
    hospital.send("5", authority="CLINIC", address=HOME, ssn="512345678")
    hospital.send("1", trigger="A08", sent="20300103120000", **OTTO)
    [task] = tasks(hospital)
    assert task.held

    done = move_for(hospital, task, [hospital.record("5", "CLINIC").number])

    assert done.state is TaskState.OPEN
    assert hospital.person("1") != hospital.person("5", "CLINIC")


def test_four_eyes_are_not_gone_round_by_moving_records(hospital):
    task, number = overlaid(hospital)
    ben = Order("ben", NOON, "not sure enough")
    hospital.ask(second_looks.propose, task.id, Ruling.DIFFERENT, ben)

    with pytest.raises(IllegalTransitionError, match="waits for a second person"):
        move_for(hospital, task, [number])


def test_every_line_of_the_history_can_be_taken_back(hospital):
    hospital.send("1", address=HOME)
    hospital.send("3", **OTTO)
    one, otto = hospital.person("1"), hospital.person("3")
    event = hospital.move(LinkKind.MERGE, source=otto, target=one)

    hospital.ask(moves.revert, event.number, ORDER)

    assert (hospital.person("1"), hospital.person("3")) == (one, otto)
    with pytest.raises(IllegalTransitionError, match="undone already"):
        hospital.ask(moves.revert, event.number, ORDER)


STEPS = st.tuples(
    st.sampled_from(["same", "different", "split", "link", "undo"]),
    st.integers(1, 4),
    st.integers(1, 4),
)


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, min_size=2, max_size=8))
def test_M06_no_order_of_decisions_and_moves_leaves_a_record_in_two_persons(
    tmp_path, steps
):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    for number, birth in enumerate(("19800229", "19800301", "19800228", "19800229"), 1):
        hospital.send(str(number), authority=f"H{number % 2}", birth=birth)
    known = [row.id for row in every(hospital, "record")]
    assert every(hospital, "task")

    for act, one, two in steps:
        number, at = hospital.record(str(one), f"H{one % 2}").number, f"H{two % 2}"
        for row in every(hospital, "task"):
            with suppress(IllegalTransitionError):
                match act:
                    case "split" | "link":
                        target = hospital.person(str(two), at) if act == "link" else ""
                        move_for(hospital, row, [number], target)
                    case "undo":
                        hospital.ask(worklist.undo_task, row.id, ORDER)
                    case _:
                        decide_all(hospital, Staged(row.id, Ruling(act)))

    told = hospital.ask(lambda index: fold(links.everything(index.connection)))
    assert {row.id: row.person for row in every(hospital, "record")} == told.person_of
    assert sorted(told.person_of) == sorted(known)
    assert hospital.faults() == ()
    hospital.database.close()


def every(hospital, name):
    table = getattr(patient_tables, name)
    with hospital.database.reading() as connection:
        return connection.execute(select(table).order_by(table.c.id)).all()
