"""``interop table``: code tables, their rows, and the codes nobody mapped."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, invocation, note
from engine.cli.output import emit, emit_one
from engine.cli.site import site, store

if TYPE_CHECKING:
    from engine.transforms.code_tables import CodeTable


@click.group("table", cls=Group)
def table_command() -> None:
    """Code tables: CSV files below config/tables."""


@table_command.command("list")
def list_tables() -> None:
    """List the code tables with their sizes."""
    tables = site().tables
    emit(
        (
            {"table": name, "codes": len(table.rows), "version": table.version[:12]}
            for name, table in sorted(tables.items())
        ),
        ["table", "codes", "version"],
    )


@table_command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show the rows of a table."""
    rows = [dict(row.values) for rows in _table(name).rows.values() for row in rows]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    emit(rows, columns)


@table_command.command("set")
@click.argument("name")
@click.argument("code")
@click.argument("meaning")
@click.option("--display", default="", help="What the meaning is called.")
@click.option("--dry-run", is_flag=True)
def set_row(name: str, code: str, meaning: str, display: str, *, dry_run: bool) -> None:
    """Add a row, or change the meaning of a code; the file is written whole."""
    _table(name)
    path = invocation().folder() / "tables" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    head = lines[0]
    known = [line for line in lines[1:] if line and line[head.index("from")] == code]
    if len(known) > 1:
        sentence = f"{code} has {len(known)} rows with dates"
        raise Stop(sentence, Exit.PROBLEMS, f"edit {path}")
    row = known[0] if known else [""] * len(head)
    row += [""] * (len(head) - len(row))
    given = {"from": code, "to": meaning} | ({"display": display} if display else {})
    for key, value in given.items():
        if key in head:
            row[head.index(key)] = value
    if not known:
        lines.append(row)
    if not dry_run:
        _replace(path, lines)
        note("next: interop check · interop reload · interop errors retry GROUP")
    emit_one({"table": name, "code": code, "to": meaning, "written": not dry_run})


@table_command.command("export")
@click.argument("name")
@click.option("--as", "form", type=click.Choice(["csv", "fhir"]), default="csv")
def export(name: str, form: str) -> None:
    """Print a table as CSV or as FHIR ConceptMap."""
    from engine.transforms.concept_maps import concept_map

    table = _table(name)
    if form == "csv":
        path = invocation().folder() / "tables" / f"{name}.csv"
        click.echo(path.read_text("utf-8"), nl=False)
        return
    rows = [row.values for rows in table.rows.values() for row in rows]
    made = concept_map(name, rows, site().settings.site)
    click.echo(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode())


@table_command.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--dry-run", is_flag=True)
def import_table(name: str, file: Path, *, dry_run: bool) -> None:
    """Take a table from CSV or from a FHIR ConceptMap (.json); it is written whole."""
    from engine.transforms.code_tables import read_csv

    text = file.read_text("utf-8")
    lines = _of_concept_map(text) if file.suffix == ".json" else _of_csv(text)
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(lines)
    table, faults = read_csv(content.getvalue(), name)
    if faults:
        fault = faults[0]
        where = f"{file}:{fault.line}: {fault.sentence}"
        raise Stop(where, Exit.PROBLEMS, fault.hint)
    if not dry_run:
        _replace(invocation().folder() / "tables" / f"{name}.csv", lines)
        note("next: interop check · interop reload")
    emit_one({"table": name, "codes": len(table.rows), "written": not dry_run})


def _of_csv(text: str) -> list[list[str]]:
    return [cells for cells in csv.reader(io.StringIO(text, newline="")) if cells]


def _of_concept_map(text: str) -> list[list[str]]:
    from engine.errors import TransformError
    from engine.transforms.concept_maps import COLUMNS, rows_of

    try:
        rows = rows_of(orjson.loads(text))
    except (ValueError, TransformError) as error:
        raise Stop(f"the ConceptMap cannot be read: {error}", Exit.PROBLEMS) from error
    return [list(COLUMNS), *([row[name] for name in COLUMNS] for row in rows)]


@table_command.command("unmapped")
@click.argument("name", required=False, default="")
def unmapped(name: str) -> None:
    """List codes that messages had and a table did not, most often first."""
    from engine.store import queues

    with store() as database, database.reading() as connection:
        misses = queues.table_misses(connection, database.sealer, table=name)
    columns = ["table", "code", "sender", "channel", "count"]
    emit(
        (
            {
                "channel": channel,
                "table": table,
                "sender": sender,
                "code": code,
                "count": count,
            }
            for channel, table, sender, code, count in sorted(
                misses, key=lambda miss: -miss[4]
            )
        ),
        columns,
    )


def _table(name: str) -> "CodeTable":
    tables = site().tables
    if name not in tables:
        hint = f"tables: {', '.join(sorted(tables))}"
        raise Stop(f"there is no table {name}", Exit.USAGE, hint)
    return tables[name]


def _replace(path: Path, lines: list[list[str]]) -> None:
    """Write a table beside the old one, then put it in its place."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    fresh = path.with_suffix(".csv.new")
    fresh.write_text(text.getvalue(), encoding="utf-8")
    fresh.replace(path)
