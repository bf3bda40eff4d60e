"""Listings: every form holds the same rows, and nothing else is on stdout."""

import csv
import io
import json
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from engine.cli.invocation import Command, Exit
from engine.cli.output import HIDDEN, emit, emit_one, masked

ROWS = [
    {"id": 1, "name": "Ann", "at": datetime(2030, 1, 1, 12, tzinfo=UTC)},
    {"id": 2, "name": "Bob, Jr", "at": None, "hl7": "MSH|1\rPID|2\r"},
]


def listing(*options):
    @click.command(cls=Command)
    def lists():
        emit(iter(ROWS), ["id", "name", "at"], zone="Europe/Vienna")

    return CliRunner().invoke(lists, options)


def test_piped_output_is_one_json_object_a_line():
    rows = [json.loads(line) for line in listing().stdout.splitlines()]

    assert [row["id"] for row in rows] == [1, 2]
    assert rows[0]["at"] == "2030-01-01T13:00:00+01:00"


def test_times_are_in_utc_when_asked():
    row = json.loads(listing("--utc").stdout.splitlines()[0])

    assert row["at"] == "2030-01-01T12:00:00+00:00"


def test_json_yaml_and_csv_hold_the_same_names():
    in_json = json.loads(listing("-o", "json").stdout)
    in_yaml = YAML(typ="safe").load(listing("-o", "yaml").stdout)
    in_csv = list(csv.DictReader(io.StringIO(listing("-o", "csv").stdout)))

    names = [[row["name"] for row in rows] for rows in (in_json, in_yaml, in_csv)]

    assert names == [["Ann", "Bob, Jr"]] * 3


def test_a_table_shows_one_text_of_a_list_a_line():
    @click.command(cls=Command)
    def lists():
        emit(iter([{"id": 1, "places": ["here", "there"]}]), ["id", "places"])

    told = CliRunner().invoke(lists, ["-o", "table"]).stdout

    assert [line.split() for line in told.splitlines()[1:]] == [
        ["1", "here"],
        ["there"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_spreadsheet_takes_a_cell_of_csv_for_a_formula(start):
    @click.command(cls=Command)
    def lists():
        emit(iter([{"id": -1, "name": f"{start}cmd()"}]), ["id", "name"])

    told = CliRunner().invoke(lists, ["-o", "csv"]).stdout

    assert next(csv.reader(io.StringIO(told[len("id,name\n") :]))) == [
        "-1",
        f"'{start}cmd()",
    ]


def test_a_table_has_a_head_and_a_line_for_each_row():
    head, *lines = listing("-o", "table").stdout.splitlines()

    assert head.split() == ["ID", "NAME", "AT"]
    assert len(lines) == 2


def test_hl7_is_refused_where_there_are_no_messages():
    result = listing("-o", "hl7")

    assert result.exit_code == Exit.USAGE


def test_an_unknown_form_is_wrong_usage():
    assert listing("-o", "xml").exit_code == Exit.USAGE


@pytest.mark.parametrize(("options", "shown"), [([], HIDDEN), (["--reveal"], "Ann")])
def test_patient_data_is_shown_only_when_asked(options, shown):
    @click.command(cls=Command)
    def shows():
        emit_one({"name": masked("Ann")})

    result = CliRunner().invoke(shows, options)

    assert json.loads(result.stdout) == {"name": shown}
