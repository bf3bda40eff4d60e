"""``interop token``: made, listed, ended."""

import json

from engine.cli.invocation import Exit
from tests.sites import site_at


def test_a_token_is_shown_once_and_listed_without_its_words(tmp_path):
    site = site_at(tmp_path)

    made = site.run("token", "create", "portal", "--permission", "view-phi")
    listed = site.run("token", "list")

    assert made.exit_code == Exit.DONE, made.output
    secret = json.loads(made.stdout)["token"]
    row = json.loads(listed.stdout)
    assert secret not in listed.output
    assert (row["name"], row["permissions"], row["state"]) == (
        "portal",
        "view-phi",
        "in use",
    )


def test_a_revoked_token_says_so(tmp_path):
    site = site_at(tmp_path)
    site.run("token", "create", "portal", "--permission", "view-phi")

    ended = site.run("token", "revoke", "1", "--reason", "left the hospital")
    again = site.run("token", "revoke", "1", "--reason", "left the hospital")

    assert json.loads(ended.stdout) == {"id": 1, "state": "revoked"}
    assert again.exit_code == Exit.PROBLEMS
    assert json.loads(site.run("token", "list").stdout)["state"] == "revoked"


def test_an_unknown_permission_is_refused_with_those_there_are(tmp_path):
    refused = site_at(tmp_path).run("token", "create", "x", "--permission", "all")

    assert refused.exit_code == Exit.USAGE
    assert "view-metadata" in refused.stderr
