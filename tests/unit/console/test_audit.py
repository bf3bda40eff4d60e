"""S13 Audit, and emergency access that is told at once."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from sqlalchemy import text

from engine.console.pages import account
from engine.console.permissions import Permission
from engine.store import audit, search
from engine.store.audit import Act
from tests.databases import empty_database
from tests.sites import busy_site, site_with_doubt
from tests.stored import NOON
from tests.web import SITE, Lines, Web

AUDITOR = "auditor"


@pytest.fixture
def web(tmp_path):
    return Web(empty_database("sqlite", tmp_path))


def write(web, *acts):
    with web.database.engine() as connection:
        audit.write(connection, web.database.sealer, acts)


def act(actor="kim", action="message.discard", subject="message 7", detail="old"):
    return Act(NOON, actor, action, subject, detail)


def items(browser, **asked):
    return browser.get("/audit.json", **asked).json()["items"]


def test_the_trail_is_filtered_by_who_what_about_and_when(web):
    write(web, act(), act("eve", "view", "message 8"), act("eve", "view", "message 9"))
    browser = web.signed_in(AUDITOR)

    assert [each["subject"] for each in items(browser, actor="eve")] == [
        "message 9", "message 8",
    ]  # fmt: skip
    assert len(items(browser, action="message.discard")) == 1
    assert items(browser, subject="message 8")[0]["actor"] == "eve"
    assert items(browser, actor="eve", since="2031-01-01") == []
    assert len(items(browser, actor="eve", until="2031-01-01")) == 2
    assert browser.get("/audit.json", since="never").status == 422


def test_a_page_says_which_filters_leave_nothing(web):
    browser = web.signed_in(AUDITOR)

    text = browser.browse("/audit", "actor=nobody&action=view").text

    assert "No act fits" in text
    assert '<a href="/audit?action=view">actor</a>' in text


def test_a_long_trail_goes_on(web):
    write(web, *(act(subject=f"message {number}") for number in range(120)))
    browser = web.signed_in(AUDITOR)

    first = browser.browse("/audit", "actor=kim")
    assert "before=" in first.text
    assert "message 0<" not in first.text
    assert "message 0<" in browser.browse("/audit", "actor=kim&before=50").text


def test_an_export_is_written_down_itself(web):
    browser = web.signed_in(AUDITOR)
    write(web, act())

    csv = browser.get("/audit.csv", actor="kim").text

    assert csv.splitlines()[1].endswith("kim,message.discard,message 7,old,")
    assert [row["action"] for row in items(browser)].count("audit.export") == 2


def test_acts_are_exported_as_fhir_audit_events_without_their_details(web):
    write(web, act("ned", "sign-in.failed", "user ned", "from 10.0.0.1"), act("ned"))
    browser = web.signed_in(AUDITOR)

    found = browser.get("/audit.fhir", actor="ned").json()

    assert (found["resourceType"], found["total"]) == ("Bundle", 2)
    other, failed = (each["resource"] for each in found["entry"])
    assert failed["type"]["code"] == "110114"
    assert (failed["outcome"], other["outcome"]) == ("8", "0")
    assert failed["recorded"] == "2030-01-01T12:00:00.000+00:00"
    assert other["type"]["display"] == "Application Activity"
    assert "10.0.0.1" not in str(found)


@pytest.mark.parametrize(("done", "action"), [("update", "U"), ("delete", "D")])
def test_a_patient_that_was_fed_is_exported_as_iti_104_says(web, done, action):
    fed = Act(NOON, "registry 10.0.0.1", f"feed.{done}", "message 7", patient="P1")
    write(web, fed)

    answer = web.signed_in(AUDITOR).get("/audit.fhir", action=f"feed.{done}").json()

    [event] = (each["resource"] for each in answer["entry"])
    AuditEvent.model_validate(event)
    assert (event["type"]["code"], event["action"]) == ("rest", action)
    assert [each["code"] for each in event["subtype"]] == [done, "ITI-104"]
    client, server = event["agent"]
    assert client["who"]["display"] == "registry"
    assert client["network"]["address"] == "10.0.0.1"
    assert server["type"]["coding"][0]["code"] == "110152"
    patient, message = event["entity"]
    assert re.fullmatch("[0-9a-f]{32}", patient["what"]["identifier"]["value"])
    assert message["what"]["display"] == "message 7"
    assert "P1" not in str(event)


def test_who_viewed_a_patient_is_found_through_messages_and_answers_too(tmp_path):
    web = Web(busy_site(tmp_path).database("console"))
    told = '{"query": [["family", "Doe"]], "persons": ["P1"]}'
    write(
        web,
        act("ana", "view", "message 1"),
        act("bob", "view", "message 2"),
        act("eve", "view", "person P1"),
        act("zoe", "query.pdqm", "patient index", told),
        act("odd", "query.pdqm", "patient index", "not JSON"),
        act("kim", "message.discard", "message 1"),
    )
    blind, seeing = web.signed_in(AUDITOR), web.signed_in(AUDITOR, "view-phi")

    found = items(blind, person="P1")

    assert [each["actor"] for each in found] == ["zoe", "eve", "ana"]
    assert "Doe" not in str(found)
    assert "Doe" in str(items(seeing, person="P1"))


def test_S11_who_opened_a_person_is_found_by_the_hash_and_by_earlier_subjects(tmp_path):
    """A trail of before acts were hashed goes on in one chain with those of today."""
    site = site_with_doubt(tmp_path)
    web = Web(site.database("console"), replace(SITE, folder=site.config))
    with web.database.reading() as connection:
        row = search.message(connection, 1)
    assert row is not None
    person = row.person
    write(web, act("old", "view", f"person {person}"), act("old", "view", "person P0"))
    doctor = web.signed_in("steward", "records", name="doc")

    doctor.browse(f"/patients/{person}")
    doctor.browse("/work/mismatch/1")
    web.allowed().get(f"/fhir/Patient/{person}")
    site.run("messages", "show", row.id, "--reveal")
    site.run("deliveries", "show", 1, "--document")
    found = items(web.signed_in(AUDITOR), person=person)

    acts = [(each["action"], each["subject"]) for each in reversed(found)]
    assert acts == [
        ("view", f"person {person}"),
        ("view", "person"),
        ("view", "task 1"),
        ("view.patient", "patient index"),
        ("reveal", f"message {row.id}"),
        ("reveal", f"message {row.id}"),
    ]
    assert found[-1]["patient"] == ""
    assert len({each["patient"] for each in found[:-1]}) == 1
    assert "were as written" in web.signed_in(AUDITOR).submit("/audit/verify").text
    views = doctor.browse(f"/patients/{person}", "tab=views").text
    assert "task 1" in views


def test_a_whole_chain_is_said_to_be_as_written(web):
    browser = web.signed_in(AUDITOR)
    assert "not walked since" in browser.browse("/audit").text

    assert "were as written" in browser.submit("/audit/verify").text


def test_S19_a_broken_chain_names_the_first_bad_row_and_stays(web):
    write(web, act(), act("eve"), act())
    with web.database.engine() as connection:
        connection.execute(text("DROP TRIGGER engine.audit_update"))
        tamper = "UPDATE engine.audit SET actor = 'nobody' WHERE id = 2"
        connection.execute(text(tamper))
    browser = web.signed_in(AUDITOR)

    shown = browser.submit("/audit/verify").text

    assert "The chain is broken: Row 2 was changed." in shown
    assert "The 1 row before it is as written" in shown
    assert "Row 2 was changed." in browser.browse("/audit").text


def test_S12_emergency_access_has_a_reason_a_banner_and_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(account, "_log", logs := Lines())
    web = Web(busy_site(tmp_path).database("console"))
    boss, ana = web.signed_in("administrator", name="boss"), web.signed_in("operator")
    assert "Doe" not in ana.browse("/messages/1").text

    refused = ana.submit("/account/emergency", reason=" ")
    ana.submit("/account/emergency", reason="unconscious in A&E", minutes=500)

    assert refused.status == 422
    assert "Doe" in ana.browse("/messages/1").text
    assert "Emergency access</strong> until 13:00" in ana.browse("/").text
    assert "ana" in boss.browse("/users").text.split("<main")[0].split("top")[1]
    assert logs.events == ["emergency_access"]
    [opened] = items(web.signed_in(AUDITOR), action="break-glass")
    assert opened["detail"] == "unconscious in A&E"
    ana.now = NOON + timedelta(minutes=14)
    assert "Doe" in ana.browse("/messages/1").text
    ana.submit("/account/emergency/end")
    assert "Doe" not in ana.browse("/messages/1").text


def test_S12_emergency_access_is_over_after_an_hour(tmp_path):
    web = Web(busy_site(tmp_path).database("console"))
    ana = web.signed_in("operator")
    ana.submit("/account/emergency", reason="unconscious", minutes=60)

    seen = []
    for minutes in range(10, 71, 10):
        ana.now = NOON + timedelta(minutes=minutes)
        seen.append("Doe" in ana.browse("/messages/1").text)

    assert seen == [True] * 5 + [False] * 2


def test_S12_without_an_audit_row_nothing_is_opened(tmp_path, monkeypatch):
    web = Web(busy_site(tmp_path).database("console"))
    ana = web.signed_in("operator")

    def broken(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "write", broken)
        failed = ana.submit("/account/emergency", reason="unconscious")

    assert failed.status == 500
    assert "Doe" not in ana.browse("/messages/1").text


def test_S11_a_screen_that_is_shared_shows_no_patient(tmp_path):
    web = Web(busy_site(tmp_path).database("console"))
    ana = web.signed_in("operator", Permission.VIEW_PHI)
    assert "Doe" in ana.browse("/messages/1").text

    ana.submit("/account/mask", on="true")
    masked = ana.browse("/messages/1").text
    ana.submit("/account/mask", on="false")

    assert "Doe" not in masked
    assert "Patients are masked" in masked
    assert "Doe" in ana.browse("/messages/1").text
