"""Work on the mismatch queue: its tasks, who has them until when, decisions."""

import json
from typing import TYPE_CHECKING, Final, TextIO

import rich_click as click

from engine.cli.confidential import admitted, confidential_option
from engine.cli.invocation import Command, Exit, Stop, note, now
from engine.cli.mpi_persons import PERSON_COLUMNS, person_row
from engine.cli.mpi_quality import day_of, period, period_options
from engine.cli.output import Row, emit, emit_one, masked
from engine.cli.site import order, settings, site, store

if TYPE_CHECKING:
    from engine.store.database import Database
    from engine.store.second_looks import Practice
    from engine.store.task_moves import Staged
    from engine.store.worklist import Task


@click.command("tasks", cls=Command)
@click.option("--category", default="", help="duplicate, overlap, overlay, ...")
@click.option("--show", "number", type=int, help="One task with its evidence.")
@click.option("--same", type=int, help="Decide: one person. Needs --reason.")
@click.option("--different", type=int, help="Decide: different people.")
@click.option("--propose-same", type=int, help="One person, if somebody else agrees.")
@click.option("--propose-different", type=int, help="Different, if somebody agrees.")
@click.option("--unsure", type=int, help="Leave open, with a question.")
@click.option(
    "--ask-source", "source", type=int, help="Leave open until the source merges."
)
@click.option("--comment", type=int, help="Add --reason as a comment.")
@click.option("--undo", type=int, help="Take a decision back.")
@click.option("--survivor", default="", help="With --same: the PERSON who goes on.")
@click.option("--reason", default="", help="Kept in the audit trail.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@confidential_option
def tasks(
    category: str,
    number: int | None,
    survivor: str,
    reason: str,
    limit: int,
    confidential: str,
    **acts: int | None,
) -> None:
    """List the open tasks of the mismatch queue, most urgent first, or decide one."""
    act = next(((word, each) for word, each in acts.items() if each), None)
    if act and not reason:
        raise Stop("a decision needs a reason", Exit.USAGE, "add --reason TEXT")
    with store() as database:
        sees = admitted(database, confidential)
        if act:
            _act(database, *act, (survivor, reason), confidential=sees)
        elif number:
            _show(database, number, confidential=sees)
        else:
            _list(database, category, limit, confidential=sees)


def _list(
    database: "Database", category: str, limit: int, *, confidential: bool
) -> None:
    from engine.identity.registration import Category
    from engine.store import second_looks, task_work

    if category and category not in set(Category):
        hint = "categories: " + ", ".join(Category)
        raise Stop(f"{category!r} is not a category", Exit.USAGE, hint)
    wanted = Category(category) if category else None
    with database.reading() as connection:
        found = task_work.by_priority(
            connection, wanted, limit, confidential=confidential
        )
        twice = second_looks.waiting(
            connection, order("").actor, confidential=confidential
        )
    columns = [
        "id", "category", "reason", "waiting", "asked", "assignee", "due_at",
        "opened_at", "person", "handle", "candidates",
    ]  # fmt: skip
    emit(({**task_row(each), "waiting": held} for each, held in found), columns)
    if found:
        first = found[0][0].id
        note(f"next: interop mpi tasks --show {first}")
        note(f"      interop mpi tasks --same {first} --reason TEXT (or --different)")
    if twice:
        note(f"waiting for a second person: tasks {', '.join(map(str, twice))}")


def _act(
    database: "Database",
    word: str,
    number: int,
    told: tuple[str, str],
    *,
    confidential: bool,
) -> None:
    """Carry out or take back a decision about one task, or leave a word about it."""
    from engine.store import task_acts, task_work, worklist
    from engine.store.patients import SqlPatientIndex

    practice, what, (survivor, reason) = _practice(), word.replace("_", "-"), told
    with database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        task_work.seen(index, number, confidential=confidential)
        task_acts.act(index, number, what, order(reason), practice, survivor)
        done = worklist.shown(index, number)
    emit_one(task_row(done))


def _practice() -> "Practice":
    from engine.store.second_looks import Practice

    found = site()
    return Practice(found.models["default"], found.matching.blind_share)


def _show(database: "Database", number: int, *, confidential: bool) -> None:
    from engine.console.queries.encounters import encounters_of
    from engine.store import patient_views, second_looks, task_work
    from engine.store.patients import SqlPatientIndex, shipped

    with database.reading() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        found = task_work.seen(index, number, confidential=confidential)
        look = second_looks.of_task(connection, number)
        if second_looks.is_blind(look, order("").actor):
            found, explained, written = second_looks.blinded(found), [], []
        else:
            explained = patient_views.explained(found, shipped())
            written = task_work.comments(index, number)
        persons = dict.fromkeys([found.person, *(c.person for c in found.candidates)])
        records = [r for person in persons if person for r in index.members(person)]
        visits = encounters_of(
            *(index, records, now(), settings().zone), confidential=confidential
        ).visits
    bits = {each.record: round(each.bits, 1) for each in found.candidates}
    note(f"task {found.id}: {found.category}, {found.reason}, {found.state}")
    for candidate in explained:
        note(f"record {candidate.record}: {masked(candidate.headline)}")
        for line in candidate.lines:
            note(f"  {line.bits:+6.1f} {line.trait} {line.level}")
    for each in written:
        note(f"{each.at:%Y-%m-%d %H:%M} {each.author}: {masked(each.text)}")
    for visit in visits:
        note(f"encounter ({visit.record}): {masked(visit.sentence)}")
    rows = ({**person_row(r), "bits": bits.get(r.number)} for r in records)
    emit(rows, [*PERSON_COLUMNS, "bits"])


@click.command("assign", cls=Command)
@click.argument("task", type=int)
@click.argument("name", default="")
def assign(task: int, name: str) -> None:
    """Give a task of the mismatch queue to somebody; without a name to nobody."""
    from engine.store import task_work, worklist
    from engine.store.patients import SqlPatientIndex

    with store() as database, database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        task_work.give(index, task, name, order(name))
        done = worklist.shown(index, task)
    emit_one(task_row(done))


@click.command("deal", cls=Command)
@click.argument("names", nargs=-1, required=True)
@confidential_option
def deal(names: tuple[str, ...], confidential: str) -> None:
    """Give the open tasks nobody has to some people in turn, the urgent first."""
    from engine.store import task_work
    from engine.store.patients import SqlPatientIndex

    with store() as database:
        sees = admitted(database, confidential)
        with database.engine() as connection:
            index = SqlPatientIndex(connection, database.sealer)
            given = task_work.deal(index, names, order("dealt"), confidential=sees)
    emit_one({"given": given, "among": list(names)})


@click.command("reviewers", cls=Command)
@period_options
def reviewers_command(since: str, until: str) -> None:
    """Print how many doubts each person decided, how fast, and how far others agree."""
    from engine.store.reviewers import reviewers

    with store() as database, database.reading() as connection:
        found = reviewers(connection, *period(since, until))
    rows = (
        {
            "name": each.name,
            "decisions": each.decisions,
            "per_hour": round(each.per_hour, 1),
            "read_twice": each.read_twice,
            "agreement": None if each.agreement is None else round(each.agreement, 4),
        }
        for each in found
    )
    emit(rows, ["name", "decisions", "per_hour", "read_twice", "agreement"])


@click.command("due", cls=Command)
@click.argument("task", type=int)
@click.argument("day", default="", metavar="[YYYY-MM-DD]")
def due(task: int, day: str) -> None:
    """Say until when a task is to be decided; without a day no more."""
    from engine.store import task_work, worklist
    from engine.store.patients import SqlPatientIndex

    with store() as database, database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        worklist.shown(index, task)
        task_work.set_due(connection, task, day_of(day) if day else None)
        done = worklist.shown(index, task)
    emit_one(task_row(done))


@click.command("decide", cls=Command)
@click.argument("staged", type=click.File(encoding="utf-8"), metavar="FILE")
@click.option("--reason", required=True, help="Kept in the audit trail.")
def decide(staged: TextIO, reason: str) -> None:
    """Carry out decisions that were staged in a file (- for stdin): all or none.

    Each line is one, {"task": 12, "ruling": "same"} or "different", with
    "candidates": [record, ...] where it is about some of them only, and "survivor":
    "PERSON" where one is chosen to go on. Records are moved by
    {"task": 12, "link": [record, ...], "to": "PERSON"}, and taken off to a new person
    by {"task": 12, "split": [record, ...]}.
    """
    from engine.store import task_moves
    from engine.store.patients import SqlPatientIndex

    wanted = [_staged(number, line) for number, line in enumerate(staged, 1)]
    with store() as database, database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        done = task_moves.decide_all(
            index, wanted, order(reason), _practice(), confidential=True
        )
    columns = ["id", "category", "state", "decision", "person", "candidates"]
    emit((task_row(each) for each in done), columns)


def _staged(number: int, line: str) -> "Staged":
    from engine.identity.decision import Ruling
    from engine.identity.person import LinkKind
    from engine.store.moves import Request
    from engine.store.task_moves import Staged, request_of

    try:
        said = json.loads(line)
        task = int(said["task"])
        if "split" in said:
            return Staged(task, request=request_of(_numbers(said["split"])))
        if "link" in said:
            records, target = _numbers(said["link"]), said["to"].strip()
            return Staged(task, request=Request(LinkKind.LINK, records, target=target))
        ruling = Ruling(said["ruling"])
        chosen, survivor = _numbers(said.get("candidates", ())), said.get("survivor")
        return Staged(task, ruling, chosen, survivor=str(survivor or ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        hint = '{"task": 12, "ruling": "same"}'
        raise Stop(f"line {number} is no decision", Exit.USAGE, hint) from None


def _numbers(said: object) -> tuple[int, ...]:
    if not isinstance(said, list | tuple):
        raise TypeError
    return tuple(int(str(each)) for each in said)


def task_row(task: "Task") -> Row:
    """Return a task as a line of output; it holds no patient data."""
    from engine.identity.enterprise_identifier import handle_of

    return {
        "id": task.id,
        "category": str(task.category),
        "reason": str(task.reason),
        "state": str(task.state),
        "held": task.held,
        "opened_at": task.opened_at,
        "person": task.person,
        "handle": handle_of(task.person),
        "record": task.record,
        "message": task.message,
        "candidates": [
            {"record": each.record, "person": each.person, "bits": round(each.bits, 1)}
            for each in task.candidates
        ],
        "assignee": task.assignee,
        "asked": task.asked,
        "due_at": task.due_at,
        "decision": task.decision,
        "decided_by": task.decided_by,
        "decided_at": task.decided_at,
    }


WORK: Final = (tasks, assign, deal, due, decide, reviewers_command)
