"""Work on the mismatch queue: who has a task, until when, many decisions at once."""

import json
from typing import TYPE_CHECKING, Final, TextIO

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop
from engine.cli.mpi_quality import day_of
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import order, store

if TYPE_CHECKING:
    from engine.store.worklist import Staged, Task


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
    "candidates": [record, ...] where it is about some of them only.
    """
    from engine.store import worklist
    from engine.store.patients import SqlPatientIndex

    wanted = [_staged(number, line) for number, line in enumerate(staged, 1)]
    with store() as database, database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        done = worklist.decide_all(index, wanted, order(reason))
    columns = ["id", "category", "state", "decision", "person", "candidates"]
    emit((task_row(each) for each in done), columns)


def _staged(number: int, line: str) -> "Staged":
    from engine.identity.decision import Ruling
    from engine.store.worklist import Staged

    try:
        said = json.loads(line)
        ruling = Ruling(said["ruling"])
        return Staged(int(said["task"]), ruling, tuple(said.get("candidates", ())))
    except (ValueError, TypeError, KeyError, AttributeError):
        hint = '{"task": 12, "ruling": "same"}'
        raise Stop(f"line {number} is no decision", Exit.USAGE, hint) from None


def task_row(task: "Task") -> Row:
    """Return a task as a line of output; it holds no patient data."""
    return {
        "id": task.id,
        "category": str(task.category),
        "reason": str(task.reason),
        "state": str(task.state),
        "held": task.held,
        "opened_at": task.opened_at,
        "person": task.person,
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


WORK: Final = (assign, due, decide)
