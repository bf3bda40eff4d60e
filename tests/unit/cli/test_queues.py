"""messages, errors, deliveries, parked, status: what they show and what they move."""

import json
from contextlib import closing

import pytest

from engine.cli.invocation import Exit
from engine.store import edited_copies
from engine.store.counters import RENDERED, VALIDATED, of_gate, tally
from tests.builders import adt_a01
from tests.sites import NOON, busy_site, site_with_doubt


@pytest.fixture
def site(tmp_path):
    return busy_site(tmp_path)


def rows(result):
    assert result.exit_code == Exit.DONE, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


LISTINGS = [
    ("messages", "search"),
    ("messages", "tail"),
    ("errors", "list"),
    ("deliveries", "list"),
    ("parked", "list"),
    ("status",),
]


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_piped_listings_are_valid_jsonl_and_nothing_else(site, words):
    assert rows(site.run(*words))


@pytest.mark.parametrize("form", ["table", "json", "csv", "yaml"])
@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_every_listing_has_every_form(site, words, form):
    result = site.run(*words, "-o", form)

    assert result.exit_code == Exit.DONE, result.output
    assert result.stdout


def test_messages_are_listed_newest_first(site):
    assert [row["control_id"] for row in rows(site.run("messages", "search"))] == [
        "M3",
        "M2",
        "M1",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state:error", ["M2"]),
        ("patient:100482", ["M1"]),
        ("person:P3", ["M3"]),
        ("channel:other", []),
        ("type:ADT^A01 channel:adt", ["M3", "M2", "M1"]),
        ("until:2029-01-01", []),
    ],
)
def test_a_query_restricts_the_messages(site, query, found):
    result = site.run("messages", "search", *query.split())

    assert [row["control_id"] for row in rows(result)] == found


@pytest.mark.parametrize("query", ["colour:red", "loose words", "state:tired"])
def test_a_query_that_means_nothing_is_wrong_usage(site, query):
    result = site.run("messages", "search", *query.split())

    assert result.exit_code == Exit.USAGE
    assert "hint" in result.stderr


def test_a_message_is_shown_masked_unless_revealed(site):
    (number,) = [r["id"] for r in rows(site.run("messages", "search", "state:error"))]

    masked = site.run("messages", "show", number).stdout
    revealed = site.run("messages", "show", number, "--reveal").stdout

    assert "Doe" not in masked
    assert "100482" not in masked
    assert "Doe" in revealed


def test_an_edited_copy_is_ordered_and_both_messages_say_so(site, tmp_path):
    file, words = tmp_path / "edited.hl7", ("messages", "resend", 2, "--edited")
    file.write_bytes(adt_a01(family="Roe"))

    tried = site.run(*words, file, "--reason", "name", "--dry-run")
    (done,) = rows(site.run(*words, file, "--reason", "name", "--give-up-original"))
    again = site.run(*words, file, "--reason", "name")
    shown = site.run("messages", "show", 2).stdout

    assert "nothing was changed" in tried.stderr
    assert done["state"] == "waits for the edge"
    assert again.exit_code != Exit.DONE
    assert "waits already" in again.stderr
    assert "waits for the edge" in shown
    with closing(site.database("edge")) as edge, edge.engine() as connection:
        edited_copies.journaled(connection, edge.sealer, done["order"], 3, NOON)
    assert "message 3" in site.run("messages", "show", 2).stdout
    assert "copy of message 2" in site.run("messages", "show", 3).stdout
    assert not rows(site.run("messages", "search", "state:error"))


def test_the_error_queue_is_grouped_by_cause(site):
    causes = {row["code"]: row["count"] for row in rows(site.run("errors", "list"))}

    assert causes == {"table-miss": 1, "http-422": 1}


def test_retrying_a_group_brings_its_messages_back(site):
    groups = {row["code"]: row["group"] for row in rows(site.run("errors", "list"))}

    site.run("errors", "retry", groups["table-miss"])
    site.run("errors", "retry", groups["http-422"])

    assert not site.run("errors", "list").stdout
    assert not rows(site.run("messages", "search", "state:error"))
    states = [row["state"] for row in rows(site.run("deliveries", "list"))]
    assert states == ["delivered", "queued"]


def test_discarding_a_group_needs_a_reason(site):
    groups = {row["code"]: row["group"] for row in rows(site.run("errors", "list"))}

    without = site.run("errors", "discard", groups["table-miss"])
    done = site.run("errors", "discard", groups["table-miss"], "--reason", "test data")

    assert without.exit_code == Exit.USAGE
    assert done.exit_code == Exit.DONE
    assert len(rows(site.run("messages", "search", "state:filtered"))) == 1


def test_an_unknown_group_is_a_problem(site):
    assert site.run("errors", "show", "zzz").exit_code == Exit.PROBLEMS


def test_a_dry_run_changes_nothing(site):
    group = rows(site.run("errors", "list"))[0]["group"]

    result = site.run("errors", "retry", group, "--dry-run")

    assert "nothing was changed" in result.stderr
    assert len(rows(site.run("errors", "list"))) == 2


def test_a_parked_person_is_released(site):
    (lane,) = rows(site.run("parked", "list"))
    assert lane["person"] == "P3"

    released = site.run("parked", "release", "P3", "--reason", "mended")

    assert rows(released) == [{"moved": 1, "what": "resend"}]
    assert not site.run("parked", "list").stdout


def test_nobody_is_released_who_is_not_parked(site):
    result = site.run("parked", "release", "nobody", "--reason", "x")

    assert result.exit_code == Exit.PROBLEMS


def test_a_delivery_shows_its_document_only_when_asked(site):
    number = rows(site.run("deliveries", "list"))[0]["id"]

    shown = site.run("deliveries", "show", number)
    document = site.run("deliveries", "show", number, "--document")

    assert "Bundle" not in shown.stdout
    assert document.stdout == '{"resourceType":"Bundle"}\n'


def test_a_delivered_delivery_can_be_sent_again_but_not_discarded(site):
    number = rows(site.run("deliveries", "list", "--state", "delivered"))[0]["id"]

    discarded = site.run("deliveries", "discard", number, "--reason", "x")
    again = site.run("deliveries", "resend", number, "--reason", "lost there")

    assert discarded.exit_code == Exit.PROBLEMS
    assert rows(again) == [{"moved": 1, "what": "resend"}]


def test_status_counts_every_state(site):
    (row,) = rows(site.run("status"))

    assert (row["received"], row["processed"], row["error"]) == (3, 2, 1)
    assert (row["delivered"], row["failed"], row["waiting"]) == (1, 1, 0)


def test_status_says_how_much_the_output_gate_has_seen(site):
    seen = {of_gate("adt", "fhir", RENDERED): 320, of_gate("adt", "fhir", VALIDATED): 1}
    with closing(site.database()) as database, database.engine() as connection:
        tally(connection, {(None, gate): count for gate, count in seen.items()})

    (row,) = rows(site.run("status"))
    table = site.run("status", "-o", "table")

    assert (row["rendered"], row["validated"]) == (320, 1)
    assert "adt to fhir: 1 of 320 Bundles validated" in table.stderr


def test_health_is_bad_while_nothing_reports(site):
    result = site.run("health")

    assert result.exit_code == Exit.PROBLEMS
    assert json.loads(result.stdout)["missing"] == ["edge"]


def test_a_channel_can_be_paused_and_started(site):
    site.run("channel", "pause", "adt", "--reason", "maintenance")
    paused = rows(site.run("status"))[0]["state"]
    site.run("channel", "start", "adt")

    assert paused == "paused"
    assert rows(site.run("status"))[0]["state"] == "running"


def test_without_a_configuration_every_command_says_where_it_looked(tmp_path):
    site = busy_site(tmp_path)
    missing = type(site)(tmp_path / "nowhere")

    result = missing.run("messages", "search")

    assert result.exit_code == Exit.CONFIGURATION
    assert "nowhere" in result.stderr


def test_what_messages_lost_is_counted_by_sender_and_field(tmp_path):
    site = site_with_doubt(tmp_path)

    found = rows(site.run("messages", "losses"))

    assert {"channel", "sender", "field", "reason", "messages"} == set(found[0])
    assert all("[" not in row["field"] for row in found)
    assert rows(site.run("messages", "losses", "--channel", "none")) == []


def test_a_group_is_given_to_somebody_and_talked_about(site):
    groups = {row["code"]: row["group"] for row in rows(site.run("errors", "list"))}
    key = groups["table-miss"]

    (given,) = rows(site.run("errors", "assign", key, "lab team"))
    (said,) = rows(site.run("errors", "comment", key, "asked the lab"))
    (nobody,) = rows(site.run("errors", "assign", key, "ben", "--message", 99))

    assert (given["assigned"], said["commented"], nobody["assigned"]) == (1, 1, 0)
    owners = {row["group"]: row["owner"] for row in rows(site.run("errors", "list"))}
    assert owners[key] == "lab team"
    acts = rows(site.run("audit", "search"))
    assert {"error.assign", "error.comment"} <= {each["action"] for each in acts}
