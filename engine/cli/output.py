"""Listings in the form the reader wants; results on stdout, nothing else."""

import csv
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import click
import orjson

from engine.cli.invocation import Exit, Stop, invocation, note
from engine.hl7 import Finding

Row = Mapping[str, object]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
HIDDEN: Final = "•••"
"""What stands where patient data would, until ``--reveal``."""


def output_format() -> str:
    """Return the chosen format; without one, a table on a terminal, else jsonl."""
    return invocation().output or ("table" if sys.stdout.isatty() else "jsonl")


def note_findings(findings: Iterable[Finding]) -> None:
    """Tell on stderr what is odd about a message or its resources, a line for each."""
    for each in findings:
        note(f"{each.code} {each.path}: {each.text}")


def emit(rows: Iterable[Row], columns: Sequence[str], *, zone: str = "") -> int:
    """Print a listing and return how many rows it had.

    Args:
        rows: read one by one, so a long listing never stands in memory; only
            ``table`` and ``json`` gather them.
        columns: names in the order of the table and of CSV; a row may carry more,
            which JSON and YAML show. A row's ``hl7`` is what ``-o hl7`` prints.
        zone: IANA zone of the site, for times; empty is the system's.
    """
    shown = (_plain(row, zone) for row in rows)
    writer = {
        "table": _table,
        "json": _json,
        "jsonl": _jsonl,
        "csv": _csv,
        "yaml": _yaml,
        "hl7": _hl7,
    }[output_format()]
    return writer(shown, columns)


def emit_one(row: Row, *, zone: str = "") -> None:
    """Print one thing: names and values below each other, or one JSON object."""
    if output_format() == "table":
        plain = _plain(row, zone)
        width = max(map(len, plain), default=0)
        for name, value in plain.items():
            click.echo(f"{name:<{width}}  {_cell(value)}")
        return
    emit([row], list(row), zone=zone)


def masked(value: object) -> object:
    """Return patient data only with ``--reveal``; else a sign that there is some."""
    return value if invocation().reveal or not value else HIDDEN


def _plain(row: Row, zone: str) -> dict[str, object]:
    return {name: _value(value, zone) for name, value in row.items()}


def _value(value: object, zone: str) -> object:
    if isinstance(value, datetime):
        return _local(value, zone).isoformat(timespec="seconds")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, tuple | frozenset | set):
        return [_value(part, zone) for part in value]
    return value


def _local(moment: datetime, zone: str) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if invocation().utc:
        return moment.astimezone(UTC)
    return moment.astimezone(ZoneInfo(zone) if zone else None)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list() | dict():
            return orjson.dumps(value, default=str).decode()
        case _:
            return str(value)


def _words(value: object) -> str:
    """Return a cell for people: texts of a list one below the other."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return _cell(value)


def _table(rows: Iterable[Row], columns: Sequence[str]) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.replace("_", " ").upper(), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_words(row.get(name))) for name in columns))
    no_color = None if invocation().color else True
    Console(no_color=no_color, highlight=False).print(table)
    return table.row_count


def _json(rows: Iterable[Row], columns: Sequence[str]) -> int:
    del columns
    gathered = list(rows)
    options = orjson.OPT_INDENT_2
    click.echo(orjson.dumps(gathered, default=str, option=options).decode())
    return len(gathered)


def _jsonl(rows: Iterable[Row], columns: Sequence[str]) -> int:
    del columns
    count = 0
    for row in rows:
        click.echo(orjson.dumps(row, default=str).decode())
        count += 1
    return count


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> int:
    count, lines = 0, [_csv_line(columns)]
    for row in rows:
        lines.append(_csv_line(_cell_csv(row.get(name)) for name in columns))
        click.echo("\n".join(lines))
        lines.clear()
        count += 1
    if lines:
        click.echo(lines[0])
    return count


def _csv_line(cells: Iterable[str]) -> str:
    """Return one line; a cell with CR or LF in it is quoted."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().removesuffix("\r\n")


def _cell_csv(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula (security.md S27)."""
    if isinstance(value, int | float):
        return str(value)
    text = _cell(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _yaml(rows: Iterable[Row], columns: Sequence[str]) -> int:
    from ruamel.yaml import YAML

    del columns
    gathered = [dict(row) for row in rows]
    YAML(typ="safe", pure=True).dump(gathered, sys.stdout)
    return len(gathered)


def _hl7(rows: Iterable[Row], columns: Sequence[str]) -> int:
    del columns
    count = 0
    for row in rows:
        if "hl7" not in row:
            raise Stop("this listing holds no HL7 messages", Exit.USAGE, "use -o json")
        text = str(row["hl7"]).replace("\r\n", "\r").replace("\n", "\r")
        click.echo(text.replace("\r", "\n").rstrip("\n") + "\n")
        count += 1
    return count
