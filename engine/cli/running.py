"""``interop run``, ``reload`` and ``stop``: the engine of this machine."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.child_process import parent
from engine.cli.invocation import Command, Exit, Stop, invocation, note
from engine.cli.output import emit_one
from engine.cli.site import order, settings, site, store
from engine.cli.users import first_way_in
from engine.cli.watching import alive

if TYPE_CHECKING:
    from engine.channels.format.channel import Channel
    from engine.channels.supervise import Program
    from engine.console.queries.overview import Process

_LOOPBACK: Final = "127.0.0.1:8080"
STOP_SECONDS: Final = 20.0


@click.command("run", cls=Command)
@click.option(
    "--only", type=click.Choice(["edge", "worker", "console"]), help="Just these."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--environment", help="Which [environments.*] values apply.")
@click.option("--loopback", is_flag=True, help="The console for this machine alone.")
def run_command(
    only: str | None, workers: int | None, environment: str | None, *, loopback: bool
) -> None:
    """Start the engine and look after it until Ctrl+C or SIGTERM.

    Everything is checked first: one error anywhere and nothing starts.
    """
    from engine.channels.logs import configure_logs
    from engine.channels.supervise import supervise
    from engine.console.binding import address
    from engine.console.node_settings import expect_usable

    if loopback:
        os.environ["INTEROP_CONSOLE__BIND"] = _LOOPBACK  # the console inherits it
    loaded = site(environment)
    expect_usable(loaded.settings)
    place = address(loaded.settings)
    with store(create=True) as database:
        if place is not None and only in {None, "console"}:
            first_way_in(database)
    for channel in loaded.channels:
        note(f"{channel.name}: {_place(channel)}")
    if place is not None:
        note(f"console: {loaded.settings.console_bind}")
    configure_logs(loaded.settings.log_level, loaded.settings.log_format)
    count = workers or loaded.settings.node_workers
    folder = invocation().folder()
    more = [] if place is None else [_console(folder, environment)]
    code = supervise(folder, environment, workers=count, only=only or "", more=more)
    sys.exit(code)


def _console(folder: Path, environment: str | None) -> "Program":
    from engine.channels.supervise import Program, module_command

    chosen = ("--environment", environment) if environment else ()
    module = module_command("engine.console.server")
    command = (*module, "--config", str(folder), *chosen)
    return Program("console", command, order=2)


@click.command("reload", cls=Command)
def reload_command() -> None:
    """Let the running engine take the changed configuration.

    It is checked here first: with one error anywhere nothing changes.
    """
    from engine.channels.live_files import keep, read

    found = read(settings().folder, None)
    pids = [each.pid for each in _running()]
    with store() as database:
        keep(database, found, order("interop reload"))
    for pid in pids:
        os.kill(pid, signal.SIGHUP)
    names = [channel.name for channel in found.site.channels]
    emit_one({"told": len(pids), "channels": names})


@click.command("stop", cls=Command)
def stop_command() -> None:
    """Finish what is in hand, then stop the engine of this machine."""
    supervisors = {parent(each.pid) for each in _running()} - {0, 1}
    for pid in supervisors:
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while any(parent(pid) for pid in supervisors):
        if time.monotonic() > end:
            raise Stop("it is still stopping", Exit.PARTLY, "look at its log")
        time.sleep(0.1)
    emit_one({"stopped": len(supervisors)})


def _running() -> "list[Process]":
    """Return the processes of this node that report.

    Raises:
        Stop: there is none.
    """
    node = site().settings.node_name
    with store() as database:
        found = [each for each in alive(database) if each.alive]
    mine = [each for each in found if each.node == node]
    if not mine:
        raise Stop("no engine runs here", Exit.UNREACHABLE, "interop run starts it")
    return mine


def _place(channel: "Channel") -> str:
    """Return where a channel takes its messages from, and where they go."""
    source = channel.source
    if source.mllp is not None:
        place = f"mllp {source.mllp.host}:{source.mllp.port}"
    elif source.file is not None:
        place = f"files in {source.file.path}"
    else:
        place = "http"
    if channel.query is not None:
        return f"{place} answers {', '.join(channel.query.answer)}"
    return f"{place} to {', '.join(each.name for each in channel.destinations)}"
