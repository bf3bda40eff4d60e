"""The first start: the way in, and settings that are refused before anything runs."""

import json
import re

import pytest
import rich_click as click
from click.testing import CliRunner

from engine.cli import users
from engine.cli.invocation import Command, Exit
from engine.cli.site import store
from engine.console.node_settings import expect_usable
from engine.errors import ConfigurationError
from engine.settings import load_settings
from engine.store import accounts
from tests.sites import site_at
from tests.stored import OPERATOR

WRONG = """
[alerts]
notify = ["nobody"]
[calendars]
hospital = ["new year"]
[smtp]
sever = "mail.example:25"
[contacts.oncall]
email = ["no address"]
[console]
bind = "0.0.0.0:8080"
[oidc]
issuer = "http://provider.example"
"""


@click.command(cls=Command)
def begin():
    """Do what `interop run` does first."""
    with store() as database:
        users.first_way_in(database)


def start(site):
    told = CliRunner().invoke(begin, ["--config", str(site.config)])
    assert told.exit_code == Exit.DONE, told.output
    return re.findall(r"/welcome\?code=(\S+)", told.stderr)


def names(site):
    rows = json.loads(site.run("user", "list", "-o", "json").stdout)
    return [row["name"] for row in rows]


def test_S03_the_first_start_tells_one_way_in_until_it_was_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "Kim")
    site = site_at(tmp_path)

    [first], [second] = start(site), start(site)
    database = site.database("console")
    with database.engine() as connection:
        [account] = accounts.accounts(connection)
        sealer = database.sealer
        accounts.set_password(connection, sealer, account.name, "hash", OPERATOR)
    database.close()

    assert first != second
    assert names(site) == ["kim"]
    assert account.grants == {"administrator"}
    assert start(site) == []


def test_no_way_in_is_told_beside_a_provider_or_somebody_elses_account(tmp_path):
    other = site_at(tmp_path)
    other.run("user", "create", "ana", "--role", "operator")
    assert start(other) == []

    with (other.config / "interop.toml").open("a") as file:
        file.write('[oidc]\nissuer = "https://provider.example"\n')
    assert start(other) == []


def test_check_and_run_name_the_same_settings_that_no_node_starts_with(tmp_path):
    site = site_at(tmp_path)
    with (site.config / "interop.toml").open("a") as file:
        file.write(WRONG)

    checked = site.run("check")
    run = site.run("run")
    with pytest.raises(ConfigurationError) as refused:
        expect_usable(load_settings(site.config, variables={}))

    assert (checked.exit_code, run.exit_code) == (Exit.PROBLEMS, Exit.CONFIGURATION)
    assert len(refused.value.faults) >= 6
    for fault in refused.value.faults:
        sentence = fault.partition(": error: ")[2]
        assert sentence in checked.stdout
        assert sentence in run.stderr
    for word in ("nobody", "calendars", "[smtp]", "oncall", "certificate", "oidc"):
        assert word in checked.stdout
