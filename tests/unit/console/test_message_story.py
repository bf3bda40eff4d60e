"""S4: what was made of a message, shown by running it again without any effect."""

from dataclasses import replace

import pytest

from engine.channels.format.load import load_site
from engine.console.permissions import Permission
from engine.console.queries.message_story import differences, told_again
from engine.hl7 import parse
from engine.store import search
from engine.store.deliveries import NewDelivery
from tests.builders import adt_a01
from tests.sites import bundle, busy_site, site_with_doubt
from tests.stored import (
    accept,
    arrival,
    ask,
    claim,
    end,
    lease,
    processed,
    queue,
    record,
)
from tests.web import Web

SEE = Permission.VIEW_METADATA
DOCUMENT = (
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Summary</title>'
    b"<component><structuredBody/></component></ClinicalDocument>"
)


@pytest.fixture
def web(tmp_path):
    site = site_with_doubt(tmp_path)
    return Web(site.database("console"), site=load_site(site.config, None, {}))


def tab(web, name, number=1, **more):
    query = "&".join(f"{k}={v}" for k, v in {"tab": name, **more}.items())
    return web.browse(f"/messages/{number}", query).text


def test_what_the_channel_changed_is_shown_place_by_place(web):
    told = tab(web.signed_in(), "edited")

    assert "PID-8" in told or "changed nothing" in told
    assert [
        (each.path, each.before, each.after)
        for each in differences(parse(adt_a01()), parse(adt_a01(family="Roe")))
    ] == [("PID-5.1", "Doe", "Roe")]


def test_every_step_is_told_with_what_it_did(web):
    told = tab(web.signed_in(), "trace")

    assert "answered AA" in told
    assert "Patient" in told
    assert "fhir: 1 documents" in told


def test_each_value_of_a_resource_leads_to_where_it_is_from(web):
    known = web.signed_in()
    tree = tab(known, "fhir")
    why = tab(known, "why", at="Patient.birthDate")

    assert "?tab=why&amp;at=Patient.birthDate" in tree
    assert "PID-7" in why
    assert "Patient.birthDate" in why


@pytest.mark.parametrize(
    ("path", "said"),
    [("Patient.brithDate", "did you mean birthDate"), ("Patient.photo", "makes no")],
)
def test_a_place_without_a_value_is_told_as_such(web, path, said):
    assert said in tab(web.signed_in(), "why", at=path)


def test_S11_nothing_of_it_is_shown_to_who_may_not_see_patients(web):
    known = web.signed_in(SEE)

    for name in ("edited", "fhir", "why", "cda", "answers", "trace"):
        page = tab(known, name, at="Patient.name")
        assert "Covered: your role may not see it" in page
    assert known.browse("/messages/1/documents/1").status == 403


def test_a_channel_that_changed_or_went_is_said(web):
    row = ask(web.database, search.message, 1)

    other = replace(row, revision="0" * 64)
    assert not told_again(web.site, other, adt_a01()).same_revision
    gone = replace(row, channel="gone")
    assert "not configured" in told_again(web.site, gone, adt_a01()).complaint
    assert "retention" in told_again(web.site, row, None).complaint
    assert told_again(web.site, row, b"no message").complaint
    assert "not configured" in tab(replace(web, site=None).signed_in(), "trace")
    assert "not here any more" in tab(
        replace(web, site=None).signed_in(), "why", at="Patient.name"
    )


def test_a_document_is_framed_and_can_do_nothing(tmp_path):
    site = busy_site(tmp_path)
    made = NewDelivery("adt", "repository", "x", DOCUMENT, "application/cda+xml")
    [good] = queue(site.database("worker"), made)
    [bad] = queue(site.database("worker"), replace(made, order_key="y", content=b"<x>"))
    known = Web(site.database("console")).signed_in()
    page = tab(known, "cda")
    shown = known.browse(f"/messages/1/documents/{good}")

    assert f'sandbox src="/messages/1/documents/{good}"' in page
    assert "<h1>Summary</h1>" in shown.text
    assert shown.headers["content-security-policy"].startswith("default-src 'none'; sa")
    assert known.browse(f"/messages/1/documents/{bad}").status == 422
    assert known.browse(f"/messages/2/documents/{good}").status == 404


def test_who_sends_again_is_told_of_newer_data_that_went_out(tmp_path):
    site = busy_site(tmp_path)
    edge, worker = site.database("edge"), site.database("worker")
    [later] = accept(edge, arrival("M4", adt_a01()))
    claim(worker)
    record(worker, processed(later.id, bundle("P1"), person="P1"))
    [head] = lease(edge, destination="fhir")
    end(edge, head)
    known = Web(site.database("console")).signed_in()
    older = known.browse("/messages/1").text

    assert "1 newer message for this patient was already delivered" in older
    assert f'href="/messages/{later.id}">Next of this person' in older
    newer = known.browse(f"/messages/{later.id}").text
    assert 'href="/messages/1">Previous of this person' in newer
    assert "newer message" not in newer
