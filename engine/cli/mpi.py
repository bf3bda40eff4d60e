"""``interop mpi``: the patient index, its mismatch queue, and the moves of people."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note
from engine.cli.mpi_models import COMMANDS
from engine.cli.mpi_persons import (
    PERSON_COLUMNS,
    person_row,
    search_command,
    unidentified_command,
)
from engine.cli.mpi_quality import quality_command
from engine.cli.mpi_tasks import WORK, task_row
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


for _whole in (quality_command, search_command, unidentified_command):
    mpi_command.add_command(_whole)


@mpi_command.command("show")
@click.argument("person")
def show(person: str) -> None:
    """Show the records of a person."""
    from engine.store import links
    from engine.store.patients import SqlPatientIndex

    with store() as database, database.reading() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        today = links.resolved(connection, person)
        found = index.members(today)
    if today != person:
        note(f"{person} was merged into {today}")
    if not found:
        raise Stop(f"there is no person {person}", Exit.PROBLEMS)
    emit((person_row(each) for each in found), PERSON_COLUMNS)


@mpi_command.command("tasks")
@click.option("--category", default="", help="duplicate, overlap, overlay, ...")
@click.option("--show", "number", type=int, help="One task with its evidence.")
@click.option("--same", type=int, help="Decide: one person. Needs --reason.")
@click.option("--different", type=int, help="Decide: different people.")
@click.option("--unsure", type=int, help="Leave open, with a question.")
@click.option("--ask-source", type=int, help="Leave open until the source merges.")
@click.option("--comment", type=int, help="Add --reason as a comment.")
@click.option("--undo", type=int, help="Take a decision back.")
@click.option("--reason", default="", help="Kept in the audit trail.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def tasks(
    category: str,
    number: int | None,
    same: int | None,
    different: int | None,
    reason: str,
    limit: int,
    **others: int | None,
) -> None:
    """List the open tasks of the mismatch queue, most urgent first, or decide one."""
    from engine.identity.registration import Category
    from engine.store import task_work

    words = {"same": same, "different": different, **others}
    act = next(((word, each) for word, each in words.items() if each), None)
    if act:
        _decide(*act, reason=reason)
        return
    if number:
        _showtask_row(number)
        return
    if category and category not in set(Category):
        hint = "categories: " + ", ".join(Category)
        raise Stop(f"{category!r} is not a category", Exit.USAGE, hint)
    wanted = Category(category) if category else None
    with store() as database, database.reading() as connection:
        found = task_work.by_priority(connection, wanted, limit)
    columns = [
        "id", "category", "reason", "waiting", "asked", "assignee", "due_at",
        "opened_at", "person", "candidates",
    ]  # fmt: skip
    emit(({**task_row(each), "waiting": held} for each, held in found), columns)
    if found:
        first = found[0][0].id
        note(f"next: interop mpi tasks --show {first}")
        note(f"      interop mpi tasks --same {first} --reason TEXT (or --different)")


def _decide(word: str, number: int, *, reason: str) -> None:
    """Carry out or take back a decision about one task, or leave a word about it."""
    from engine.identity.decision import Ruling
    from engine.store import task_work, worklist
    from engine.store.patients import SqlPatientIndex
    from engine.store.task_work import Asked

    if not reason:
        raise Stop("a decision needs a reason", Exit.USAGE, "add --reason TEXT")
    asked = {"unsure": Asked.UNSURE, "ask_source": Asked.SOURCE}
    with store() as database, database.engine() as connection:
        index, why = SqlPatientIndex(connection, database.sealer), order(reason)
        if word == "undo":
            worklist.undo_task(index, number, why)
        elif word == "comment":
            task_work.comment(index, number, why)
        elif word in asked:
            task_work.ask(index, number, asked[word], why)
        else:
            worklist.decide_task(index, number, Ruling(word), why)
        done = worklist.shown(index, number)
    emit_one(task_row(done))


def _showtask_row(number: int) -> None:
    from engine.store import patient_views, task_work, worklist
    from engine.store.patients import SqlPatientIndex, shipped

    with store() as database, database.reading() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        found = worklist.shown(index, number)
        explained = patient_views.explained(found, shipped())
        written = task_work.comments(index, number)
        persons = dict.fromkeys([found.person, *(c.person for c in found.candidates)])
        records = [r for person in persons if person for r in index.members(person)]
    bits = {each.record: round(each.bits, 1) for each in found.candidates}
    note(f"task {found.id}: {found.category}, {found.reason}, {found.state}")
    for candidate in explained:
        note(f"record {candidate.record}: {masked(candidate.headline)}")
        for line in candidate.lines:
            note(f"  {line.bits:+6.1f} {line.trait} {line.level}")
    for each in written:
        note(f"{each.at:%Y-%m-%d %H:%M} {each.author}: {masked(each.text)}")
    rows = ({**person_row(r), "bits": bits.get(r.number)} for r in records)
    emit(rows, [*PERSON_COLUMNS, "bits"])


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
def export() -> None:
    """Print one line for each person that a message touched; -o csv for evaluation.

    Identifiers are shown with --reveal only.
    """
    columns = [*EXPORT, "assigning_authority", "identifier"]
    with store() as database:
        emit(_exported(database), columns)


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
        rows = list(_exported(database))
    emit_one(score(truth, rows))


def _exported(database: "Database") -> Iterator[Row]:
    """Yield what each message decided, page by page."""
    from engine.store import person_lists

    after = 0
    while True:
        with database.reading() as connection:
            page = person_lists.touched(connection, after=after)
            numbers = [
                masked(person_lists.number_of(connection, database.sealer, each.key))
                if each.key
                else ""
                for each in page
            ]
        for each, number in zip(page, numbers, strict=True):
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


for _command in (*COMMANDS, *WORK):
    mpi_command.add_command(_command)
