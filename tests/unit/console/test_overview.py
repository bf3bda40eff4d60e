"""S1 Overview: filters in the address, orders from a row, and a store that is away."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.channels.format.load import load_site
from engine.console import cells
from engine.console.permissions import Permission
from engine.console.queries import overview as queries
from engine.errors import StoreError
from engine.store import audit, error_queue, incidents, reports, traffic
from engine.store.database import Database
from engine.store.delivery_state import Event
from engine.store.incidents import Incident
from engine.store.traffic import Key
from tests.sites import busy_site
from tests.stored import NOON, ask, document, end, lease, queue
from tests.web import Web

SEE, REPLAY = Permission.VIEW_METADATA, Permission.REPLAY
CHANNEL = """
channel: adt
owner: ana
tags: [emergency]
source: {mllp: {port: 2999}}
destinations:
  - name: fhir
    fhir: {url: "http://127.0.0.1:1/fhir"}
"""


@pytest.fixture
def web(tmp_path):
    site = busy_site(tmp_path)
    folder = site.config / "channels"
    folder.mkdir(exist_ok=True)
    (folder / "adt.yaml").write_text(CHANNEL, encoding="utf-8")
    return Web(site.database("console"), site=load_site(site.config))


def trouble(web):
    found = Incident(
        *("silent|adt|", "silent", "adt", "", "warning", "adt: nothing arrived", ()),
        *(1, 0, NOON, NOON, NOON),
    )
    with web.database.engine() as connection:
        return incidents.keep(connection, [found])[0]


def state(web):
    stood = ask(web.database, reports.run_states).get(("adt", ""))
    return str(stood.state) if stood else "running"


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("tag=emergency", True),
        ("tag=lab", False),
        ("owner=ana&tag=emergency", True),
        ("owner=ben", False),
        ("show=mine", True),
    ],
)
def test_channels_are_narrowed_by_tag_and_owner_in_the_address(web, query, seen):
    page = web.signed_in(SEE).browse("/", query).text

    assert ('href="/channels/adt"' in page) == seen
    assert ("No channel is among these" in page) != seen


def test_a_filter_keeps_the_others_and_is_taken_back_by_the_same_link(web):
    page = web.signed_in(SEE).browse("/", "show=silent&tag=emergency").text

    assert 'href="/?show=silent&amp;tag=emergency&amp;owner=ana"' in page
    assert 'href="/?show=silent"' in page


def test_a_channel_is_stopped_and_started_from_its_row(web):
    known = web.signed_in(SEE, REPLAY)
    page = known.browse("/", "show=mine").text
    [button] = re.findall(r"<button [^>]*data-key=.s.[^>]*>", page)

    gone = known.submit("/channels/adt/stop", back="/?show=mine")
    stopped = state(web)
    again = known.browse("/").text

    assert "/channels/adt/stop" in button
    assert "data-careful" in button
    assert gone.headers["location"] == "/?show=mine"
    assert stopped == "stopped"
    assert 'formaction="/channels/adt/start"' in again
    assert known.submit("/channels/adt/start", back="/").status == 303
    assert state(web) == "running"


def test_who_may_not_act_gets_no_button(web):
    trouble(web)
    page = web.signed_in(SEE).browse("/").text

    assert "/channels/adt/stop" not in page
    assert "Acknowledge" not in page
    assert "nobody yet" in page


def test_an_incident_is_acknowledged_where_it_is_seen(web):
    number, known = trouble(web), web.signed_in(SEE, REPLAY)

    gone = known.submit(
        f"/alerts/incidents/{number}/acknowledge",
        reason="on it",
        back="//other.example",
    )

    assert gone.headers["location"] == "/other.example"
    page = known.browse("/").text
    assert "ana: on it" in page
    assert 'data-key="a"' not in page


def test_a_cause_is_retried_where_it_is_seen_a_few_first(web, monkeypatch):
    known, key = web.signed_in(SEE, REPLAY), group_of(web).key
    whole = known.browse("/").text
    monkeypatch.setattr("engine.console.pages.overview.SAMPLE", 0)
    sampled = known.browse("/").text

    gone = known.submit(f"/work/errors/{key}/retry", sample=5, back="/?show=mine")
    [act] = acts(web, "message.reprocess", "delivery.resend")

    assert gone.headers["location"] == "/?show=mine"
    assert act.detail == "from the error queue"
    assert 'data-key="r">Retry 1 entry</button>' in whole
    assert 'value="0" data-key="r">Retry 0 as a sample</button>' in sampled
    assert f"/work/errors/{key}/retry" not in known.browse("/").text
    assert 'data-key="r"' not in web.signed_in(SEE, name="lee").browse("/").text


def test_mine_is_what_one_owns_and_what_one_was_given(web):
    entries = [each.id for each in ask(web.database, error_queue.entries)]
    owner, other = (web.signed_in(SEE, REPLAY, name=name) for name in ("ana", "lee"))
    nothing = other.browse("/", "show=mine").text
    with web.database.engine() as connection:
        error_queue.assign(connection, entries[:1], "lee")

    given = other.browse("/", "show=mine").text
    owned = owner.browse("/", "show=mine").text

    assert "No channel is among these" in nothing
    assert "/work/errors/" not in nothing
    assert '<a href="/channels/adt">' in given
    assert given.count('href="/work/errors/') == 1
    assert owned.count('href="/work/errors/') == 1
    assert '<a href="/channels/adt">' in owned


def test_a_trouble_says_what_heals_by_itself_and_when(web):
    queue(web.database, document("P9", destination="fhir"), message_id=1)
    trouble(web)
    known = web.signed_in(SEE)
    due = known.browse("/").text
    [leased] = lease(web.database, destination="fhir")
    again = NOON + timedelta(minutes=5)
    end(web.database, leased, Event.RETRY, not_before=again)

    page = known.browse("/").text

    assert "1 lane waits, nothing goes out" in due
    assert "1 lane waits, next try in 5 min, nothing goes out" in page


def group_of(web):
    return ask(web.database, error_queue.groups)[0]


def acts(web, *wanted):
    rows = ask(web.database, audit.rows, web.database.sealer)
    return [row.act for row in rows if row.act.action in wanted]


def test_a_row_says_who_is_parked_and_how_long_what_waits_takes(web):
    sent = {Key("delivered", "adt", "fhir"): 10}
    before = drain(web)
    with web.database.engine() as connection:
        traffic.write(connection, sent, NOON - timedelta(minutes=2))

    page = web.signed_in(SEE).browse("/").text
    assert '<span id="channel-adt-parked">1</span>' in page
    assert '<span class="muted" id="channel-adt-drain"></span>' in page
    assert before == "nothing goes out"
    assert drain(web) == "drains in 2 min"


def drain(web, waiting=5):
    """Return what is said of a channel that has so much to send."""
    found = ask(web.database, queries.figures, NOON + timedelta(seconds=1))
    rows = [replace(each, waiting=waiting) for each in found.channels]
    return cells.overview(replace(found, channels=rows))["channel-adt-drain"]


@contextmanager
def away(monkeypatch):
    def refuse(*_, **__):
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "reading", refuse)
        yield


def test_while_the_store_is_away_the_last_figures_stand_there_with_their_time(
    web, monkeypatch
):
    known = web.signed_in()
    before = known.browse("/").text
    with away(monkeypatch):
        answer = known.browse("/")
        other = known.browse("/messages").status
        stranger = replace(known, cookie="__Host-session=x").browse("/").status
    after = known.browse("/").text

    assert answer.status == 503
    assert "The store does not answer." in answer.text
    assert NOON.isoformat(timespec="milliseconds") in answer.text
    assert '<body class=" stale"' in answer.text
    assert "data-live" not in answer.text
    assert "/channels/adt/stop" not in answer.text
    assert 'href="/channels/adt"' in answer.text
    assert (other, stranger) == (503, 503)
    assert "does not answer" not in before + after


def test_a_session_of_long_ago_shows_nothing_while_the_store_is_away(web, monkeypatch):
    known = web.signed_in()
    known.browse("/")
    known.now = NOON + timedelta(minutes=5)

    with away(monkeypatch):
        answer = known.browse("/")

    assert answer.status == 503
    assert "adt" not in answer.text


def test_a_console_that_has_read_nothing_yet_has_nothing_to_show(web, monkeypatch):
    known = web.signed_in()
    known.browse("/account")

    with away(monkeypatch):
        answer = known.browse("/")

    assert answer.status == 503
    assert answer.json()["title"] == "Service Unavailable"
