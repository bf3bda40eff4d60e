"""What every command shares: its common options, its exits, its error lines."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import IO, Any, NoReturn

import click
import rich_click
from click.core import ParameterSource
from typing_extensions import override

from engine.errors import (
    ConfigurationError,
    EngineError,
    JournalError,
    StoreError,
    TransientError,
)


class Exit(IntEnum):
    """Exit codes, a promise to scripts.

    Spec:
        cli.md 2.
    """

    DONE = 0
    PROBLEMS = 1
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    PARTLY = 5
    NOT_ALLOWED = 6
    PROTECTED = 70
    INTERRUPTED = 130


class Stop(click.ClickException):
    """End the command with one line, one hint and an exit code."""

    def __init__(self, sentence: str, code: Exit, hint: str = "") -> None:
        super().__init__(sentence)
        self.exit_code = int(code)  # type: ignore[misc]  # Click has it on the class
        self.hint = hint

    @override
    def show(self, file: IO[str] | None = None) -> None:
        """Print what happened and what to do about it on stderr."""
        click.echo(f"interop: {self.message}", err=True)
        if self.hint:
            click.echo(f"  hint: {self.hint}", err=True)


@dataclass(slots=True)
class Invocation:
    """The common options of one call, wherever on the line they stood."""

    config: Path | None = None
    output: str = ""
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    color: bool = True
    utc: bool = False
    reveal: bool = False

    def folder(self) -> Path:
        """Return the configuration folder: the option, ./config or /etc/interop."""
        if self.config is not None:
            return self.config
        here = Path("config")
        return here if here.is_dir() else Path("/etc/interop")


def invocation() -> Invocation:
    """Return the common options of the running command."""
    return click.get_current_context().find_root().ensure_object(Invocation)


def note(text: str) -> None:
    """Print a hint or a progress line on stderr, unless ``--quiet``."""
    if not invocation().quiet:
        click.echo(text, err=True)


def leave(code: Exit) -> NoReturn:
    """End the command with this exit code; everything is printed already."""
    click.get_current_context().exit(int(code))


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    name = option.name or ""
    if context.get_parameter_source(name) is ParameterSource.DEFAULT:
        return
    kept = context.find_root().ensure_object(Invocation)
    setattr(kept, name, Path(str(value)) if name == "config" else value)


def shared_options() -> list[click.Option]:
    """Return fresh copies of the options that every command takes."""

    def option(*names: str, shown: str, **kinds: Any) -> click.Option:  # noqa: ANN401
        return click.Option(
            names, help=shown, expose_value=False, callback=_keep, **kinds
        )

    return [
        option(
            "--config",
            shown="Folder that every relative path resolves from.",
            type=click.Path(file_okay=False),
            envvar="INTEROP_CONFIG",
        ),
        option(
            "-o",
            "--output",
            shown="Form of a listing; a table on a terminal, else jsonl.",
            type=click.Choice(["table", "json", "jsonl", "csv", "yaml", "hl7"]),
        ),
        option("-q", "--quiet", shown="No hints and no progress.", is_flag=True),
        option("-v", "--verbose", shown="Say more.", is_flag=True),
        option("--debug", shown="Show the trace of an error.", is_flag=True),
        option("--no-color", "color", shown="No colours.", flag_value=False),
        option("--utc", shown="Times in UTC, not in the site's zone.", is_flag=True),
        option("--reveal", shown="Show patient data; audited.", is_flag=True),
    ]


class Command(rich_click.RichCommand):
    """A command of interop: its own options, then the shared ones."""

    def __init__(self, *args: object, **kinds: object) -> None:
        super().__init__(*args, **kinds)  # type: ignore[arg-type]
        self.params.extend(shared_options())


class Group(rich_click.RichGroup):
    """A group of interop commands, such as ``interop mpi``."""

    command_class = Command


def guarded(context: click.Context, run: Callable[[], object]) -> object:
    """Run a command and turn every error into one line, a hint and an exit code."""
    try:
        return run()
    except KeyboardInterrupt:
        raise Stop("interrupted", Exit.INTERRUPTED) from None
    except (EngineError, OSError) as error:
        if context.ensure_object(Invocation).debug:
            traceback.print_exc(file=sys.stderr)
        raise _stop_for(error) from error


def _stop_for(error: EngineError | OSError) -> Stop:
    """Return the exit that belongs to an error of ours or of the system."""
    match error:
        case ConfigurationError():
            for fault in error.faults:
                click.echo(fault, err=True)
            return Stop(str(error), Exit.CONFIGURATION, "interop check shows them all")
        case JournalError():
            return Stop(str(error), Exit.PROTECTED, "interop doctor looks at the disk")
        case StoreError() | TransientError() | ConnectionError():
            return Stop(str(error), Exit.UNREACHABLE, "is it running, and listening?")
        case PermissionError():
            return Stop(_system(error), Exit.NOT_ALLOWED)
        case OSError():
            return Stop(_system(error), Exit.PROBLEMS)
        case _:
            return Stop(str(error), Exit.PROBLEMS, "add --debug for the trace")


def _system(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def now() -> datetime:
    """Return the time: the command line is an edge, so the clock may be read here."""
    return datetime.now(UTC)  # noqa: TID251 - passed inwards from here
