"""Messages of confidential persons at the command line: shown for a reason only."""

import json

import pytest

from engine.cli.invocation import Exit
from engine.store import audit, patient_tables
from tests.sites import site_with_doubt

WHY = ("--confidential", "asked by the ward")


@pytest.fixture
def site(tmp_path):
    found = site_with_doubt(tmp_path)
    database = found.database("cli")
    with database.engine() as connection:
        connection.execute(patient_tables.person.update().values(confidential=1))
    database.close()
    return found


def acts(site):
    database = site.database("cli")
    with database.reading() as connection:
        rows = audit.rows(connection, database.sealer)
    database.close()
    return [(row.act.action, row.act.detail) for row in rows]


def test_M20_a_confidential_persons_message_is_revealed_for_a_reason(site):
    masked = site.run("messages", "show", 1)
    refused = site.run("messages", "show", 1, "--reveal")
    shown = site.run("messages", "show", 1, "--reveal", *WHY)

    assert (masked.exit_code, refused.exit_code) == (Exit.DONE, Exit.PROBLEMS)
    assert "--confidential REASON" in refused.stderr
    assert "PID|" not in refused.stdout
    assert "PID|" in shown.stdout
    assert acts(site) == [("reveal", ""), ("view", "asked by the ward")]


def test_M20_what_was_sent_of_a_confidential_person_needs_a_reason_too(site):
    words = ("deliveries", "show", 1, "--document")

    refused, shown = site.run(*words), site.run(*words, *WHY)

    assert refused.exit_code == Exit.PROBLEMS
    assert shown.exit_code == Exit.DONE
    assert "Patient" in shown.stdout


def test_M20_a_confidential_persons_message_is_not_tried_by_its_number(site):
    tried = site.run("explain", 1)

    assert tried.exit_code == Exit.PROBLEMS
    assert "confidential" in tried.stderr


def test_M20_a_search_that_names_a_confidential_person_finds_nothing(site):
    rows = site.run("messages", "search").stdout.splitlines()
    person = json.loads(rows[-1])["person"]
    words = ("messages", "search", f"person:{person}")

    assert site.run(*words).stdout == ""
    assert site.run(*words, *WHY).stdout
    assert site.run("messages", "tail", f"person:{person}").stdout == ""


def test_M20_a_configuration_that_cannot_be_read_reveals_nothing(site):
    (site.config / "channels" / "broken.yaml").write_text("nonsense: [")

    refused = site.run("messages", "show", 1, "--reveal")

    assert refused.exit_code == Exit.PROBLEMS
    assert "confidential" in refused.stderr
