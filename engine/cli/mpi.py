"""``interop mpi``: the patient index, its mismatch queue, and the moves of people."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.confidential import admitted, confidential_option
from engine.cli.invocation import Exit, Group, Stop, note
from engine.cli.mpi_models import COMMANDS
from engine.cli.mpi_persons import (
    ask_command,
    search_command,
    show_command,
    unidentified_command,
)
from engine.cli.mpi_quality import placeholders_command, quality_command
from engine.cli.mpi_tasks import WORK
from engine.cli.mpi_versions import VERSIONS
from engine.cli.output import Row, emit, emit_one, masked
from engine.cli.site import move_options, order, site, store

if TYPE_CHECKING:
    from engine.identity.person import LinkKind
    from engine.store.database import Database
    from engine.store.moves import Request

EXPORT = ["control_id", "enterprise_id", "outcome", "reasons", "candidate"]


@click.group("mpi", cls=Group)
def mpi_command() -> None:
    """The master patient index and the mismatch queue.

    Persons are named by enterprise identifier, records and tasks by number. Every move
    can be taken back.
    """


for _whole in (
    *(ask_command, placeholders_command, quality_command, search_command),
    *(show_command, unidentified_command),
):
    mpi_command.add_command(_whole)


def _move_command(kind: str, does: str, names: tuple[str, ...]) -> None:
    """Add ``interop mpi KIND``: it shows the preview, then asks or takes ``--yes``."""

    @mpi_command.command(kind, help=does)
    @click.argument("words", nargs=-1, required=True, metavar=" ".join(names))
    @move_options
    def carry_out(
        words: tuple[str, ...], reason: str, *, yes: bool, dry_run: bool
    ) -> None:
        from engine.identity.person import LinkKind

        request = _request(LinkKind(kind), words, names)
        with store() as database:
            _move(database, request, reason, yes=yes, dry_run=dry_run)


def _request(
    kind: "LinkKind", words: tuple[str, ...], names: tuple[str, ...]
) -> "Request":
    from engine.store.moves import Request

    persons = {"source", "target"} & {name.lower() for name in names}
    many = any(name.endswith("...") for name in names)
    if len(words) < len(names) or (len(words) > len(names) and not many):
        raise Stop(
            f"give {' '.join(names)}", Exit.USAGE, "interop mpi search finds them"
        )
    numbers = words[: len(words) - len(persons)]
    if not all(word.isdecimal() for word in numbers):
        raise Stop("records are named by number", Exit.USAGE, "interop mpi show PERSON")
    named = dict(zip(sorted(persons), words[len(numbers) :], strict=True))
    records = tuple(map(int, numbers))
    return Request(kind, records, named.get("source", ""), named.get("target", ""))


def _move(
    database: "Database", request: "Request", reason: str, *, yes: bool, dry_run: bool
) -> None:
    from engine.channels.processing.corrections import forms_of
    from engine.store import moves
    from engine.store.patients import SqlPatientIndex
    from engine.store.previews import preview

    with database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        found = preview(
            index,
            lambda trial: moves.move(trial, request, order(reason)),
            forms_of(site().channels),
        )
    shown = found.as_row()
    if dry_run:
        emit_one(shown)
        return
    if not yes:
        note(f"{shown['kind']}: {shown['before']} becomes {shown['after']}")
        for each in found.sends:
            note(f"  sends {each.what} to {each.channel}/{each.destination}")
        click.confirm("do it", abort=True, err=True)
    with database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        done = moves.move(index, request, order(reason))
    emit_one({**shown, "event": done.number, "target": done.target})


for _kind, _does, _names in (
    ("link", "Bring records to a person.", ("RECORD...", "TARGET")),
    ("unlink", "Take records off a person, to a new one.", ("RECORD...",)),
    ("split", "Make a new person of some records.", ("RECORD...",)),
    ("merge", "Retire one person into another.", ("SOURCE", "TARGET")),
    ("unmerge", "Bring a retired person back.", ("SOURCE",)),
    ("different", "Say that two records are two people.", ("RECORD", "RECORD")),
):
    _move_command(_kind, _does, _names)


@mpi_command.command("undo")
@click.argument("event", type=int)
@click.option("--reason", required=True, help="Kept in the audit trail.")
def undo_event(event: int, reason: str) -> None:
    """Take one link event back, by its number."""
    from engine.store import moves
    from engine.store.patients import SqlPatientIndex

    with store() as database, database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        done = moves.revert(index, event, order(reason))
    emit_one(
        {"event": done.number, "kind": done.kind.value, "records": list(done.records)}
    )


@mpi_command.command("export")
@confidential_option
def export(confidential: str) -> None:
    """Print one line for each person that a message touched; -o csv for evaluation.

    Identifiers are shown with --reveal only.
    """
    columns = [*EXPORT, "assigning_authority", "identifier"]
    with store() as database:
        sees = admitted(database, confidential)
        emit(_exported(database, confidential=sees), columns)


@mpi_command.command("evaluate")
@click.option(
    "--truth",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV with control_id, event, person, as interop generate writes it.",
)
@click.option(
    "--feed",
    type=click.Path(exists=True, path_type=Path),
    help="Decide these messages in a store of their own, instead of the site's.",
)
@click.option(
    "--mode",
    type=click.Choice(["safe", "balanced", "deterministic"]),
    default="safe",
    show_default=True,
    help="Thresholds for --feed.",
)
def evaluate(truth: Path, feed: Path | None, mode: str) -> None:
    """Print pairwise precision and recall against known pairs."""
    from engine.cli.evaluation import fed, score

    with fed(feed, mode) if feed else store() as database:
        rows = list(_exported(database, confidential=True))
    emit_one(score(truth, rows))


def _exported(database: "Database", *, confidential: bool) -> Iterator[Row]:
    """Yield what each message decided, page by page."""
    from engine.store import links, person_lists

    after = 0
    while True:
        with database.reading() as connection:
            page = person_lists.touched(connection, after=after)
            hidden = frozenset[str]()
            if not confidential:
                hidden = links.confidential(connection, {each.person for each in page})
            numbers = [
                masked(person_lists.number_of(connection, database.sealer, each.key))
                if each.key
                else ""
                for each in page
            ]
        for each, number in zip(page, numbers, strict=True):
            if each.person in hidden:
                continue
            yield {
                "control_id": each.control_id,
                "enterprise_id": each.person,
                "outcome": each.outcome,
                "reasons": each.reasons,
                "candidate": each.candidate,
                "assigning_authority": each.authority,
                "identifier": number,
            }
        if not page:
            return
        after = page[-1].message


for _command in (*COMMANDS, *VERSIONS, *WORK):
    mpi_command.add_command(_command)
