"""interop user: inviting people to the console."""

import json

from engine.cli.invocation import Exit
from tests.sites import site_at


def test_an_invitation_is_printed_once_and_written_down(tmp_path):
    site = site_at(tmp_path)

    made = site.run("user", "invite", "ana", "--role", "operator", "--role", "him")

    assert made.exit_code == Exit.DONE, made.output
    assert len(json.loads(made.stdout)["code"]) == 43
    assert "/sign-in" in made.stderr


def test_a_role_that_there_is_not_is_wrong_usage(tmp_path):
    made = site_at(tmp_path).run("user", "invite", "ana", "--role", "boss")

    assert made.exit_code == Exit.USAGE
    assert "operator" in made.stderr
