"""What every database must do with the patient index."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from engine.errors import IllegalTransitionError
from engine.hl7 import parse
from engine.identity import Outcome, Reason, decide, registration_of
from engine.identity.enterprise_identifier import handle_of
from engine.identity.person import LinkKind
from engine.store import (
    patient_views,
    patients,
    person_lists,
    person_numbers,
    quality,
    read_ahead,
)
from engine.store.audit import Order
from engine.store.moves import Request, move
from engine.store.patient_changes import apply
from engine.store.patients import shipped
from tests.builders import adt_patient
from tests.databases import BOTH, empty_database
from tests.hospital import NOON, Hospital

HOME = "12 Elm St^^Salem^OR^97301"
LATER = {"sent": "20300102120000"}
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


@pytest.fixture(params=BOTH)
def hospital(request, tmp_path):
    database = empty_database(request.param, tmp_path, role="worker")
    yield Hospital(database)
    database.close()


def test_a_registered_patient_is_found_again_by_number(hospital):
    first = hospital.send()

    again = hospital.send(trigger="A08", **LATER)

    assert again.reasons == (Reason.KNOWN_IDENTIFIER,)
    assert again.enterprise_id == first.enterprise_id
    assert hospital.faults() == ()


def test_the_same_patient_of_another_system_is_found_by_traits(hospital):
    first = hospital.send("1", address=HOME)

    second = hospital.send("77", authority="CLINIC", address=HOME)

    assert second.outcome is Outcome.LINKED
    assert second.enterprise_id == first.enterprise_id
    assert hospital.faults() == ()


def test_messages_of_one_transaction_see_one_another(hospital):
    with hospital.database.engine() as c, hospital.patients(c) as index:
        decisions = []
        for authority in ("HOSP", "CLINIC", "LAB"):
            registration = hospital.read("1", authority=authority, address=HOME)
            decisions.append(decide(registration, index, shipped()))
            apply(index, decisions[-1], NOON, shipped())

    assert [each.outcome for each in decisions] == ["new", "linked", "linked"]
    assert hospital.rows("person") == 1
    assert hospital.faults() == ()


def test_M21_a_transaction_that_fails_leaves_nothing(hospital):
    def killed(index):
        decision = decide(hospital.read(), index, shipped())
        apply(index, decision, NOON, shipped())
        index.flush()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        hospital.ask(killed)

    assert hospital.rows("record") == hospital.rows("authority") == 0
    assert hospital.send().outcome is Outcome.NEW
    assert hospital.faults() == ()


def test_M21_two_first_messages_at_once_give_one_person(hospital):
    others = [Hospital(hospital.database) for _ in range(4)]
    names = ("HOSP", "CLINIC", "LAB", "RADIO")
    start = Barrier(len(names))

    def send(other, message, authority):
        start.wait()
        return other.send("1", authority=authority, address=HOME, message=message)

    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(send, others, range(1, 5), names))

    assert sorted(each.outcome for each in found) == ["linked"] * 3 + ["new"]
    assert len({each.enterprise_id for each in found}) == 1
    assert hospital.faults() == ()


def test_M02_the_same_message_again_changes_nothing(hospital):
    hospital.send(message=5)
    before = {table: hospital.rows(table) for table in ("record", "block", "decision")}

    hospital.send(message=5)

    assert {table: hospital.rows(table) for table in before} == before


def test_an_update_writes_only_what_changed(hospital):
    hospital.send("1", address=HOME)

    hospital.send("1", trigger="A08", address="9 Oak Ave^^Bend^OR^97701", **LATER)

    assert hospital.record("1").traits.city == "bend"
    assert hospital.rows("record_version") == 1
    assert hospital.rows("link_event") == 1
    assert hospital.faults() == ()


def test_names_are_counted_as_records_have_them(hospital):
    hospital.send("1")
    hospital.send("2", **OTTO)
    hospital.send("1", trigger="A08", given="Rosalynd", **LATER)

    counts = hospital.ask(lambda index: index.frequencies("rosalynd", "vance"))
    gone = hospital.ask(lambda index: index.frequencies("rosalind", "abernethy"))

    assert counts == (1, 1, 2)
    assert gone == (0, 1, 2)


def test_nothing_that_names_a_patient_is_readable_in_the_tables(hospital):
    hospital.send("100482", family="Quistorp", ssn="123456780", control_id="A")
    hospital.send("2", family="Quistorp", birth="19800301", control_id="B")

    for table in ("record", "identifier", "name_count", "block", "task", "decision"):
        shown = hospital.readable(table)
        assert "quistorp" not in shown
        assert "100482" not in shown
        assert "123456780" not in shown


def test_a_merge_notice_joins_persons_and_the_old_number_leads_there(hospital):
    kept = hospital.send("1", address=HOME).enterprise_id
    gone = hospital.send("2", birth="19910817").enterprise_id

    hospital.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    assert hospital.person("2") == hospital.person("1") == kept
    assert hospital.record("2").retired
    assert hospital.ask(patient_views.view, gone).eid == kept
    assert hospital.faults() == ()


def test_one_notice_merges_several_numbers_into_one_not_seen_yet(hospital):
    hospital.send("2", given="Ada")
    hospital.send("3", given="Mary")

    pairs = [("1", "3")]
    hospital.send("1", trigger="A40", given="Ada", prior="2", pairs=pairs, **LATER)

    assert hospital.person("1") == hospital.person("2") == hospital.person("3")
    assert hospital.rows("record") == 3
    assert hospital.faults() == ()


def test_M07_unmerge_restores_membership_golden_record_and_resolution(hospital):
    kept = hospital.send("1", address=HOME).enterprise_id
    gone = hospital.send("2", birth="19910817", phone="2065550199").enterprise_id
    before = [hospital.ask(patient_views.view, each) for each in (kept, gone)]
    hospital.move(LinkKind.MERGE, source=gone, target=kept)
    assert hospital.ask(patient_views.view, gone).eid == kept

    hospital.move(LinkKind.UNMERGE, source=gone)

    after = [hospital.ask(patient_views.view, each) for each in (kept, gone)]
    assert after == before
    assert hospital.faults() == ()


def test_M05_a_merge_that_somebody_undid_is_not_done_again_by_the_feed(hospital):
    hospital.send("1", address=HOME)
    gone = hospital.send("2", birth="19910817").enterprise_id
    merge = {"trigger": "A40", "prior": "2", "address": HOME, **LATER}
    hospital.send("1", **merge)
    hospital.move(LinkKind.UNMERGE, source=gone)

    again = hospital.send("1", **merge)

    assert again.reasons == (Reason.MERGE_CONFLICT,)
    assert hospital.person("2") == gone


def test_one_message_may_name_a_new_patient_twice(hospital):
    decision = hospital.send("1", kind="ORU", trigger="R01", pairs=[("1", "")])

    assert {each.enterprise_id for each in decision.also} == {decision.enterprise_id}
    assert (hospital.rows("record"), hospital.rows("person")) == (1, 1)
    assert hospital.faults() == ()


def test_M07_what_came_for_a_merged_number_goes_back_with_it(hospital):
    kept = hospital.send("1", address=HOME).enterprise_id
    gone = hospital.send("2", birth="19910817").enterprise_id
    hospital.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    hospital.send("2", trigger="A08", birth="19910817", phone="2065550199", **LATER)
    hospital.move(LinkKind.UNMERGE, source=gone)

    assert hospital.ask(patient_views.view, gone).golden.traits.phone == "2065550199"
    assert hospital.ask(patient_views.view, kept).golden.traits.phone == ""


def test_M07_an_inverse_merge_is_held_and_writes_no_membership(hospital):
    hospital.send("1", address=HOME)
    hospital.send("2", birth="19910817")
    hospital.send("1", trigger="A40", prior="2", address=HOME, **LATER)
    events = hospital.rows("link_event")

    decision = hospital.send("2", trigger="A40", prior="1", sent="20300103120000")

    assert decision.held
    assert hospital.rows("link_event") == events
    assert hospital.open_tasks() == [Reason.MERGE_CONFLICT]


def test_A24_links_and_A37_takes_it_back_and_tells_apart(hospital):
    one = hospital.send("1", address=HOME).enterprise_id
    two = hospital.send("2", birth="19910817").enterprise_id
    hospital.send("1", trigger="A24", address=HOME, pairs=[("2", "")], **LATER)
    assert hospital.person("1") == hospital.person("2")

    hospital.send(
        "1", trigger="A37", address=HOME, pairs=[("2", "")], sent="20300103120000"
    )

    assert (hospital.person("1"), hospital.person("2")) == (one, two)
    assert hospital.rows("different") == 1
    assert hospital.faults() == ()


def test_a_change_of_number_keeps_one_record(hospital):
    first = hospital.send("1", address=HOME)

    hospital.send("9", trigger="A47", prior="1", address=HOME, **LATER)

    assert hospital.person("9") == first.enterprise_id
    assert hospital.rows("record") == 1
    assert (hospital.record("1").retired, hospital.record("9").retired) == (True, False)


def test_M17_an_overlay_is_held_and_a_split_repairs_one_that_happened(hospital):
    first = hospital.send("1", address=HOME).enterprise_id
    second = hospital.send("2", authority="LAB", address=HOME).enterprise_id
    assert first == second

    held = hospital.send("1", trigger="A08", **OTTO, **LATER)
    record = hospital.record("2", "LAB").number
    event = hospital.move(LinkKind.SPLIT, records=(record,))

    assert held.held
    assert hospital.record("1").traits.given == "rosalind"
    assert hospital.person("2", "LAB") == event.target != first
    assert hospital.faults() == ()


def test_M05_told_apart_records_stay_apart_until_a_trait_changes(hospital):
    hospital.send("1", address=HOME, phone="5415550123")
    hospital.send("2", given="", birth="", address=HOME, phone="5415550123")
    one, two = hospital.record("1").number, hospital.record("2").number
    hospital.move(LinkKind.DIFFERENT, records=(one, two))
    traits = hospital.record("2").traits

    apart = hospital.ask(lambda index: index.told_apart(two, traits))
    changed = hospital.ask(
        lambda index: index.told_apart(two, traits._replace(sex="M"))
    )

    assert apart == {one}
    assert changed == frozenset()


def test_M08_a_retired_identifier_resolves_however_far(hospital):
    people = [
        hospital.send(given, given=given).enterprise_id
        for given in ("Ada", "Beatrix", "Mary")
    ]
    hospital.move(LinkKind.MERGE, source=people[0], target=people[1])
    hospital.move(LinkKind.MERGE, source=people[1], target=people[2])

    seen = hospital.ask(patient_views.view, people[0])

    assert seen.eid == people[2]
    assert set(seen.retired) == {people[0], people[1]}


def test_a_handle_leads_to_everybody_whose_identifier_begins_alike(hospital):
    own, alike, after = "7KQ2M9XB4T0VW", "7KQ2M9ZZZZZZZ", "7KQ2MA0000000"
    for eid, name in ((own, "Ada"), (alike, "Beatrix"), (after, "Mary")):
        message = parse(adt_patient(name, given=name))
        read = registration_of(message, hospital.reading, partial(str, eid), 1)
        hospital.take(read.registration)

    both = hospital.named(handle_of(own))
    hospital.move(LinkKind.MERGE, source=own, target=after)

    assert both == [own, alike]
    assert hospital.named(handle_of(own)) == [alike, after]
    assert hospital.named(handle_of(after)) == [after]
    assert hospital.named("lusab-babad") == hospital.named("Ada") == []


def test_the_export_has_one_line_for_each_message(hospital):
    person = hospital.send("1", control_id="A").enterprise_id
    hospital.send("2", birth="19800301", control_id="B")
    hospital.send("1", trigger="A08", control_id="C", **LATER)

    with hospital.database.reading() as connection:
        rows = person_lists.touched(connection)

    assert [row.control_id for row in rows] == ["A", "B", "C"]
    assert [row.outcome for row in rows] == ["new", "doubt", "linked"]
    assert rows[0].person == rows[2].person == person
    assert rows[1].candidate == "A"


def test_a_move_needs_a_reason(hospital):
    one = hospital.send("1").enterprise_id
    two = hospital.send("2", **OTTO).enterprise_id

    with pytest.raises(IllegalTransitionError, match="reason"):
        hospital.ask(
            move, Request(LinkKind.MERGE, source=one, target=two), Order("ann", NOON)
        )


STEPS = st.tuples(st.sampled_from(LinkKind), st.integers(0, 4), st.integers(0, 4))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=10))
def test_M06_the_tables_are_the_fold_of_the_events_after_any_moves(tmp_path, steps):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    for n in range(5):
        hospital.send(str(n), birth=f"19{n}10817", given=f"Name{n}")

    for kind, one, two in steps:
        left, right = hospital.record(str(one)), hospital.record(str(two))
        pair = kind in {LinkKind.DIFFERENT, LinkKind.WITHDRAW}
        records = (left.number, right.number) if pair else (left.number,)
        try:
            hospital.move(
                kind, records=records, source=left.person, target=right.person
            )
        except IllegalTransitionError:
            continue

    assert hospital.faults() == ()
    hospital.database.close()


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (patients._known(1), 1),
        (patients._candidates(3), 3),
        (patients.MEMBERS, 1),
        (patients._members_of(3), 3),
        (patients._COUNTS, 3),
        (patients._records(3), 3),
        (read_ahead._asked("key, record", "block", 3), 3),
        (read_ahead._asked("key", "identifier", 3), 3),
        (str(person_numbers._CALLED.compile(dialect=sqlite.dialect())), 2),
    ],
)
def test_the_hot_statements_use_their_indexes(tmp_path, sql, values):
    database = empty_database("sqlite", tmp_path)

    with database.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (b"",) * values)
        steps = [row[3] for row in plan]

    database.close()
    assert any(step.startswith("SEARCH") for step in steps)
    whole = {"r", "i", "block", "identifier", "name_count", "person"}
    assert whole.isdisjoint(step.removeprefix("SCAN ") for step in steps)


def test_M14_who_is_unidentified_is_listed_until_somebody_says_who_they_are(hospital):
    doe = {"family": "Doe", "given": "John", "birth": "", "sex": "M"}
    hospital.send("7", **doe)
    hospital.send("8", **doe)
    later = NOON + timedelta(days=8)
    first = [hospital.record("7"), hospital.record("8")]

    assert [each.record for each in unidentified_before(hospital, later)] == [
        each.number for each in first
    ]
    assert unidentified_before(hospital, NOON) == []

    hospital.send("7", **OTTO, trigger="A08", **LATER)
    hospital.send("9", **OTTO, ssn="123-45-6780")
    hospital.move(
        LinkKind.MERGE, source=hospital.person("8"), target=hospital.person("9")
    )

    assert unidentified_before(hospital, later) == []


def unidentified_before(hospital, instant):
    with hospital.database.reading() as connection:
        return quality.unidentified(connection, instant)
