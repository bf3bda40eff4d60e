"""Planted patients: nowhere in an address, a title, a header, a log line or a metric.

Spec:
    console.md 1 (patient data in URLs, titles, logs, browser storage) and 9.
"""

import re

import pytest
from structlog.testing import capture_logs

from engine.channels.format.load import load_site
from engine.console.permissions import REVEALING, Permission
from engine.console.routes import ROUTES
from engine.hl7 import parse
from engine.store import journal
from tests.sites import site_with_doubt
from tests.web import Web

PLACES = ("PID-5.1", "PID-5.2", "PID-3.1", "PID-7", "PID-11.1", "PID-13.1")
MARKS = re.compile(
    r"<title>.*?</title>|\b(?:href|src|action|formaction|data-live)=\"[^\"]*\"",
    re.DOTALL,
)
SKIPPED = re.compile(r"/live/{name}$|/static|/fhir|/api|/sign-in|/welcome")
"""Streams without an end, files, what answers programs, and what comes before."""

TABS = {
    "/messages/1": ("received", "edited", "fhir", "cda", "answers", "trace", "history"),
    "/channels/hospital-adt": ("messages", "queues", "history"),
    "/work": ("errors", "mismatch", "parked", "waiting"),
}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    site = site_with_doubt(tmp_path_factory.mktemp("canary"))
    database = site.database("console")
    yield Web(database, site=load_site(site.config, None, {}))
    database.close()


@pytest.fixture(scope="module")
def planted(web):
    """Return what two stored messages say of their patients, as a pattern."""
    with web.database.reading() as connection:
        sealer = web.database.sealer
        stored = [parse(journal.content(connection, sealer, n) or b"") for n in (1, 2)]
    values = {message[place] for message in stored for place in PLACES}
    words = sorted(re.escape(value) for value in values if len(value) >= 5)
    assert len(words) > 4
    return re.compile("|".join(words), re.IGNORECASE)


def asked():
    """Yield path and query of every page a browser can ask for."""
    given = {"form": "json", "name": "hospital-adt"}
    for route in ROUTES:
        if route.method == "GET" and not SKIPPED.match(route.path):
            path = re.sub(r"{(\w+)}", lambda hit: given.get(hit[1], "1"), route.path)
            yield path, "old=1" if path.endswith("/compare") else ""
    for path, tabs in TABS.items():
        for tab in tabs:
            yield path, f"{'kind' if path == '/work' else 'tab'}={tab}"


def searches(known, name):
    """Ask for a patient in every way there is, rightly and wrongly."""
    for path, fields in (
        ("/messages", {"query": f"patient:{name}"}),
        ("/messages", {"query": f"patient:{name} state:{name}"}),
        ("/patients", {"family": name}),
        ("/patients", {"number": name, "birthdate": name}),
        ("/messages/1/edit", {"text": f"MSH|{name}"}),
        ("/messages/1/edit/send", {"text": name, "reason": name}),
        (f"/messages/1/{name}", {}),
        ("/tables/sex/rows", {"from": name}),
    ):
        answer = known.submit(path, **fields)
        yield path, answer
        if place := answer.headers.get("location"):
            yield place, known.browse(*place.partition("?")[::2])


def test_S11_planted_patients_are_in_no_address_title_header_log_or_metric(
    web, planted
):
    every = web.signed_in()
    name = planted.pattern.partition("|")[0].replace("\\", "")
    with capture_logs() as lines:
        told = [(path, every.browse(path, query)) for path, query in asked()]
        told += searches(every, name)
        metrics = web.allowed(Permission.READ_METRICS).get("/metrics")

    found = [
        (path, hit[0])
        for path, answer in told
        for text in (*MARKS.findall(answer.text), str(answer.headers))
        if (hit := planted.search(text))
    ]
    shown = [path for path, answer in told if planted.search(answer.text)]
    assert found == []
    assert len([each for each in lines if each["event"] == "request"]) > len(told)
    assert not planted.search(str(lines))
    assert metrics.status == 200
    assert not planted.search(metrics.text)
    assert "/messages/1" in shown  # what is looked for can be found


def test_S11_who_may_not_see_patients_finds_none_behind_any_tab(web, planted):
    masked = web.signed_in(*set(Permission) - REVEALING, name="ben")

    told = [(path, query, masked.browse(path, query)) for path, query in asked()]

    assert [
        (path, query)
        for path, query, answer in told
        if planted.search(answer.text + str(answer.headers))
    ] == []
