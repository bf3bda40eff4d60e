"""interop user: who may use the console."""

import json

import pytest

from engine.cli.invocation import Exit
from tests.sites import site_at


@pytest.fixture
def site(tmp_path):
    return site_at(tmp_path)


def test_a_link_into_a_new_account_is_printed_once(site):
    made = site.run("user", "create", "Ana", "--role", "operator", "--role", "him")

    assert made.exit_code == Exit.DONE, made.output
    assert "/welcome?code=" in json.loads(made.stdout)["link"]
    assert "not shown again" in made.stderr
    [row] = json.loads(site.run("user", "list", "-o", "json").stdout)
    assert (row["name"], row["roles"], row["tags"]) == ("ana", "operator steward", "*")


def test_a_lost_password_is_a_new_link_and_an_emergency_a_code(site):
    site.run("user", "create", "ana", "--role", "operator")

    again = site.run("user", "invite", "ana")
    code = site.run("user", "code", "ana", "--reason", "provider down")

    assert "/welcome?code=" in json.loads(again.stdout)["link"]
    assert len(json.loads(code.stdout)["code"]) == 43


def test_roles_and_channels_are_changed_by_name(site):
    site.run("user", "create", "ana", "--role", "operator")
    site.run("user", "roles", "ana", "--role", "read-only", "--tag", "lab",
             "--reason", "moved")  # fmt: skip

    [row] = json.loads(site.run("user", "list", "-o", "json").stdout)
    assert (row["roles"], row["tags"]) == ("read-only", "lab")


@pytest.mark.parametrize("word", ["disable", "end-sessions", "reset-factors", "enable"])
def test_what_the_page_does_to_an_account_the_command_does(site, word):
    site.run("user", "create", "ana", "--role", "operator")

    done = site.run("user", word, "ana", "--reason", "left the house")

    assert json.loads(done.stdout) == {"name": "ana", "done": word}


def test_the_last_administrator_stays(site):
    site.run("user", "create", "ana", "--role", "administrator")

    disabled = site.run("user", "disable", "ana", "--reason", "left")
    less = site.run("user", "roles", "ana", "--role", "auditor", "--reason", "moved")

    assert Exit.DONE not in {disabled.exit_code, less.exit_code}
    assert "last administrator" in disabled.stderr
    assert "last administrator" in less.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("ana", "--role", "boss"),
        ("..", "--role", "operator"),
    ],
)
def test_a_role_or_a_name_that_cannot_be_is_wrong_usage(site, words):
    assert site.run("user", "create", *words).exit_code == Exit.USAGE


def test_an_account_is_made_once(site):
    site.run("user", "create", "ana", "--role", "operator")

    again = site.run("user", "create", "ana", "--role", "operator")

    assert again.exit_code != Exit.DONE
    assert "already" in again.stderr
