"""The page of one doubt: evidence, preview, decision, and the way back."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine.channels.format.load import load_site
from engine.channels.processing.corrections import forms_of
from engine.console.pages import mismatch
from engine.console.permissions import Permission
from engine.store import audit, patient_tables, patient_views, worklist
from engine.store.moves import person_of
from engine.store.patients import SqlPatientIndex, shipped
from engine.store.task_readers import STAYS_OPEN
from tests.sites import site_with_doubt
from tests.web import Web

DECIDES = (Permission.VIEW_METADATA, Permission.WORK_IDENTITY, Permission.VIEW_PHI)


@pytest.fixture
def web(tmp_path):
    site = site_with_doubt(tmp_path)
    forms = forms_of(load_site(site.config, None, {}).channels)
    return Web(site.database("console"), forms=forms)


def state_of(web, number=1):
    with web.database.reading() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        return worklist.shown(index, number).state


def persons(web):
    with web.database.reading() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        found = worklist.shown(index, 1)
        records = [found.record, *(each.record for each in found.candidates)]
        return {person_of(connection, each) for each in records}


def test_records_stand_side_by_side_with_the_evidence_in_sentences(web):
    text = web.signed_in(*DECIDES).browse("/work/mismatch/1").text

    with web.database.reading() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        [told] = patient_views.explained(worklist.shown(index, 1), shipped())
    assert "(this message)" in text
    assert [line.sentence for line in told.lines if line.sentence not in text] == []
    assert "differs" in text


def test_the_bits_of_each_trait_are_drawn_beside_their_sentence(web):
    text = web.signed_in(*DECIDES).browse("/work/mismatch/1").text

    assert 'class="weight for"' in text
    assert f"link at {shipped().thresholds.high:.1f}" in text


def test_characters_that_differ_are_marked_in_both_records(web):
    text = web.signed_in(*DECIDES).browse("/work/mismatch/1").text

    assert text.count('<mark class="letters">') >= 2
    assert "differs" in text


def test_a_number_key_chooses_who_goes_on_and_the_preview_shows_it(web):
    known = web.signed_in(*DECIDES)
    first = known.browse("/work/mismatch/1").text
    [other] = re.findall(r'data-key="\d" href="[^"]*survivor=([^"&]+)"', first)

    chosen = known.browse("/work/mismatch/1", f"preview=same&survivor={other}").text
    stranger = known.browse("/work/mismatch/1", "survivor=NOBODY").text
    refused = known.submit("/work/mismatch/1/same", reason="seen", survivor="NOBODY")
    known.submit("/work/mismatch/1/same", reason="seen", survivor=other)

    assert first.count("✓ this person") == 1
    assert f'stands for <span class="mono">{other}</span>' in chosen
    assert f'name="survivor" value="{other}"' in chosen
    assert f"1.same.{other}" in chosen
    assert 'name="survivor"' not in stranger
    assert refused.status == 409
    assert persons(web) == {other}


def test_who_goes_on_is_asked_only_where_persons_become_one(web):
    known = web.signed_in(*DECIDES)
    [one, _] = sorted(persons(web))

    apart = known.submit("/work/mismatch/1/different", reason="seen", survivor=one)

    assert apart.status == 303
    assert "this person" not in known.browse("/work/mismatch/1").text


def test_what_somebody_else_has_open_is_read_along_and_taken_over(web):
    first, second = web.signed_in(*DECIDES), web.signed_in(*DECIDES, name="ben")
    for path in ("/work/mismatch/1", "/work/mismatch/1/records"):
        assert "Take over" not in first.browse(path).text
        along = second.browse(path).text
        assert "<strong>ana</strong> opened this task at" in along
        assert "Same person" not in along
        assert "Look at the move" not in along

    taken = second.submit("/work/mismatch/1/take")

    assert taken.status == 303
    assert "Same person" in second.browse("/work/mismatch/1").text
    assert "<strong>ben</strong> opened" in first.browse("/work/mismatch/1").text
    assert first.submit("/work/mismatch/1/same", reason="seen").status == 303
    assert "Take over" not in second.browse("/work/mismatch/1").text


def test_a_task_somebody_opened_long_ago_is_nobodys(web):
    web.signed_in(*DECIDES).browse("/work/mismatch/1")
    web.now += STAYS_OPEN + timedelta(seconds=1)

    later = web.signed_in(*DECIDES, name="ben").browse("/work/mismatch/1").text

    assert "Take over" not in later


def test_opening_a_doubt_is_written_down_and_needs_the_right_to_see_patients(web):
    web.signed_in(*DECIDES).browse("/work/mismatch/1")
    blind = web.signed_in(Permission.VIEW_METADATA, Permission.WORK_IDENTITY)

    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer, subject="task 1")
    assert [row.act.action for row in rows] == ["view", "view"]
    assert len({row.patient for row in rows} - {""}) == 2
    assert blind.browse("/work/mismatch/1").status == 403
    assert blind.submit("/work/mismatch/1/same", reason="x").status == 403
    assert "/work/mismatch/1" not in blind.browse("/work", "kind=mismatch").text
    assert "/work/mismatch/1" in (
        web.signed_in(*DECIDES).browse("/work", "kind=mismatch").text
    )


def test_a_doubt_about_a_confidential_person_is_for_those_who_may_see_them(web):
    with web.database.engine() as connection:
        connection.exec_driver_sql("UPDATE person SET confidential = 1")
    few, all_of_them = web.signed_in(*DECIDES), web.signed_in()

    assert few.browse("/work/mismatch/1").status == 404
    assert few.submit("/work/mismatch/1/different", reason="x").status == 404
    for form in ("", ".csv", ".json"):
        assert "POTENTIAL" not in few.browse(f"/work{form}", "kind=mismatch").text
        assert "POTENTIAL" in all_of_them.browse(f"/work{form}", "kind=mismatch").text
    assert all_of_them.browse("/work/mismatch/1").status == 200
    assert state_of(web) == "open"


def test_a_preview_says_who_would_hold_what_and_what_would_be_sent(web):
    known = web.signed_in(*DECIDES)

    same = known.browse("/work/mismatch/1", "preview=same").text
    different = known.browse("/work/mismatch/1", "preview=different").text

    assert "holds nothing any more" in same
    assert "sends " in same
    assert "Nothing leaves the building." in different
    assert state_of(web) == "open"


def test_a_decision_is_made_once_with_its_reason_and_taken_back(web):
    known = web.signed_in(*DECIDES)
    two = persons(web)

    silent = known.submit("/work/mismatch/1/same", reason=" ")
    first = known.submit("/work/mismatch/1/same", reason="same passport")
    joined, decided = persons(web), known.browse("/work/mismatch/1").text
    second = known.submit("/work/mismatch/1/different", reason="no")
    undone = known.submit("/work/mismatch/1/undo", reason="wrong passport")

    assert (silent.status, first.status) == (422, 303)
    assert (len(two), len(joined)) == (2, 1)
    assert "Undo this decision" in decided
    assert (second.status, undone.status) == (409, 303)
    assert state_of(web) == "undone"
    assert persons(web) == two


def test_a_doubt_that_was_decided_has_no_preview(web):
    known = web.signed_in(*DECIDES)
    known.submit("/work/mismatch/1/different", reason="two passports")

    text = known.browse("/work/mismatch/1", "preview=same").text

    assert "If you decide" not in text


@pytest.mark.parametrize("what", ["unsure", "source", "comment"])
def test_a_doubt_can_wait_with_a_word_about_it(web, what):
    known = web.signed_in(*DECIDES)

    known.submit(f"/work/mismatch/1/{what}", reason="which passport was it?")

    assert "which passport was it?" in known.browse("/work/mismatch/1").text
    assert state_of(web) == "open"


def test_a_doubt_that_there_is_not_is_a_page_that_says_so(web):
    known = web.signed_in(*DECIDES)

    assert known.browse("/work/mismatch/99").status == 404
    assert known.submit("/work/mismatch/1/burn", reason="x").status == 404


def test_a_second_person_reads_blind_and_nothing_tells_what_was_decided(web):
    first, second = web.signed_in(*DECIDES), web.signed_in(*DECIDES, name="ben")
    first.submit("/work/mismatch/1/propose-same", reason="one passport")
    asked = first.browse("/work/mismatch/1").text
    refused = first.submit("/work/mismatch/1/same", reason="one passport")

    agreed = second.submit("/work/mismatch/1/same", reason="I see it too")

    assert "somebody else has to decide" in asked
    assert (refused.status, agreed.status) == (409, 303)
    assert state_of(web) == "decided"
    assert "Read twice" in second.browse("/work/mismatch/1").text


def test_a_drawn_doubt_is_shown_without_score_and_decision(web, monkeypatch):
    monkeypatch.setattr(mismatch, "BLIND_SHARE", 1.0)
    first, second = web.signed_in(*DECIDES), web.signed_in(*DECIDES, name="ben")
    first.submit("/work/mismatch/1/different", reason="two passports")

    queue = second.browse("/work", "kind=mismatch").text
    page = second.browse("/work/mismatch/1").text
    read = second.submit("/work/mismatch/1/same", reason="one face")

    assert "Waiting for a second person" in queue
    assert "You read this doubt a second time" in page
    for hidden in ("bits", "Decided", "two passports", *persons(web)):
        assert hidden not in page
    assert read.status == 303
    assert "ben <strong>same</strong>" in second.browse("/work/mismatch/1").text
    assert len(persons(web)) == 2


def source_changes(web):
    """Let the source of the candidate say another phone and street."""
    with web.database.engine() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        number = worklist.shown(index, 1).candidates[0].record
        record = index.record(number)
        assert record is not None
        news = record.traits._replace(phone="5415550199", street="birch ln")
        sealed = web.database.sealer.seal(news.packed().encode(), f"record|{number}")
        where = patient_tables.record.c.id == number
        connection.execute(
            update(patient_tables.record).where(where), {"traits": sealed}
        )


def test_what_a_source_changed_since_is_marked(web):
    source_changes(web)

    page = web.signed_in(*DECIDES).browse("/work/mismatch/1").text

    assert page.count("changed since") == 2


@pytest.mark.parametrize("what", ["same", "different", "propose-same"])
def test_records_that_changed_since_they_were_shown_are_looked_at_again(web, what):
    known, place = web.signed_in(*DECIDES), "/work/mismatch/1"

    def decide():
        [seen] = re.findall(r'name="seen" value="([^"]+)"', known.browse(place).text)
        return lambda: known.submit(f"{place}/{what}", reason="as shown", seen=seen)

    late = decide()
    source_changes(web)
    refused, before = late(), state_of(web)
    done = decide()()

    assert (refused.status, before, done.status) == (409, "open", 303)
    assert "have changed since they were shown" in refused.text


def test_a_program_decides_on_the_records_it_read_or_reads_again(web):
    program, path = web.allowed(*DECIDES), "/api/v1/tasks/1"

    def decide(etag):
        more, body = [(b"if-match", etag.encode())], b'{"reason": "as read"}'
        return program.ask(
            "POST", f"{path}/same", "", body, "application/json", more
        ).status

    before = program.get(path).headers["etag"]
    source_changes(web)

    assert decide(before) == 412
    assert decide(program.get(path).headers["etag"]) == 200


def test_tasks_are_dealt_out_from_the_list(web):
    known = web.signed_in(*DECIDES)

    nobody = known.submit("/work/mismatch/deal", names=" , ")
    done = known.submit("/work/mismatch/deal", names="ann, ben")

    assert (nobody.status, done.status) == (422, 303)
    assert "<td>ann</td>" in known.browse("/work", "kind=mismatch").text
