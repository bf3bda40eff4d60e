"""The root of the command line: help, exits, one line for each error."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from engine.cli.invocation import Exit, Stop, guarded
from engine.cli.root import COMMANDS, interop
from engine.errors import ConfigurationError, JournalError, TransientError

NAMES = [name for section in COMMANDS.values() for name in section]


def run(*arguments):
    return CliRunner().invoke(interop, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_help_text(name):
    result = run(name, "--help")

    assert result.exit_code == Exit.DONE
    assert "Usage" in result.output


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_wrong_usage(name):
    assert run(name, "--no-such-option").exit_code == Exit.USAGE


def test_the_help_names_every_command_without_importing_one():
    code = "import sys; from engine.cli import main; main()"
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-X", "importtime", "-c", code, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert all(f"  {name} " in done.stdout for name in NAMES)
    assert not [
        m for m in ("rich", "asyncio", "sqlalchemy") if f"| {m}\n" in done.stderr
    ]


def test_an_unknown_command_is_wrong_usage():
    assert run("fly").exit_code == Exit.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("2 errors", ("a.yaml:1:1: error: x",)), Exit.CONFIGURATION),
        (JournalError("disk full"), Exit.PROTECTED),
        (TransientError("refused", "refused"), Exit.UNREACHABLE),
        (ConnectionRefusedError(111, "refused"), Exit.UNREACHABLE),
        (PermissionError(13, "Permission denied", "/etc/x"), Exit.NOT_ALLOWED),
        (FileNotFoundError(2, "No such file", "x.hl7"), Exit.PROBLEMS),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
)
def test_each_error_ends_in_its_exit_code(error, code):
    def fail():
        raise error

    with pytest.raises(Stop) as stopped:
        guarded(click.Context(click.Command("x")), fail)

    assert stopped.value.exit_code == code


def test_a_stop_prints_one_line_and_one_hint():
    result = run("send", "sample:none-such", "--to", ":2575")

    first, second = result.stderr.splitlines()
    assert first == "interop: no sample named none-such"
    assert second.startswith("  hint: samples: ")
    assert (result.stdout, result.exit_code) == ("", Exit.USAGE)
