"""What a channel said: its history, what differs, and the way back."""

import json
from contextlib import closing

import pytest

from engine.channels.live_files import keep, read
from engine.cli import running
from engine.cli.invocation import Exit
from engine.cli.project import write_project
from engine.store.audit import Order
from tests.sites import NOON, Site

ADT = "hospital-adt"


def rows(result):
    assert result.exit_code == Exit.DONE, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def site(tmp_path):
    write_project(tmp_path)
    found = Site(tmp_path / "config")
    with closing(found.database()) as database:
        keep(database, read(found.config, None), Order("kim", NOON, "reload"))
    return found


def test_a_channel_is_rolled_back_to_what_it_said(site):
    file = site.config / "channels" / f"{ADT}.yaml"
    old = file.read_text()
    file.write_text(f"{old}# a note\n")

    shown = site.run("channel", "diff", ADT, 1)
    why = ("--reason", "worse")
    tried = site.run("channel", "rollback", ADT, 1, *why, "--dry-run")
    kept = file.read_text()
    [done] = rows(site.run("channel", "rollback", ADT, 1, *why))
    after = site.run("channel", "diff", ADT, 1)
    past = rows(site.run("channel", "history", ADT))

    assert "+ # a note" in shown.stdout
    assert "nothing was changed" in tried.stderr
    assert kept == f"{old}# a note\n"
    assert (done["configuration"], done["told"]) == (1, 0)
    assert file.read_text() == old
    assert "nothing that this channel uses differs" in after.stderr
    assert [row["state"] for row in past] == ["set aside", "live"]


def test_what_differs_beside_a_channel_is_named_with_the_difference(site):
    table = site.config / "tables" / "sex.csv"
    table.write_text(f"{table.read_text()}Z,other\n")

    result = site.run("channel", "diff", ADT, 1)

    assert "tables/sex.csv differs, too" in result.stderr


def test_a_reload_keeps_the_configuration_with_who_asked_for_it(site, monkeypatch):
    monkeypatch.setattr(running, "_running", list)
    file = site.config / "channels" / f"{ADT}.yaml"
    file.write_text(f"{file.read_text()}# a note\n")

    [told] = rows(site.run("reload"))
    newest, oldest = rows(site.run("channel", "history", ADT))

    assert told["channels"] == [ADT, "laboratory", "relay"]
    assert (newest["reason"], oldest["actor"]) == ("interop reload", "kim")


def test_a_channel_is_written_into_one_archive(site, tmp_path):
    told = rows(site.run("channel", "export", ADT, "--to", tmp_path / "adt.zip"))
    refused = site.run("channel", "export", "nothing")

    assert told == [
        {
            "channel": ADT,
            "file": str(tmp_path / "adt.zip"),
            "bytes": (tmp_path / "adt.zip").stat().st_size,
        }
    ]
    assert refused.exit_code == 3
