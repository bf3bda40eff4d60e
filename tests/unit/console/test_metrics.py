"""What Prometheus reads."""

import re
import urllib.request
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as read_plain

from engine.channels.format.load import load_site
from engine.cli.child_process import free_ports
from engine.console.metrics import METRICS, Metrics, exposition, registry_of
from engine.console.permissions import Permission
from engine.console.scrape import listen, metrics_address
from engine.errors import ConfigurationError
from engine.store import traffic
from engine.store.reports import Report, report
from engine.store.traffic import Counts, Measure
from tests.databases import empty_database
from tests.shared_data import shared
from tests.stored import NOON, accept_some, document, queue
from tests.web import SITE, Web

GIVEN = "scraper"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def store(tmp_path):
    """Return a store in which one of everything was counted."""
    database = empty_database("sqlite", tmp_path)
    [number] = accept_some(database, 1, channel="adt-a08-epic")
    queue(database, document(), message_id=number)
    counts = Counts()
    counts.add(Measure.RECEIVED, "adt", label="ADT^A01", count=3)
    counts.add(Measure.ERROR, "adt", "edit", "table-miss")
    counts.add(Measure.PROCESSED, "adt")
    counts.observe(Measure.LATENCY, 0.2, "adt", "his")
    counts.observe(Measure.LATENCY, 0.3, "adt", "his")
    detail = (
        '{"connections": {"adt": 2}, "certificates": {"his": "2030-02-01T00:00:00Z"}}'
    )
    told = Report("here", "edge", "edge", 1, NOON, NOON, detail)
    with database.engine() as connection:
        traffic.write(connection, counts.take(), NOON)
        report(connection, told)
    return database


def scraped(store, site=None):
    found, _ = exposition(store, site, lambda: NOON, OPENMETRICS)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(found.decode())
        for sample in family.samples
    }


def test_counters_gauges_and_histograms_come_from_the_store(store):
    found = scraped(store)

    adt, his = ("channel", "adt"), ("destination", "his")
    place = "interop_receive_to_delivered_seconds"
    assert found["interop_messages_received_total", adt, ("type", "ADT^A01")] == 3
    assert (
        found[
            "interop_messages_errors_total",
            *(("cause", "table-miss"), adt, ("stage", "edit")),
        ]
        == 1
    )
    assert found[f"{place}_bucket", adt, his, ("le", "0.25")] == 1
    assert found[f"{place}_bucket", adt, his, ("le", "+Inf")] == 2
    assert found[f"{place}_sum", adt, his] == pytest.approx(0.5)
    assert found["interop_mllp_connections", adt] == 2
    assert found["interop_store_bytes",] > 0
    assert (
        found[
            "interop_queue_entries",
            *(adt, ("destination", "registry"), ("state", "queued")),
        ]
        == 1
    )
    stamp = "interop_last_message_timestamp_seconds"
    assert found[stamp, adt, ("type", "ADT^A01")] == NOON.timestamp()


def test_a_site_tells_states_revisions_and_what_is_usual(store):
    weeks = Counts()
    for week in range(1, 4):
        weeks.add(Measure.RECEIVED, "adt", label="ADT^A01", count=10 * week)
        with store.engine() as connection:
            at = NOON - timedelta(weeks=week)
            traffic.write(connection, weeks.take(), at)
    site = load_site(SITE.folder, variables={})

    found = scraped(store, site)

    usual = "interop_expected_messages_per_hour"
    assert found[usual, ("channel", "adt"), ("type", "ADT^A01")] == 20
    name = ("channel", site.channels[0].name)
    assert found["interop_channel_state", name, ("state", "running")] == 1
    assert found["interop_channel_state", name, ("state", "paused")] == 0
    revision = ("revision", site.channels[0].revision)
    assert found["interop_channel_revision_info", name, ("commit", ""), revision] == 1


def test_every_metric_of_the_specification_is_there_with_its_labels():
    table = shared("spec", "cli.md").read_text()
    rows = re.findall(r"^\| (`interop_.*?`) \|(.*)\|$", table, re.MULTILINE)
    told = {name for cell, _ in rows for name in re.findall(r"`(interop_\w+)`", cell)}

    suffix = {"counter": "_total", "info": "_info"}
    ours = {name + suffix.get(each.kind, "") for name, each in METRICS.items()}
    assert ours == told
    for cell, text in rows:
        words = set(re.findall(r"\w+", text))
        for name in re.findall(r"`(interop_\w+)`", cell):
            known = METRICS.get(name) or METRICS[name.rpartition("_")[0]]
            assert set(known.labels) <= words, name


def test_every_metric_of_a_name_has_the_labels_documented(store):
    site = load_site(SITE.folder, variables={})
    found, _ = exposition(store, site, lambda: NOON)

    for family in read_plain(found.decode()):
        name = family.name.removesuffix("_info")
        labels = set(METRICS[name].labels)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels


def test_metrics_are_read_with_their_token_or_a_permission(store):
    settings = replace(SITE, metrics_token=GIVEN)
    web = Web(store, settings)
    scraper = replace(web, token=GIVEN)

    assert web.get("/metrics").status == 401
    assert replace(web, token=GIVEN[1:]).get("/metrics").status == 401
    assert web.allowed(Permission.READ_METRICS).get("/metrics").status == 200
    assert web.allowed(Permission.VIEW_METADATA).get("/metrics").status == 403
    answer = scraper.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"interop_build_info" in answer.body
    assert scraper.get("/messages").status == 403


def test_metrics_have_a_port_of_their_own_on_this_machine(store):
    [port] = free_ports(1)
    registry = registry_of(Metrics(store, lambda: None, lambda: NOON))

    listen(("127.0.0.1", port), registry)
    listen(("127.0.0.1", port), registry)

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"interop_messages_received_total" in answer.read()


@pytest.mark.parametrize("bound", ["0.0.0.0:9464", "nowhere", "10.0.0.7:1"])
def test_metrics_without_a_token_are_for_this_machine_alone(bound):
    settings = replace(SITE, metrics_bind=bound)

    with pytest.raises(ConfigurationError, match=r"metrics\.bind"):
        metrics_address(settings)


def test_metrics_may_be_off():
    assert metrics_address(replace(SITE, metrics_bind="off")) is None
    assert metrics_address(SITE) == ("127.0.0.1", 9464)
