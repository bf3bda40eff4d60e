"""``interop alerts`` and ``interop metrics``."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.channels.clock import utc_now
from engine.store import incidents
from engine.store.incidents import Incident
from tests.sites import site_at
from tests.stored import NOON

CONTACTS = """
[contacts.oncall]
webhook = "http://127.0.0.1:1/"
"""


@pytest.fixture
def site(tmp_path):
    made = site_at(tmp_path)
    found = Incident(
        *("disk||", "disk", "", "", "critical", "the disk is full", ("oncall",)),
        *(1, 120, NOON, NOON, NOON),
    )
    over = replace(found, key="x", sentence="it is over", ended_at=NOON)
    database = made.database()
    with database.engine() as connection:
        incidents.keep(connection, [found, over])
    database.close()
    return made


def test_incidents_are_listed_acknowledged_and_snoozed(site):
    listed = site.run("alerts", "list", "-o", "json")
    ended = site.run("alerts", "list", "--ended", "-o", "json")
    assert [each["sentence"] for each in json.loads(listed.stdout)] == [
        "the disk is full"
    ]
    assert [each["sentence"] for each in json.loads(ended.stdout)] == ["it is over"]

    assert site.run("alerts", "ack", 1, "--reason", "on it").exit_code == 0
    assert site.run("alerts", "snooze", 1, "--for", "30m").exit_code == 0

    database = site.database()
    with database.reading() as connection:
        [known] = incidents.open_incidents(connection)
    database.close()
    assert known.note == "on it"
    assert known.snoozed_until is not None
    assert known.snoozed_until - utc_now() < timedelta(minutes=31)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("ack", 2), 1),
        (("snooze", 9), 1),
        (("snooze", 1, "--for", "soon"), 2),
        (("test", "nobody"), 2),
        (("escalate", 1, "nobody"), 2),
    ],
)
def test_what_cannot_be_done_is_said(site, words, code):
    assert site.run("alerts", *words).exit_code == code


def test_an_incident_is_escalated_to_one_more_contact(site):
    with (site.config / "interop.toml").open("a") as file:
        file.write(CONTACTS.replace("oncall", "head"))

    assert site.run("alerts", "escalate", 1, "head").exit_code == 0
    assert site.run("alerts", "escalate", 2, "head").exit_code == 1

    database = site.database()
    with database.reading() as connection:
        [known] = incidents.open_incidents(connection)
    database.close()
    assert known.notify == ("oncall", "head")


def test_a_test_names_the_targets_that_refuse(site):
    with (site.config / "interop.toml").open("a") as file:
        file.write(CONTACTS)

    answer = site.run("alerts", "test", "oncall", "-o", "json")

    assert answer.exit_code == 4
    assert "webhook http://127.0.0.1:1/" in answer.stdout


def test_rules_are_listed_with_what_they_would_have_done(site):
    (site.config / "channels").mkdir(exist_ok=True)
    (site.config / "channels" / "adt.yaml").write_text(
        "channel: adt\nsource:\n  mllp: {port: 2575}\nidentity: {match: false}\n"
        "destinations:\n  - name: his\n    mllp: {host: 127.0.0.1, port: 6661}\n"
        "alerts:\n  - errors-over: {count: 5, within: 10m}\n"
    )

    [row] = json.loads(site.run("alerts", "rules", "-o", "json").stdout)

    assert (row["condition"], row["fired"]) == ("more than 5 errors within 10 min", 0)


def test_metrics_are_printed_without_an_engine(site):
    plain = site.run("metrics").stdout
    opened = site.run("metrics", "--openmetrics").stdout

    assert "# TYPE interop_messages_received_total counter" in plain
    assert opened.endswith("# EOF\n")


def test_dashboards_and_rules_are_written_for_grafana_and_prometheus(site, tmp_path):
    folder = tmp_path / "observe"

    site.run("metrics", "--write", folder)

    assert {each.name for each in folder.iterdir()} == {
        *("overview.json", "channel.json", "delivery.json", "identity.json"),
        *("node.json", "prometheus-rules.yaml"),
    }
