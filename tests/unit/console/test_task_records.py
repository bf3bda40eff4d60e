"""S6, moving records: looked at, carried out or staged, and taken back."""

import re
from dataclasses import replace

import pytest

from engine.console.permissions import Permission
from engine.identity.corrections import Form
from engine.store import audit, links, worklist
from engine.store.audit import Wanted
from engine.store.patient_tables import TaskState
from engine.store.patients import SqlPatientIndex
from tests.databases import empty_database
from tests.hospital import Hospital
from tests.stored import ask
from tests.web import Web

DECIDES = (Permission.VIEW_METADATA, Permission.WORK_IDENTITY, Permission.VIEW_PHI)
HOME = "12 Elm St^^Salem^OR^97301"
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


@pytest.fixture
def hospital(tmp_path):
    """Return a doubt about one of the two records of a person, and a stranger."""
    hospital = Hospital(empty_database("sqlite", tmp_path, role="worker"))
    hospital.send("1", birth="19800229", address=HOME)
    hospital.send("5", authority="CLINIC", birth="19800229", address=HOME)
    hospital.send("2", birth="19800301")
    hospital.send("3", **OTTO)
    return hospital


@pytest.fixture
def web(hospital):
    forms = {("adt", "registry"): Form.FHIR}
    return Web(hospital.database, forms=forms).signed_in(*DECIDES)


@pytest.fixture
def task(web):
    [found] = ask(web.database, worklist.listed)
    return found


@pytest.fixture
def page(task):
    return f"/work/mismatch/{task.id}/records"


@pytest.fixture
def number(hospital):
    return hospital.record("5", "CLINIC").number


def shown(web, task):
    with web.database.reading() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        return worklist.shown(index, task.id)


def test_the_task_leads_to_every_record_of_the_persons_it_is_about(web, task, page):
    assert f'href="{page}"' in web.browse(f"/work/mismatch/{task.id}").text

    web.app.state.surroundings.directory.spoken["CLINIC"] = ("Day clinic", "")
    text = web.browse(page).text

    assert text.count('name="record"') == 3
    assert "<td>Day clinic</td>" in text
    assert "Vance" not in text


def test_a_split_is_looked_at_carried_out_and_taken_back(
    web, task, page, number, hospital
):
    before = hospital.person("1")

    looked = web.browse(page, f"record={number}&to=").text
    assert "off to a new person" in looked
    assert "The best values of" in looked
    assert "only value" in looked
    assert "Nothing leaves the building" in looked
    assert hospital.person("5", "CLINIC") == before

    done = web.submit(
        page, records=str(number), reason="two people", comment="see chart 7"
    )
    assert done.status == 303
    assert hospital.person("5", "CLINIC") != before
    text = web.browse(f"/work/mismatch/{task.id}").text
    assert "Decided <strong>split</strong>" in text
    assert "see chart 7" in text

    web.submit(f"/work/mismatch/{task.id}/undo", reason="it was one after all")
    assert hospital.person("5", "CLINIC") == before
    assert hospital.faults() == ()


def test_a_move_of_records_that_went_elsewhere_since_is_looked_at_again(
    web, task, page, number, hospital
):
    [seen] = re.findall(
        r'name="seen" value="([^"]+)"', web.browse(page, f"record={number}&to=").text
    )
    order = {"records": str(number), "reason": "two people", "seen": seen}
    person = hospital.person("5", "CLINIC")
    web.submit(f"/patients/{person}/unlink", number=number, reason="by ben")

    refused = web.submit(page, **order)

    assert refused.status == 409
    assert "have changed since they were shown" in refused.text


def test_a_move_is_staged_with_other_decisions(web, task, page, number, hospital):
    otto = hospital.person("3")

    looked = web.browse(page, f"record={number}&other={otto}&staged=").text
    [onward] = re.findall(r'href="([^"]*)">Stage it instead', looked)
    path, _, query = onward.partition("?")
    together = web.browse(path, query).text
    done = web.submit(path, staged=f"{task.id}.link.{number}.{otto}", reason="seen")

    assert f"record {number} to {otto}" in together
    assert done.status == 303
    assert hospital.person("5", "CLINIC") == otto
    assert shown(web, task).state is TaskState.DECIDED


def test_what_is_no_move_changes_nothing_and_says_so(web, task, page, number, hospital):
    theirs = hospital.record("3").number

    assert web.submit(page, reason="x").status == 422
    assert web.submit(page, records=str(number), reason=" ").status == 422
    assert web.submit(page, records=str(theirs), reason="x").status == 409
    assert "not possible" in web.browse(page, f"record={theirs}").text
    assert "not possible" in web.browse(page, f"record={number}&other=NONE").text
    assert "Look at the move" in web.browse(page, "record=x").text
    assert shown(web, task).state is TaskState.OPEN


def test_S11_records_are_moved_by_those_who_may_see_the_patients(
    web, task, page, number, hospital
):
    blind = web.signed_in(Permission.VIEW_METADATA, Permission.WORK_IDENTITY)
    assert blind.browse(page).status == 403
    assert blind.submit(page, records=str(number), reason="x").status == 403
    otto = hospital.person("3")
    with web.database.engine() as connection:
        connection.exec_driver_sql(
            "UPDATE person SET confidential = 1 WHERE eid = ?", (otto,)
        )

    hidden = web.browse(page, f"record={number}&other={otto}")

    assert "there is no person" in hidden.text
    assert "Vance" not in hidden.text
    with web.database.engine() as connection:
        connection.exec_driver_sql("UPDATE person SET confidential = 1")
    assert web.browse(page).status == 404
    assert web.submit(page, records=str(number), reason="x").status == 404


def test_whose_best_values_a_preview_shows_was_viewed_too(web, page, number, hospital):
    otto = hospital.person("3")
    wanted = Wanted(action="view", patients=(otto,))

    web.browse(page)
    before = ask(web.database, audit.search, web.database.sealer, wanted)
    web.browse(page, f"record={number}&other={otto}")

    assert before == []
    assert len(ask(web.database, audit.search, web.database.sealer, wanted)) == 1


def test_the_page_tells_what_was_done_before_and_is_written_down(web, page, number):
    web.submit(page, records=str(number), reason="two people")
    web.browse(page)

    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
        [event] = links.history(connection, [number])[-1:]
    assert f"undo={event.number}" in web.browse(page).text
    assert {"view", "split", "decide split"} <= {row.act.action for row in rows}


def test_who_reads_a_doubt_blind_sees_no_records_to_move(web, page, monkeypatch):
    monkeypatch.setattr("engine.console.pages.mismatch.BLIND_SHARE", 1.0)
    web.submit(page.removesuffix("records") + "different", reason="two passports")

    answer = web.signed_in(*DECIDES, name="ben").browse(page)

    assert answer.status == 409
    assert "read a second time" in answer.text


def test_a_program_moves_records_as_the_page_does(web, task, number, hospital):
    program, path = web.allowed(), f"/api/v1/tasks/{task.id}/move"
    program = replace(program, cookie="", csrf="")

    nothing = program.post(path, {"records": [], "reason": "x"}, "application/json")
    asked = {"records": [number], "target": "", "reason": "two people"}
    done = program.post(path, asked, "application/json")

    assert nothing.status == 422
    assert (done.status, done.json()["decision"]) == (200, "split")
    assert hospital.person("5", "CLINIC") != hospital.person("1")
