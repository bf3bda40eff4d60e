"""``interop status``, ``health`` and ``channel``: how the engine is, at a glance."""

from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.channel_history import diff, export, history, rollback
from engine.cli.invocation import Command, Exit, Group, Stop, note, now
from engine.cli.output import Row, emit, emit_one, output_format
from engine.cli.site import order, settings, site, store

if TYPE_CHECKING:
    from engine.console.queries.overview import Process
    from engine.store.database import Database
    from engine.store.queues import Gate

COLUMNS: Final = [
    *("channel", "state", "received", "processed", "filtered", "held", "error"),
    *("delivered", "waiting", "failed", "oldest", "last"),
]


@click.command("status", cls=Command)
def status_command() -> None:
    """Show channels, queues and processes in one screen."""
    from engine.console.queries.overview import warnings

    with store() as database:
        rows = overview(database)
        processes = alive(database)
        lost = last_loss(database)
        looked = gates(database)
    emit((_with_gates(row, looked) for row in rows), COLUMNS)
    if lost:
        note(lost)
    if output_format() == "table":
        for gate in looked:
            note(
                f"{gate.channel} to {gate.destination}: {gate.validated:,} of "
                f"{gate.rendered:,} Bundles validated"
            )
        for process in processes:
            state = "alive" if process.alive else "silent"
            note(f"{process.role} {process.name} pid {process.pid}: {state}")
        for sentence in warnings(processes, now()):
            note(sentence)
        if not processes:
            note("no process has reported yet; interop run starts them")


@click.command("health", cls=Command)
@click.option("--ready", is_flag=True, help="Every kind of process must report.")
def health_command(*, ready: bool) -> None:
    """Tell by the exit code whether the engine works: 0 or 1."""
    from engine.console.binding import OFF

    with store() as database:
        roles = {each.role for each in alive(database) if each.alive}
    kinds = {"edge", "worker", "console"}
    if settings().console_bind == OFF:
        kinds.discard("console")
    wanted = kinds if ready else {"edge"}
    missing = sorted(wanted - roles)
    emit_one({"healthy": not missing, "alive": sorted(roles), "missing": missing})
    if missing:
        sentence = f"no report of {' and '.join(missing)} in the last 5 s"
        raise Stop(sentence, Exit.PROBLEMS, "interop run starts them")


@click.group("channel", cls=Group)
def channel_command() -> None:
    """List, pause, stop and start channels; their history, and the way back."""


@channel_command.command("list")
def list_channels() -> None:
    """List the channels of the configuration with their wanted state."""
    loaded = site()
    with store(create=True) as database:
        known = {str(row["channel"]): row for row in overview(database)}
    emit(
        (
            {
                "channel": channel.name,
                "title": channel.title,
                "source": channel.source.kind,
                "destinations": [each.name for each in channel.destinations],
                "state": known.get(channel.name, {}).get("state", "running"),
                "revision": channel.revision[:12],
            }
            for channel in loaded.channels
        ),
        ["channel", "title", "source", "destinations", "state", "revision"],
    )


def _mover(state: str, does: str) -> None:
    """Add the command that brings a channel or a destination to a state."""

    @channel_command.command(state, help=does)
    @click.argument("channel")
    @click.option("--destination", default="", help="Only this destination.")
    @click.option("--reason", default="", help="Kept in the audit trail.")
    def move(channel: str, destination: str, reason: str) -> None:
        from engine.store.reports import set_run_state
        from engine.store.words import RunState

        words = {"start": "running", "stop": "stopped"}
        wanted = RunState(words.get(state, "paused"))
        with store() as database, database.engine() as connection:
            set_run_state(
                connection,
                database.sealer,
                (channel, destination),
                wanted,
                order(reason),
            )
        row = {"channel": channel, "destination": destination, "state": str(wanted)}
        emit_one(row)


for _name, _does in (
    ("start", "Let a channel or a destination run."),
    ("pause", "Take nothing more and finish what is in hand; send nothing there."),
    ("drain", "The same as pause; `interop status` tells what is left."),
    ("stop", "Take, process and send nothing until started again."),
):
    _mover(_name, _does)

for _command in (history, diff, rollback, export):
    channel_command.add_command(_command)


def last_loss(database: "Database") -> str:
    """Return a sentence about the last loss of commits that was accepted, or ""."""
    from engine.store import audit

    with database.reading() as connection:
        found = audit.losses(connection, database.sealer, limit=1)
    if not found:
        return ""
    at = f"{found[0].act.at:%Y-%m-%d %H:%M} UTC"
    return f"messages may be lost: accepted at {at}; interop store losses lists them"


def alive(database: "Database") -> "list[Process]":
    """Return the latest report of every process, and whether it is fresh."""
    from engine.console.queries import overview as queries

    with database.reading() as connection:
        return queries.processes(connection, now())


def _with_gates(row: Row, looked: "list[Gate]") -> Row:
    """Return a channel's row with how many Bundles were made, how many validated."""
    mine = [each for each in looked if each.channel == row["channel"]]
    return {
        **row,
        "rendered": sum(each.rendered for each in mine),
        "validated": sum(each.validated for each in mine),
    }


def gates(database: "Database") -> "list[Gate]":
    """Return how much the output gate has seen of what each destination is sent."""
    from engine.store import queues

    with database.reading() as connection:
        return queues.gates(connection)


def overview(database: "Database") -> list[Row]:
    """Return one row for each channel: counts by state, what waits, how old."""
    from engine.console.ages import age
    from engine.console.queries import overview as queries

    at = now()
    with database.reading() as connection:
        found = queries.channels(connection)
    return [
        {name: getattr(each, name) for name in COLUMNS}
        | {
            "oldest": age(each.oldest, at) if each.oldest else "",
            "last": age(each.last, at) if each.last else "",
        }
        for each in found
    ]
