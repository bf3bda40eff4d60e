"""What every database must do with the mismatch queue."""

import pytest

from engine.errors import IllegalTransitionError
from engine.identity import Category, Reason
from engine.identity.decision import Ruling
from engine.identity.person import LinkKind
from engine.store import audit, links, patient_views, worklist
from engine.store.audit import Order
from engine.store.moves import Request, move
from engine.store.patient_tables import TaskState
from engine.store.patients import shipped
from engine.store.previews import preview
from engine.store.worklist import Scope
from tests.databases import BOTH, empty_database
from tests.hospital import NOON, ORDER, Hospital

HOME = "12 Elm St^^Salem^OR^97301"
LATER = {"sent": "20300102120000"}
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


@pytest.fixture(params=BOTH)
def hospital(request, tmp_path):
    database = empty_database(request.param, tmp_path, role="worker")
    yield Hospital(database)
    database.close()


def tasks(hospital, **named):
    with hospital.database.reading() as connection:
        return worklist.listed(connection, **named)


def decide(hospital, number, ruling, *candidates):
    scope = Scope(candidates)
    return hospital.ask(worklist.decide_task, number, ruling, ORDER, scope)


def doubtful(hospital):
    """Return the one open task: two records of one system, much alike."""
    hospital.send("1", birth="19800229")
    hospital.send("2", birth="19800301")
    [task] = tasks(hospital)
    return task


def test_a_doubt_is_a_task_with_its_evidence_as_of_its_creation(hospital):
    task = doubtful(hospital)
    hospital.send("2", trigger="A08", birth="19800301", phone="5415550123", **LATER)

    shown = hospital.ask(worklist.shown, task.id)

    assert (task.category, task.reason) == (
        Category.DUPLICATE,
        Reason.POTENTIAL_DUPLICATE,
    )
    assert [each.record for each in task.candidates] == [hospital.record("1").number]
    assert "5415550123" not in shown.evidence["traits"]
    assert shown.evidence["candidates"][0]["levels"]["given"] == "eq"
    assert shown.evidence["candidates"][0]["bits"] == pytest.approx(
        task.candidates[0].bits, abs=0.001
    )


def test_a_task_explains_itself_in_a_sentence(hospital):
    task = doubtful(hospital)

    [found] = patient_views.explained(hospital.ask(worklist.shown, task.id), shipped())

    assert found.headline == (
        "Same given name (1 in 9,991 people), same sex, same family name (1 in 9,991 "
        "people); birth date differs."
    )
    assert sum(line.bits for line in found.lines) == pytest.approx(found.bits)


def test_tasks_are_counted_by_category(hospital):
    doubtful(hospital)

    with hospital.database.reading() as connection:
        assert worklist.open_counts(connection) == {"duplicate": 1}
        assert worklist.oldest_open(connection) == NOON


def test_same_person_merges_and_closes_the_task(hospital):
    task = doubtful(hospital)

    decided = decide(hospital, task.id, Ruling.SAME)

    assert hospital.person("1") == hospital.person("2")
    assert (decided.state, decided.decision, decided.decided_by) == (
        TaskState.DECIDED,
        "same",
        "ann",
    )
    assert tasks(hospital) == []
    assert hospital.faults() == ()


@pytest.mark.parametrize("kept", ["1", "2"])
def test_who_decides_may_choose_which_person_goes_on(hospital, kept):
    task = doubtful(hospital)
    chosen = hospital.person(kept)
    assert worklist.survivor_of(task) == hospital.person("1")
    for ruling, survivor in ((Ruling.SAME, "P9"), (Ruling.DIFFERENT, chosen)):
        with pytest.raises(IllegalTransitionError):
            hospital.ask(
                *(worklist.decide_task, task.id, ruling, ORDER),
                Scope(survivor=survivor),
            )

    hospital.ask(
        *(worklist.decide_task, task.id, Ruling.SAME, ORDER), Scope(survivor=chosen)
    )

    assert hospital.person("1") == hospital.person("2") == chosen
    assert hospital.faults() == ()


def test_M05_different_people_are_not_asked_about_again_until_a_trait_changes(hospital):
    task = doubtful(hospital)

    decide(hospital, task.id, Ruling.DIFFERENT)
    hospital.send("2", trigger="A08", birth="19800301", phone="5415550123", **LATER)
    hospital.send("2", birth="19800301")
    assert tasks(hospital) == []
    assert hospital.person("1") != hospital.person("2")

    hospital.send("2", trigger="A08", birth="19800228", sent="20300105120000")

    assert hospital.person("1") != hospital.person("2") or tasks(hospital) == []


def test_every_decision_is_undone_and_the_index_is_as_before(hospital):
    task = doubtful(hospital)
    before = (hospital.person("1"), hospital.person("2"))
    decide(hospital, task.id, Ruling.SAME)

    undone = hospital.ask(worklist.undo_task, task.id, ORDER)

    assert undone.state is TaskState.UNDONE
    assert (hospital.person("1"), hospital.person("2")) == before
    assert hospital.faults() == ()


def test_a_pair_told_apart_is_asked_about_after_it_is_undone(hospital):
    task = doubtful(hospital)
    decide(hospital, task.id, Ruling.DIFFERENT)
    assert hospital.rows("different") == 1

    hospital.ask(worklist.undo_task, task.id, ORDER)

    assert hospital.rows("different") == 0


@pytest.fixture
def three(hospital):
    """One task with two candidates that are two persons."""
    hospital.send("1", birth="19800229", ssn="")
    hospital.send("2", birth="19800301", ssn="")
    first = tasks(hospital)[0]
    decide(hospital, first.id, Ruling.DIFFERENT)
    hospital.send("3", birth="", sex="M")
    [task] = tasks(hospital)
    assert len(task.candidates) == 2
    return task


def test_M06_accepting_two_candidates_leaves_one_person(hospital, three):
    one, two = (each.record for each in three.candidates)

    assert decide(hospital, three.id, Ruling.SAME, one).state is TaskState.OPEN
    decide(hospital, three.id, Ruling.SAME, two)

    assert len({hospital.person(number) for number in "123"}) == 1
    assert tasks(hospital) == []
    assert hospital.faults() == ()


def test_M06_rejecting_the_second_after_accepting_the_first_works(hospital, three):
    one, two = (each.record for each in three.candidates)

    decide(hospital, three.id, Ruling.SAME, one)
    decided = decide(hospital, three.id, Ruling.DIFFERENT, two)

    assert decided.state is TaskState.DECIDED
    assert len({hospital.person(number) for number in "123"}) == 2
    assert tasks(hospital) == []


def test_a_merge_told_by_the_sender_closes_the_doubt_about_it(hospital):
    doubtful(hospital)

    hospital.send("1", trigger="A40", prior="2", birth="19800229", **LATER)

    assert tasks(hospital) == []


def test_M03_an_update_that_answers_a_doubt_closes_it(hospital):
    hospital.send("1", birth="19800229", ssn="123456780")
    hospital.send("2", birth="19800301")
    assert len(tasks(hospital)) == 1

    hospital.send("2", trigger="A08", birth="19800301", ssn="987654322", **LATER)

    assert tasks(hospital) == []


def test_M17_an_overlay_decided_as_the_same_person_is_written(hospital):
    hospital.send("1", address=HOME)
    hospital.send("1", trigger="A08", message=7, **OTTO, **LATER)
    [task] = tasks(hospital)
    assert (task.category, task.held) == (Category.OVERLAY, True)

    decide(hospital, task.id, Ruling.SAME)
    decision = hospital.send("1", trigger="A08", message=7, **OTTO, **LATER)

    assert not decision.held
    assert hospital.record("1").traits.given == "otto"


def test_M17_an_overlay_decided_as_another_person_leaves_the_record_alone(hospital):
    first = hospital.send("1", address=HOME).enterprise_id
    hospital.send("1", trigger="A08", message=7, **OTTO, **LATER)
    [task] = tasks(hospital)

    decide(hospital, task.id, Ruling.DIFFERENT)
    hospital.send("1", trigger="A08", message=7, **OTTO, **LATER)

    assert hospital.person("1") != first
    assert hospital.rows("record") == 2
    assert hospital.faults() == ()


def test_M18_a_confirmed_merge_is_carried_out_when_the_message_runs_again(hospital):
    hospital.send("1", address=HOME)
    hospital.send("2", **OTTO)
    merge = {"trigger": "A40", "prior": "2", "address": HOME, "message": 9, **LATER}
    hospital.send("1", **merge)
    [task] = tasks(hospital, category=Category.CONFLICTING_MERGE)

    decide(hospital, task.id, Ruling.SAME)
    hospital.send("1", **merge)

    assert hospital.person("1") == hospital.person("2")
    assert hospital.faults() == ()


def test_a_held_message_that_runs_again_opens_no_second_task(hospital):
    hospital.send("1", address=HOME)
    for _ in range(2):
        hospital.send("1", trigger="A08", message=7, **OTTO, **LATER)

    assert len(tasks(hospital)) == 1


def test_a_decided_task_cannot_be_decided_again(hospital):
    task = doubtful(hospital)
    decide(hospital, task.id, Ruling.SAME)

    with pytest.raises(IllegalTransitionError, match="decided, not open"):
        decide(hospital, task.id, Ruling.DIFFERENT)


def test_a_preview_shows_the_change_and_makes_none(hospital):
    hospital.send("1", address=HOME)
    hospital.send("2", **OTTO)
    one, two = hospital.person("1"), hospital.person("2")

    request = Request(LinkKind.MERGE, source=two, target=one)
    order = Order("ann", NOON, "seen both charts")
    found = hospital.ask(preview, lambda trial: move(trial, request, order))
    shown = found.as_row()

    numbers = [hospital.record(n).number for n in ("1", "2")]
    assert shown["before"] == {one: numbers[:1], two: numbers[1:]}
    assert shown["after"] == {one: numbers, two: []}
    assert shown["survivors"] == {two: one}
    assert (hospital.person("1"), hospital.person("2")) == (one, two)


def test_an_unlinked_record_goes_back_to_the_person_it_came_from(hospital):
    one = hospital.send("1", address=HOME).enterprise_id
    hospital.send("2", authority="LAB", address=HOME)
    two = hospital.send("3", **OTTO).enterprise_id
    record = hospital.record("2", "LAB").number
    hospital.move(LinkKind.LINK, records=(record,), target=two)
    assert hospital.person("2", "LAB") == two

    hospital.move(LinkKind.UNLINK, records=(record,))

    assert hospital.person("2", "LAB") == one
    assert hospital.faults() == ()


def test_every_decision_and_move_is_audited(hospital):
    task = doubtful(hospital)
    decide(hospital, task.id, Ruling.SAME)

    with hospital.database.reading() as connection:
        acts = audit.rows(connection, hospital.database.sealer)
        kinds = {each.kind for each in links.everything(connection)}

    assert [row.act.action for row in acts] == ["decide same", "merge"]
    assert {row.act.detail for row in acts} == {"seen both charts"}
    assert kinds == {LinkKind.LINK, LinkKind.MERGE}


def test_a_task_is_given_to_somebody(hospital):
    task = doubtful(hospital)

    with hospital.database.engine() as connection:
        worklist.assign(connection, task.id, "bea")

    assert tasks(hospital)[0].assignee == "bea"


def test_M03_a_message_that_fits_both_sides_of_a_doubt_settles_it(hospital):
    mary = {"family": "Johnson", "given": "Mary"}
    thin = {**mary, "birth": "19620304", "address": "12 Elm St^^Salem^OR^97301"}
    bare = {**mary, "birth": "", "phone": "5415550123"}
    hospital.send("1", **thin)
    hospital.send("2", authority="CLINIC", **bare)
    one, two = hospital.record("1"), hospital.record("2", "CLINIC")
    [task] = tasks(hospital)
    doubted = [
        hospital.ask(lambda index, of=each.number: index.doubted(of))
        for each in (one, two)
    ]

    hospital.send("3", authority="LAB", **{**bare, **thin})

    assert doubted == [{two.number}, {one.number}]
    assert tasks(hospital) == []
    assert hospital.ask(worklist.shown, task.id).decision == "answered"
    assert hospital.person("1") == hospital.person("2", "CLINIC")
    assert hospital.ask(lambda index: index.doubted(two.number)) == frozenset()
    assert hospital.faults() == ()
