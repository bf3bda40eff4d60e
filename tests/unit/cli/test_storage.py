"""interop store: damage is named, and a loss needs a person's word."""

import json
import shutil

import pytest

from engine.cli.invocation import Exit
from engine.store import audit
from tests.sites import NOON, Site, busy_site
from tests.stored import accept, arrival

FORGED = "DROP TRIGGER engine.audit_update; UPDATE engine.audit SET actor = 'eve'"

DUPLICATE = (
    "INSERT INTO journal.dedupe SELECT x'07', x'07', id, received_at, ack_code || 'x',"
    " 0 FROM journal.message WHERE id = 2"
)


@pytest.fixture
def site(tmp_path):
    return busy_site(tmp_path)


def paused(site):
    """Leave a row in the audit trail."""
    database = site.database()
    with database.engine() as connection:
        act = audit.Act(NOON, "kim", "pause", "adt")
        audit.write(connection, database.sealer, [act])
    database.close()


def change(site, statement):
    """Change a row behind the engine's back."""
    database = site.database()
    with database._backend.engine.begin() as connection:
        for each in statement.split(";"):
            connection.exec_driver_sql(each)
    database.close()


def places(result):
    assert result.exit_code == Exit.PROBLEMS, result.output
    return [json.loads(line)["place"] for line in result.stdout.splitlines()]


def test_a_whole_store_has_no_damage(site):
    result = site.run("store", "verify")

    assert (result.exit_code, result.stdout) == (Exit.DONE, "")


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE journal.message SET content = x'00' WHERE id = 1", "message 1"),
        ("UPDATE journal.message SET size = 7 WHERE id = 2", "message 2"),
        ("UPDATE engine.rendered SET content = x'00'", "delivery"),
        ("UPDATE engine.delivery SET sha256 = x'00'", "delivery"),
        ("UPDATE engine.attempt SET duration_us = 7 WHERE message_id = 1", "attempt 1"),
        ("UPDATE engine.progress SET last_id = last_id + 64", "progress adt"),
        ("UPDATE journal.intake SET messages = 77", "intake adt"),
        (DUPLICATE, "message 2"),
        (FORGED, "audit"),
        ("UPDATE engine.counter SET channel = x'07' WHERE state = 'error'", "counter"),
        ("UPDATE engine.message SET revision = 'x' WHERE id = 1", "message 1"),
        ("UPDATE engine.message SET person = 'x' WHERE id = 1", "message 1"),
        ("DELETE FROM engine.attempt WHERE message_id = 1", "message 1"),
        ("DELETE FROM engine.message WHERE id = 1", "message 1"),
        ("UPDATE journal.message SET control_id = 'x' WHERE id = 2", "message 2"),
        ("UPDATE engine.delivery SET lane_id = lane_id + 1", "delivery"),
        ("UPDATE engine.counter SET count = 9 WHERE state = 'error'", "counter"),
        ("UPDATE engine.message SET channel = CAST(x'ff' AS TEXT)", "the store"),
    ],
)
def test_F12_every_kind_of_damage_is_named(site, statement, place):
    paused(site)
    change(site, statement)

    found = places(site.run("store", "verify"))

    assert any(place in each for each in found), found


def lossy(site):
    """Let the journal lose its last commits, as a damaged log does."""
    store = site.config.parent / "store"
    older = site.config.parent / "older"
    shutil.copytree(store, older)
    database = site.database("edge")
    with database.journal() as connection:
        connection.exec_driver_sql("UPDATE journal.intake SET repeats = repeats + 1")
    database.close()
    shutil.copyfile(older / "journal.db", store / "journal.db")


def test_F12_nothing_opens_a_store_that_lost_commits_before_a_person_says_so(
    site,
):
    lossy(site)

    status, doctor = site.run("status"), site.run("doctor")
    found = places(site.run("store", "verify"))
    accepted = site.run("store", "accept-loss", "--reason", "the disk was exchanged")
    again = site.run("store", "accept-loss", "--reason", "twice")
    after = site.run("store", "verify")

    assert (status.exit_code, found) == (Exit.CONFIGURATION, ["journal.db"])
    assert "interop store accept-loss" in status.output
    assert "has lost its last 1 commits" in doctor.output
    assert "lost its last 1 commits" in accepted.output
    assert "nothing is lost" in again.output
    assert after.exit_code == Exit.DONE
    assert told(site) == ["accept-loss"]


def test_F12_messages_that_a_damaged_log_still_tells_of_are_listed(site):
    store, found = site.config.parent / "store", site.config.parent / "found"
    database = site.database("edge")
    accept(database, arrival("LOST-1"))
    shutil.copytree(store, found, ignore=shutil.ignore_patterns("*-shm"))
    database.close()
    shutil.rmtree(store)
    log = found.rename(store) / "journal.db-wal"
    log.write_bytes(log.read_bytes()[:40] + b"\xff" + log.read_bytes()[41:])

    accepted = site.run("store", "accept-loss", "--reason", "the disk was exchanged")
    listed = site.run("store", "losses")
    status, doctor = site.run("status"), site.run("doctor")

    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [row["action"] for row in rows] == ["message.lost", "accept-loss"]
    assert (
        "with control id LOST-1, received at 2030-01-01 12:00:00" in rows[0]["detail"]
    )
    assert "Messages that came after" in rows[1]["detail"]
    assert sorted(accepted.stdout.splitlines()) == sorted(listed.stdout.splitlines())
    assert "interop store losses lists them" in status.output
    assert "messages may be lost" in doctor.output


def told(site: Site):
    database = site.database()
    with database.reading() as connection:
        rows = audit.rows(connection, database.sealer)
    database.close()
    return [row.act.action for row in rows if row.act.action == "accept-loss"]


def test_a_store_of_an_older_form_is_brought_up(site):
    result = site.run("store", "migrate")

    assert result.exit_code == Exit.DONE
    assert "form of this release" in result.output
