"""``interop status``, ``health`` and ``channel``: how the engine is, at a glance."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import orjson
import rich_click as click

from engine.cli.invocation import Command, Exit, Group, Stop, note, now
from engine.cli.output import Row, emit, emit_one, output_format
from engine.cli.site import order, settings, site, store

if TYPE_CHECKING:
    from engine.store.database import Database

WARN_DAYS: Final = 60
DISK_PERCENT: Final = 80
ALIVE: Final = timedelta(seconds=5)
COLUMNS: Final = [
    *("channel", "state", "received", "processed", "filtered", "held", "error"),
    *("delivered", "waiting", "failed", "oldest", "last"),
]


@click.command("status", cls=Command)
def status_command() -> None:
    """Show channels, queues and processes in one screen."""
    with store() as database:
        rows = overview(database)
        processes = alive(database)
    emit(rows, COLUMNS)
    if output_format() == "table":
        for process in processes:
            state = "alive" if process["alive"] else "silent"
            note(f"{process['role']} {process['name']} pid {process['pid']}: {state}")
        for sentence in warnings(processes):
            note(sentence)
        if not processes:
            note("no process has reported yet; interop run starts them")


@click.command("health", cls=Command)
@click.option("--ready", is_flag=True, help="Every kind of process must report.")
def health_command(*, ready: bool) -> None:
    """Tell by the exit code whether the engine works: 0 or 1."""
    from engine.console.binding import OFF

    with store() as database:
        roles = {str(each["role"]) for each in alive(database) if each["alive"]}
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
    """List channels; pause, stop and start them or one of their destinations."""


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

        words = {"start": "running", "pause": "paused", "stop": "stopped"}
        wanted = RunState(words[state])
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
    ("pause", "Keep accepting, but process or send nothing for now."),
    ("stop", "Stop accepting, or sending, until started again."),
):
    _mover(_name, _does)


def alive(database: "Database") -> list[Row]:
    """Return the latest report of every process, and whether it is fresh."""
    from engine.store import reports

    at = now()
    with database.reading() as connection:
        found = reports.reports(connection)
    return [
        {
            "node": each.node,
            "role": each.role,
            "name": each.name,
            "pid": each.pid,
            "alive": at - each.seen_at < ALIVE,
            "detail": orjson.loads(each.detail or "{}"),
        }
        for each in found
    ]


def warnings(processes: list[Row]) -> list[str]:
    """Return what living processes say a person should see to, in sentences."""
    at, found = now(), []
    for process in processes:
        detail = process["detail"]
        if not process["alive"] or not isinstance(detail, dict):
            continue
        for name, text in detail.get("certificates", {}).items():
            left = (datetime.fromisoformat(text) - at).days
            if left <= WARN_DAYS:
                found.append(f"certificate of tls profile {name}: {left} days left")
        found += _of_the_disk(detail.get("disk", {}))
        found += detail.get("tls_problems", {}).values()
        found += [f"{place} has failed for long" for place in detail.get("failing", [])]
        found += detail.get("problems", {}).values()
    return found


def _of_the_disk(disk: dict[str, float]) -> list[str]:
    if disk.get("full"):
        return ["the disk is full: no message is taken until there is space"]
    percent = disk.get("percent", 0.0)
    return [f"the disk is {percent} % full"] if percent >= DISK_PERCENT else []


def overview(database: "Database") -> list[Row]:
    """Return one row for each channel: counts by state, what waits, how old."""
    from engine.store import queues, reports

    with database.reading() as connection:
        counts = queues.counts(connection)
        intake = queues.intake(connection)
        waiting = queues.waiting(connection)
        wanted = reports.run_states(connection)
    tally: defaultdict[str, defaultdict[str, int]]
    tally = defaultdict(lambda: defaultdict(int))
    for count in counts:
        tally[count.channel][count.state] += count.count
    oldest: dict[str, datetime] = {}
    for lane in waiting:
        if lane.oldest and lane.oldest <= oldest.get(lane.channel, lane.oldest):
            oldest[lane.channel] = lane.oldest
    taken = {each.channel: each for each in intake}
    at = now()
    rows: list[Row] = []
    for name in sorted({*tally, *taken}):
        states, took = tally[name], taken.get(name)
        stood = wanted.get((name, ""))
        rows.append(
            {
                "channel": name,
                "state": str(stood.state) if stood else "running",
                "received": took.messages if took else 0,
                "processed": states["processed"],
                "filtered": states["filtered"],
                "held": states["held"],
                "error": states["error"],
                "delivered": states["delivered"],
                "waiting": states["queued"] + states["leased"],
                "failed": states["failed"],
                "oldest": age(oldest[name], at) if name in oldest else "",
                "last": age(took.last_at, at) if took else "",
            }
        )
    return rows


def age(since: datetime, at: datetime) -> str:
    """Return how long ago, in the largest unit that fits."""
    seconds = max(0, int((at - since).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
