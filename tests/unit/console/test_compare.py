"""S7: two persons side by side, and the question whether they are one."""

import re
from dataclasses import replace

import pytest

from engine.console.permissions import Permission
from engine.identity.person import LinkKind
from engine.store import audit, worklist
from engine.store.audit import Wanted
from engine.store.patients import shipped
from tests.databases import empty_database
from tests.hospital import Hospital
from tests.stored import ask
from tests.web import Web

SEE = (Permission.VIEW_METADATA, Permission.VIEW_PHI)
DECIDES = (*SEE, Permission.WORK_IDENTITY)
HOME = "12 Elm St^^Salem^OR^97301"
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


@pytest.fixture
def hospital(tmp_path):
    """Return two people nobody asked about, and somebody else."""
    hospital = Hospital(empty_database("sqlite", tmp_path, role="worker"))
    hospital.send("1", birth="19800229", address=HOME)
    hospital.send("5", authority="CLINIC", birth="19800229", address=HOME)
    hospital.send("2", **OTTO)
    return hospital


@pytest.fixture
def web(hospital):
    return Web(hospital.database).signed_in(*DECIDES)


@pytest.fixture
def one(hospital):
    return hospital.person("1")


@pytest.fixture
def otto(hospital):
    return hospital.person("2")


def open_tasks(web):
    return ask(web.database, worklist.listed)


def hide(web, eid):
    with web.database.engine() as connection:
        connection.exec_driver_sql(
            "UPDATE person SET confidential = 1 WHERE eid = ?", (eid,)
        )


@pytest.mark.parametrize("by", ["family", "number"])
def test_somebody_to_compare_with_is_found_and_stands_in_no_address(web, one, otto, by):
    asked = {"family": {"family": "Vance", "birthdate": "1955-11-07"}}.get(
        by, {"number": otto}
    )
    assert f'href="/patients/{one}/compare"' in web.browse(f"/patients/{one}").text
    assert "Search by name" in web.browse(f"/patients/{one}/compare").text

    place = web.submit(f"/patients/{one}/compare", **asked).headers["location"]
    found = web.browse(*place.split("?")).text

    assert re.fullmatch(rf"/patients/{one}/compare\?q=[\w-]{{12}}", place)
    assert f"compare?with={otto}" in found
    assert f"compare?with={one}" not in found


def test_two_persons_stand_side_by_side_with_evidence_and_both_are_viewed(
    web, one, otto
):
    text = web.browse(f"/patients/{one}/compare", f"with={otto}").text

    assert text.count('<th scope="col">Record') == 3
    assert "birth date differs" in text
    assert f"link at {shipped().thresholds.high:.1f}" in text
    for eid in (one, otto):
        wanted = Wanted(action="view", patients=(eid,))
        [row] = ask(web.database, audit.search, web.database.sealer, wanted)
        assert row.act.actor == "ana"
    assert open_tasks(web) == []


def test_asking_makes_a_task_and_joins_nobody(web, one, otto, hospital):
    place = f"/patients/{one}/ask"

    done = web.submit(place, other=otto, reason="one took the other's card")
    [task] = open_tasks(web)
    page = web.browse(f"/work/mismatch/{task.id}").text

    assert done.headers["location"] == f"/work/mismatch/{task.id}"
    assert "one took the other&#39;s card" in page
    assert "asked by a person" in page
    assert hospital.person("1") != hospital.person("2")
    again = web.submit(place, other=otto, reason="x")
    assert (again.status, len(open_tasks(web))) == (409, 1)
    compared = web.browse(f"/patients/{one}/compare", f"with={otto}").text
    assert f"Decide task {task.id}" in compared
    assert "Ask: may be one person" not in compared
    assert f"/work/mismatch/{task.id}" in web.browse("/work", "kind=mismatch").text


def test_the_answer_is_a_decision_like_any_other(web, one, otto, hospital):
    web.submit(f"/patients/{one}/ask", other=otto, reason="same card")
    [task] = open_tasks(web)

    web.submit(f"/work/mismatch/{task.id}/same", reason="same face")
    joined = hospital.person("1") == hospital.person("2")
    known = web.browse(f"/patients/{one}/compare", f"with={otto}")
    web.submit(f"/work/mismatch/{task.id}/undo", reason="no")

    assert joined
    assert known.status == 409
    assert "one person; choose somebody else" in known.text
    assert (hospital.person("1"), hospital.person("2")) == (one, otto)
    assert hospital.faults() == ()


def test_M03_no_rule_closes_what_a_person_asked(web, one, otto, hospital):
    web.submit(f"/patients/{one}/ask", other=otto, reason="same card")

    for number, given in (("2", OTTO), ("1", {"birth": "19800229", "address": HOME})):
        news = given | {
            "phone": "5415550199",
            "middle": "Q",
            "ssn": f"51234567{number}",
        }
        hospital.send(number, trigger="A08", sent="20300103120000", **news)

    assert [each.message for each in open_tasks(web)] == [0]


def test_M05_who_was_told_apart_is_not_asked_about_before_that_is_taken_back(
    web, one, otto, hospital
):
    numbers = hospital.record("1").number, hospital.record("2").number
    hospital.move(LinkKind.DIFFERENT, records=numbers)

    text = web.browse(f"/patients/{one}/compare", f"with={otto}").text
    refused = web.submit(f"/patients/{one}/ask", other=otto, reason="x")

    assert "said that these are different people" in text
    assert "Ask: may be one person" not in text
    assert (refused.status, open_tasks(web)) == (409, [])


def test_M20_a_confidential_person_is_compared_with_nobody(web, one, otto):
    hide(web, otto)

    found = web.submit(f"/patients/{one}/compare", family="Vance", given="Otto")
    place = found.headers["location"]
    assert "Nobody else fits" in web.browse(*place.split("?")).text
    assert web.browse(f"/patients/{one}/compare", f"with={otto}").status == 404
    assert web.browse(f"/patients/{otto}/compare").status == 404
    assert web.submit(f"/patients/{one}/ask", other=otto, reason="x").status == 404
    assert open_tasks(web) == []
    everything = web.signed_in(name="eva")
    assert everything.browse(f"/patients/{one}/compare", f"with={otto}").status == 200


def test_S11_comparing_needs_patients_and_asking_the_queue(web, one, otto):
    looks = web.signed_in(*SEE, name="leo")
    blind = web.signed_in(Permission.VIEW_METADATA, name="kim")
    works = web.signed_in(Permission.VIEW_METADATA, Permission.WORK_IDENTITY, name="b")
    place, asked = f"/patients/{one}/ask", {"other": otto, "reason": "x"}

    text = looks.browse(f"/patients/{one}/compare", f"with={otto}").text

    assert "Two persons side by side" in text
    assert "Ask: may be one person" not in text
    assert blind.browse(f"/patients/{one}/compare").status == 403
    assert [who.submit(place, **asked).status for who in (looks, works)] == [403, 403]
    assert web.submit(place, other=otto, reason=" ").status == 422


def test_a_program_asks_the_same(web, one, otto):
    program = replace(web.allowed(), cookie="", csrf="")
    asked = {"other": otto, "reason": "same card"}

    done = program.post(f"/api/v1/persons/{one}/ask", asked, "application/json")

    assert (done.status, done.json()["state"]) == (200, "open")
    assert [each.id for each in open_tasks(web)] == [done.json()["id"]]
