"""``interop table``: code tables, their rows, and the codes nobody mapped."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note
from engine.cli.output import emit, emit_one
from engine.cli.site import order, settings, site, store

if TYPE_CHECKING:
    from engine.channels.table_files import TableFile
    from engine.channels.table_moves import Saved
    from engine.store.database import Database
    from engine.transforms.table_sheet import Change, Sheet

NEXT = "next: interop check · interop reload · interop errors retry GROUP"


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
    sheet = _file(name).sheet
    emit(sheet.rows, list(sheet.columns))


@table_command.command("set")
@click.argument("name")
@click.argument("code")
@click.argument("meaning")
@click.option("--display", default="", help="What the meaning is called.")
@click.option("--reason", default="", help="Kept in the history of the table.")
@click.option("--dry-run", is_flag=True)
def set_row(
    name: str, code: str, meaning: str, display: str, reason: str, *, dry_run: bool
) -> None:
    """Add a row, or change the meaning of a code; the file is written whole."""
    from engine.transforms.table_sheet import DISPLAY, Change, rows_of

    sheet = _file(name).sheet
    known = rows_of(sheet, code)
    if len(known) > 1:
        sentence = f"{code} has {len(known)} rows with dates"
        raise Stop(sentence, Exit.PROBLEMS, f"edit tables/{name}.csv")
    before = known[0] if known else None
    after = {**(before or {}), "from": code, "to": meaning}
    if display and DISPLAY in sheet.columns:
        after[DISPLAY] = display
    saved = _save(name, [Change(before, after)], reason, dry_run=dry_run)
    emit_one({"table": name, "code": code, "to": meaning} | saved)


@table_command.command("export")
@click.argument("name")
@click.option("--as", "form", type=click.Choice(["csv", "fhir"]), default="csv")
def export(name: str, form: str) -> None:
    """Print a table as CSV or as FHIR ConceptMap."""
    from engine.transforms.concept_maps import concept_map
    from engine.transforms.table_sheet import csv_of

    sheet = _file(name).sheet
    if form == "csv":
        click.echo(csv_of(sheet), nl=False)
        return
    made = concept_map(name, sheet.rows, settings().site)
    click.echo(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode())


@table_command.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--reason", default="", help="Kept in the history of the table.")
@click.option("--dry-run", is_flag=True)
def import_table(name: str, file: Path, reason: str, *, dry_run: bool) -> None:
    """Take a table from CSV or from a FHIR ConceptMap (.json); it is written whole."""
    from engine.channels import table_files
    from engine.transforms.code_tables import read_csv
    from engine.transforms.table_sheet import changes_between, csv_of, read_sheet

    text = file.read_text("utf-8-sig")
    sheet = _of_concept_map(text) if file.suffix == ".json" else read_sheet(text)
    table, faults = read_csv(csv_of(sheet) if file.suffix == ".json" else text, name)
    if faults:
        where = f"{file}:{faults[0].line}: {faults[0].sentence}"
        raise Stop(where, Exit.PROBLEMS, faults[0].hint)
    folder = settings().folder
    if name not in table_files.names(folder) and not dry_run:
        table_files.create(folder, name, sheet.columns)
    before = _file(name).sheet
    saved = _save(name, changes_between(before, sheet), reason, dry_run=dry_run)
    emit_one({"table": name, "codes": len(table.rows)} | saved)


def _of_concept_map(text: str) -> "Sheet":
    from engine.errors import TransformError
    from engine.transforms.concept_maps import COLUMNS, rows_of
    from engine.transforms.table_sheet import Sheet

    try:
        return Sheet(COLUMNS, tuple(rows_of(orjson.loads(text))))
    except (ValueError, TransformError) as error:
        raise Stop(f"the ConceptMap cannot be read: {error}", Exit.PROBLEMS) from error


@table_command.command("unmapped")
@click.argument("name", required=False, default="")
def unmapped(name: str) -> None:
    """List codes that messages had and a table did not, most often first."""
    from engine.store import table_misses

    with store() as database, database.reading() as connection:
        misses = table_misses.misses(connection, database.sealer, table=name)
    columns = ["table", "code", "sender", "channel", "count", "message_id"]
    emit(({each: getattr(miss, each) for each in columns} for miss in misses), columns)


@table_command.command("history")
@click.argument("name")
def history(name: str) -> None:
    """List what was changed in a table, or waits for a second person."""
    from engine.store import table_changes

    with store() as database, database.reading() as connection:
        found = table_changes.history(connection, database.sealer, name)
    columns = ["id", "at", "actor", "state", "decided_by", "version", "reason", "rows"]
    emit(
        ({each: getattr(one, each) for each in columns} for one in found), columns[:-1]
    )


@table_command.command("agree")
@click.argument("number", type=int)
@click.option("--refuse", is_flag=True, help="Do not: the table stays as it is.")
@click.option("--reason", required=True, help="Kept in the audit trail.")
def agree(number: int, reason: str, *, refuse: bool) -> None:
    """Save a change that somebody else proposed, as the second person."""
    from engine.channels import table_moves

    with store() as database:
        saved = table_moves.decide(
            database, settings(), number, order(reason), agree=not refuse
        )
    _complain(saved)
    emit_one({"change": number, "table": saved.file.name, "state": saved.state})


def _file(name: str) -> "TableFile":
    from engine.channels import table_files

    folder = settings().folder
    known = table_files.names(folder)
    if name not in known:
        hint = f"tables: {', '.join(known)}"
        raise Stop(f"there is no table {name}", Exit.USAGE, hint)
    return table_files.read_table(folder, name)


def _save(
    name: str, changes: "Sequence[Change]", reason: str, *, dry_run: bool
) -> dict[str, object]:
    """Save changes, or only look at them; return what to tell."""
    from engine.channels import table_moves

    if dry_run:
        return {"written": False}
    with _history() as database:
        saved = table_moves.save(database, settings(), name, changes, order(reason))
    _complain(saved)
    note(f"proposed as change {saved.number}" if saved.state == "proposed" else NEXT)
    return {"written": saved.state != "proposed"}


def _complain(saved: "Saved") -> None:
    if saved.clashes:
        codes = ", ".join(each.key[0] for each in saved.clashes[:5])
        raise Stop(f"rows changed meanwhile: {codes}; nothing was saved", Exit.PROBLEMS)


@contextmanager
def _history() -> "Iterator[Database | None]":
    """Open the store where there is one: a checkout of the configuration has none."""
    if not settings().key_file.exists():
        yield None
        return
    with store() as database:
        yield database
