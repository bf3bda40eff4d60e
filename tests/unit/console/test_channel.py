"""S2: one feed, its way and queues, and the orders given to it."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from engine.channels.format.load import load_site
from engine.console.permissions import Permission
from engine.console.queries import channel as queries
from engine.console.queries.channel_hour import Hour, hour_of
from engine.console.queries.overview import ChannelFigures
from engine.settings import load_settings
from engine.store import audit, queues, reports, traffic
from engine.store.reports import Report
from engine.store.traffic import Counts, Measure
from engine.store.words import RunState
from tests.sites import busy_site, site_with_doubt
from tests.stored import NOON, ask
from tests.web import Web

SEE = Permission.VIEW_METADATA
TABS = (
    *("flow", "messages", "queues", "config", "tests", "history"),
    *("connections", "contract"),
)


@pytest.fixture
def web(tmp_path):
    site = site_with_doubt(tmp_path)
    return Web(site.database("console"), site=load_site(site.config, None, {}))


def tell(web, at=NOON, **detail):
    """Let an edge report, as it does every two seconds."""
    sent = Report("here", "edge", "edge", 1, NOON, at, orjson.dumps(detail).decode())
    with web.database.engine() as connection:
        reports.report(connection, sent)


def test_every_part_of_a_channel_has_an_address(web):
    known = web.signed_in(SEE)
    said = {tab: known.browse("/channels/hospital-adt", f"tab={tab}") for tab in TABS}

    assert {answer.status for answer in said.values()} == {200}
    assert "MLLP on 127.0.0.1:2575" in said["flow"].text
    assert "no test patients" in said["config"].text
    assert "a test patient is filtered" in said["tests"].text
    assert "before it is processed" in said["contract"].text
    assert "No edge reports" in said["connections"].text
    assert known.browse("/channels/nothing").status == 404


def test_a_channel_without_messages_says_how_to_send_one(web):
    page = web.signed_in(SEE).browse("/channels/laboratory").text

    assert "No messages yet" in page
    assert "--to 127.0.0.1:2576" in page


def test_the_list_holds_what_is_configured_and_what_has_a_past(tmp_path, web):
    web.database.close()
    past = busy_site(tmp_path / "other")
    rows = replace(web, database=past.database("console")).signed_in(SEE)
    items = rows.get("/channels.json").json()["items"]
    told = {row["channel"]: row["note"] for row in items}

    assert told["adt"] == "not configured any more"
    assert told.keys() >= {"adt", "hospital-adt", "laboratory", "relay"}
    assert "not configured any more" in rows.browse("/channels/adt").text


def test_an_order_is_shown_as_asked_until_every_edge_has_heard_it(web):
    known = web.signed_in()
    tell(web)
    done = known.submit("/channels/hospital-adt/pause", reason="ward asked")
    before = known.browse("/channels/hospital-adt").text
    tell(web, NOON.replace(second=2))
    after = replace(known, now=NOON.replace(second=3)).browse("/channels/hospital-adt")
    past = known.browse("/channels/hospital-adt", "tab=history").text

    assert done.headers["location"] == "/channels/hospital-adt?tab=flow"
    assert "has not confirmed it yet" in before
    assert "has not confirmed" not in after.text
    assert "draining, 2 left" in after.text
    assert "ward asked" in past
    assert ask(web.database, reports.run_states)["hospital-adt", ""].state == "paused"


def test_one_destination_is_paused_and_the_others_go_on(web):
    known = web.signed_in()
    done = known.submit("/channels/hospital-adt/pause", destination="fhir")
    page = known.browse("/channels/hospital-adt", "tab=queues").text

    assert done.headers["location"].endswith("tab=queues")
    assert "Start fhir" in page
    assert set(ask(web.database, reports.run_states)) == {("hospital-adt", "fhir")}


@pytest.mark.parametrize(
    ("path", "destination"),
    [
        ("nothing/pause", ""),
        ("hospital-adt/pause", "nowhere"),
        ("hospital-adt/burn", ""),
    ],
)
def test_nothing_is_asked_of_what_there_is_not(web, path, destination):
    known = web.signed_in()

    assert known.submit(f"/channels/{path}", destination=destination).status == 404
    assert ask(web.database, reports.run_states) == {}


def test_an_order_needs_the_right_to_give_it(web):
    known = web.signed_in(SEE)

    assert known.submit("/channels/hospital-adt/stop").status == 403
    assert "formaction" not in known.browse("/channels/hospital-adt").text


def test_parked_persons_are_released_when_their_number_was_typed(tmp_path, monkeypatch):
    web = Web(busy_site(tmp_path).database("console"))
    known = web.signed_in()
    monkeypatch.setattr("engine.console.pages.channel.MANY", 0)

    refused = known.submit("/channels/adt/release", reason="mended", typed="7")
    done = known.submit("/channels/adt/release", reason="mended", typed="1")

    assert (refused.status, done.status) == (422, 303)
    assert ask(web.database, queues.parked) == []


def test_connections_tell_what_the_edge_says_of_them(web):
    tell(
        web,
        ports={"hospital-adt": 2575},
        connections={"hospital-adt": 3},
        problems={"hospital-adt": "port 2575 is taken by pid 7"},
        counts={"hospital-adt/junk_bytes": 12, "other/x": 1},
        failing=["hospital-adt/fhir"],
    )
    known = web.signed_in(SEE)
    page = known.browse("/channels/hospital-adt", "tab=connections").text
    queue = known.browse("/channels/hospital-adt", "tab=queues").text

    assert "port 2575 is taken by pid 7" in page
    assert "<dt>Junk bytes</dt><dd>12</dd>" in page
    assert "has failed for long" in queue


def test_what_waits_and_what_failed_stands_at_its_place_of_the_way(web):
    adt = web.site.channel("hospital-adt")
    counted = ChannelFigures(
        "hospital-adt", "running", received=10, processed=5, filtered=1, held=1, error=2
    )
    queue = queries.Queue("fhir", "fhir", "http://x", RunState.RUNNING, None, False)
    way = queries.way_of(adt, counted, [queue], Hour())
    by_name = {stop.name: stop for stop in way.stops}

    assert by_name["Journal"].waits == 1
    assert (by_name["Identity"].waits, by_name["Identity"].failed) == (1, 2)
    assert [stop.name for stop in way.ends] == ["fhir"]


def test_the_last_hour_stands_on_the_way_with_how_long_each_part_took(web):
    counts = Counts()
    counts.add(Measure.RECEIVED, "hospital-adt", label="ADT^A01", count=9)
    counts.add(Measure.FILTERED, "hospital-adt", label="tests", count=2)
    counts.add(Measure.DELIVERED, "hospital-adt", "fhir", count=7)
    counts.add(Measure.RECEIVED, "laboratory", count=100)
    counts.observe(Measure.STAGE, 0.004, "hospital-adt", "map")
    counts.observe(Measure.LATENCY, 3.0, "hospital-adt", "fhir")
    with web.database.engine() as connection:
        traffic.write(connection, counts.take(), NOON - timedelta(minutes=30))

    hour = ask(web.database, hour_of, "hospital-adt", NOON)
    page = web.signed_in(SEE).browse("/channels/hospital-adt").text

    assert (hour.taken, hour.filtered, hour.delivered) == (9, 2, {"fhir": 7})
    assert (hour.p95("map"), hour.p95("filter")) == ("5 ms", "")
    assert "7 in the last hour, p95 4.9 s" in page
    assert "p95 5 ms" in page


def test_a_contract_names_what_the_channel_file_sets(web):
    adt = web.site.channel("hospital-adt")
    source = replace(
        adt.source,
        mllp=replace(adt.source.mllp, ack="processed"),
        hl7=replace(adt.source.hl7, types=("ADT^A01",), trusted=("HIS/MAIN",)),
        duplicate=replace(adt.source.duplicate, same_content="accept"),
    )
    said = dict(queries.contract_of(replace(adt, source=source))[::-1])
    told = " ".join(
        each for _, each in queries.contract_of(replace(adt, source=source))
    )

    assert "deliveries are queued" in said["AA"]
    assert "ADT^A01" in told
    assert "HIS/MAIN" in told
    assert "more than 20 s" in told
    assert "taken as a new one" in said["again"]


def test_places_are_told_for_every_kind_of_source_and_destination(web):
    site = web.site
    sources = {c.name: queries.source_place(c.source) for c in site.channels}
    places = [
        queries.destination_place(d) for c in site.channels for d in c.destinations
    ]

    assert all(sources.values())
    assert all(places)


def test_a_connection_is_tested_from_the_page_and_written_down(web, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", refuse)
    known = web.signed_in()
    answer = known.submit("/channels/relay/connect", destination="his")
    gone = known.submit("/channels/relay/connect", destination="nowhere")
    empty = known.submit("/channels/relay/connect", destination="")

    assert (answer.status, gone.status, empty.status) == (200, 404, 422)
    assert "refused the connection" in answer.text
    assert "no message was sent" in answer.text
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer, subject="channel relay/his")
    [act] = [row.act for row in rows]
    assert (act.actor, act.action) == ("ana", "connection.test")
    assert "refused the connection" in act.detail


def test_the_definition_says_when_its_files_are_newer_than_what_runs(web, tmp_path):
    settings = load_settings(tmp_path / "config", variables={})
    known = replace(web, settings=settings).signed_in(SEE)
    file = tmp_path / "config" / "channels" / "relay.yaml"
    text = file.read_text(encoding="utf-8")

    def shown():
        return known.browse("/channels/relay", "tab=config").text

    same = shown()
    file.write_text(text.replace("max: 5s", "max: 6s"), encoding="utf-8")
    newer = shown()
    file.write_text(text.replace("max: 5s", "max: soon"), encoding="utf-8")
    wrong = shown()

    assert "waits for a reload" not in same + wrong
    assert "A reload would be refused" not in same + newer
    assert "waits for a reload" in newer
    assert "A reload would be refused" in wrong
    assert "channels/relay.yaml:" in wrong
