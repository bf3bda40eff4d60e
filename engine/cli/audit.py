"""``interop audit``: who did or saw what, and whether the trail is whole."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import orjson
import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, invocation, leave, now
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import order, settings, store

if TYPE_CHECKING:
    from engine.store.audit import AuditRow, Head, Wanted
    from engine.store.database import Database

COLUMNS: Final = ["id", "at", "actor", "action", "subject", "detail", "patient"]
PAGE: Final = 1_000
_Command = TypeVar("_Command", bound=Callable[..., None])


@click.group("audit", cls=Group)
def audit_command() -> None:
    """Who did or saw what; nothing here changes it.

    What names patients in it is shown with --reveal only, which is written down.
    """


def _filters(command: _Command) -> _Command:
    for option in (
        click.option("--until", default="", help="As --since."),
        click.option("--since", default="", help="2h, today, 2030-01-31 or ISO 8601."),
        click.option("--person", default="", help="Who saw this person (identifier)."),
        click.option("--subject", default="", help="As 'message 4711'."),
        click.option("--action", default="", help="As view or token.issue."),
        click.option("--actor", default="", help="Who acted."),
    ):
        command = option(command)
    return command


@audit_command.command("search")
@_filters
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def search(limit: int, **asked: str) -> None:
    """List acts, newest first."""
    with store() as database:
        if invocation().reveal:
            _write(database, "audit.export", {"as": "reveal", "of": _given(asked)})
        emit(map(_row, _found(database, asked, limit)), COLUMNS)


@audit_command.command("export")
@_filters
@click.option("--fhir", is_flag=True, help="A Bundle of FHIR AuditEvents.")
def export(*, fhir: bool, **asked: str) -> None:
    """Print every act that fits; -o csv or jsonl. The export is an act itself."""
    with store() as database:
        form = "fhir" if fhir else "listing"
        _write(database, "audit.export", {"as": form, "of": _given(asked)})
        rows = _found(database, asked, None)
        if not fhir:
            emit(map(_row, rows), COLUMNS)
            return
        from engine.console.fhir_api.audit_events import bundle

        click.echo(orjson.dumps(bundle(list(rows), settings().site)))


@audit_command.command("verify")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="ID:HASH",
    help="An end of the chain that was printed earlier; it shows a tail cut off.",
)
def verify(heads: tuple[str, ...]) -> None:
    """Walk the whole chain; exit code 1 names the first row that is not as written.

    The end that is printed belongs somewhere else than the store: give it as --head the
    next time.
    """
    from engine.store import audit

    expected = [_head(each) for each in heads]
    with store() as database:
        with database.reading() as connection:
            found = audit.verify(connection, database.sealer, expected)
            end = audit.head(connection)
        _write(database, "audit.verify", found.fault)
    head = f"{end.id}:{end.hash.hex()}"
    emit_one({"rows": found.rows, "fault": found.fault, "head": head})
    if found.fault:
        leave(Exit.PROBLEMS)


def _head(text: str) -> "Head":
    from engine.store.audit import Head

    number, _, digest = text.partition(":")
    try:
        return Head(int(number), bytes.fromhex(digest))
    except ValueError as error:
        hint = "interop audit verify prints it"
        raise Stop(f"{text!r} is not ID:HASH", Exit.USAGE, hint) from error


def _found(
    database: "Database", asked: dict[str, str], limit: int | None
) -> "Iterator[AuditRow]":
    """Yield acts page by page, newest first."""
    from engine.console.queries import audit as queries

    wanted, before, left = _wanted(asked), 0, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        with database.reading() as connection:
            rows = queries.found(
                connection,
                database.sealer,
                wanted,
                asked["person"],
                before=before,
                limit=size,
            )
        yield from rows
        if len(rows) < size:
            return
        before, left = rows[-1].id, None if left is None else left - size


def _wanted(asked: dict[str, str]) -> "Wanted":
    from engine.store.audit import Wanted

    subjects = (asked["subject"],) if asked["subject"] else ()
    since, until = _moment(asked["since"]), _moment(asked["until"])
    return Wanted(asked["actor"], asked["action"], subjects, since, until)


def _moment(text: str) -> datetime | None:
    from engine.console.queries.message_query import moment

    if not text:
        return None
    found = moment(text, now())
    if found is None:
        hint = "write 2h, today, 2030-01-31 or 2030-01-31T12:00"
        raise Stop(f"{text!r} is not a time", Exit.USAGE, hint)
    return found


def _row(found: "AuditRow") -> Row:
    from engine.console.queries.audit import shown

    act = shown(found, reveal=invocation().reveal)
    shown_as = {name: getattr(act, name) for name in COLUMNS[1:-1]}
    return {"id": found.id, **shown_as, "patient": found.patient}


def _given(asked: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


def _write(database: "Database", action: str, detail: object) -> None:
    from engine.store import audit
    from engine.store.audit import Act

    asked = order("")
    text = detail if isinstance(detail, str) else orjson.dumps(detail).decode()
    act = Act(asked.now, asked.actor, action, "audit", text)
    with database.engine() as connection:
        audit.write(connection, database.sealer, [act])
