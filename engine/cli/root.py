"""The root of the command line: what there is, imported only when called."""

from importlib import import_module
from typing import Final

import click
from typing_extensions import override

COMMANDS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Start and look after": {
        "demo": ("demo", "Run everything on synthetic data, in a temporary folder."),
        "init": ("project", "Write a new project: channel, tables, tests."),
        "run": ("running", "Start and supervise the engine."),
        "reload": ("running", "Take the changed configuration, or say why not."),
        "stop": ("running", "Finish what is in hand and stop."),
        "status": ("watching", "Show channels, queues and processes in one screen."),
        "health": ("watching", "Tell by the exit code whether the engine works."),
        "store": ("storage", "Look for damage in the store; decide about a loss."),
        "doctor": ("doctor", "Look for what could be wrong here, each with its fix."),
    },
    "Build and test channels": {
        "check": ("project", "Check every file; every error in one run."),
        "test": ("project", "Run the tests of the channels."),
        "try": ("trial", "Run one message through a channel; nothing is stored."),
        "convert": ("convert", "Convert messages to FHIR, C-CDA or HL7 on stdout."),
        "check-transform": (
            "check_transform",
            "Hold a Bundle against HL7's v2-to-FHIR guide.",
        ),
        "explain": ("explain", "Tell in words what is in a message."),
        "scrub": ("scrubbing", "Take the person out of a message; make a test of it."),
        "diff": ("explain", "Compare two messages field by field."),
        "generate": ("generate", "Write synthetic feeds with their duplicate truth."),
        "schema": ("project", "Print the JSON Schema of channel files, for editors."),
        "openapi": ("openapi", "Print the OpenAPI document of the REST API."),
        "table": ("tables", "Show and change code tables, list their misses."),
    },
    "Send, receive, measure": {
        "send": ("send", "Send messages over MLLP and count the answers."),
        "listen": ("listen", "Be a stand-in receiver of HL7 v2 or FHIR."),
        "bench": ("bench", "Measure throughput and CPU, with the circumstances."),
    },
    "Messages and queues": {
        "messages": ("messages", "Search, show and follow messages."),
        "errors": ("error_queue", "The error queue, by cause."),
        "deliveries": ("deliveries", "What is on its way out, and what waits."),
        "documents": ("documents", "C-CDA summaries that are made on order."),
        "parked": ("deliveries", "Persons whose deliveries wait behind a failure."),
        "alerts": ("alerts", "Open incidents, rules, and who is told."),
        "channel": ("watching", "List, start and pause channels."),
    },
    "Persons": {
        "mpi": ("mpi", "The master patient index and the mismatch queue."),
    },
    "Administration": {
        "backup": ("backups", "Copy the store, look at a copy, put one back."),
        "audit": ("audit", "Who did or saw what, and whether the trail is whole."),
        "keys": ("keys", "The keys that content is sealed with; change to a new one."),
        "metrics": ("metrics", "Print what Prometheus reads."),
        "token": ("tokens", "Tokens of programs that call the API."),
        "user": ("users", "People who use the console."),
    },
}
"""Section to command to (module, one line), in the order of ``interop --help``."""


_PLACES: Final = {
    name: module for row in COMMANDS.values() for name, (module, _) in row.items()
}


class Root(click.Group):
    """Finds commands by name and imports only the one that is called."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command name, for completion."""
        return list(_PLACES)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now, or None."""
        if cmd_name not in _PLACES:
            return None
        module = import_module(f"engine.cli.{_PLACES[cmd_name]}")
        found: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return found

    @override
    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the commands by section without importing one."""
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [(name, line) for name, (_, line) in commands.items()]
                )

    @override
    def invoke(self, ctx: click.Context) -> object:
        """Run the command; every error becomes one line, a hint and an exit code."""
        from engine.cli.invocation import guarded

        return guarded(ctx, lambda: super(Root, self).invoke(ctx))


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="interop-engine", prog_name="interop")
def interop() -> None:
    """Interop Engine: HL7 v2 in, FHIR, C-CDA and HL7 v2 out, nothing lost.

    The options --config DIR, -o FORMAT, -q, -v, --debug, --no-color, --utc and
    --reveal may follow every command; `interop COMMAND --help` shows the rest.
    """
