"""``interop channel history``, ``diff``, ``rollback``, ``export``: a channel's files.

Spec:
    cli.md 3 (channel); channel-format.md 12.
"""

from pathlib import Path

import rich_click as click

from engine.cli.invocation import Command, note
from engine.cli.output import emit, emit_one
from engine.cli.site import confirm, move_options, order, settings, store

COLUMNS = ["number", "at", "actor", "node", "state", "revision", "reason"]


@click.command("history", cls=Command)
@click.argument("channel")
def history(channel: str) -> None:
    """List the configurations of CHANNEL that went live, newest first."""
    from engine.channels import revisions

    with store() as database:
        found = revisions.history(database, channel)
    emit(
        (
            {name: getattr(each, name) for name in COLUMNS}
            | {"revision": each.revision[:12]}
            for each in found
        ),
        COLUMNS,
    )


@click.command("diff", cls=Command)
@click.argument("channel")
@click.argument("old", type=click.IntRange(1))
@click.argument("new", type=click.IntRange(0), default=0)
def diff(channel: str, old: int, new: int) -> None:
    """Show what differs for CHANNEL between configurations OLD and NEW.

    Without NEW, or with 0, OLD is held against the files as they are now.
    """
    from engine.channels import revisions

    with store() as database:
        found = revisions.differences(database, settings().folder, channel, old, new)
    for each in found:
        if not each.lines:
            note(f"{each.path} differs, too")
            continue
        click.echo(f"--- {each.path}")
        for mark, line in each.lines:
            click.echo(line if mark == "@" else f"{mark} {line}")
    if not found:
        note("nothing that this channel uses differs")


@click.command("export", cls=Command)
@click.argument("channel")
@click.option("--to", "place", type=click.Path(dir_okay=False, path_type=Path))
def export(channel: str, place: Path | None) -> None:
    """Write CHANNEL with its tables, steps and shared parts into one ZIP archive."""
    from engine.channels.exporting import archive_of

    made = archive_of(settings().folder, channel)
    target = place or Path(f"{channel}.zip")
    target.write_bytes(made)
    emit_one({"channel": channel, "file": str(target), "bytes": len(made)})


@click.command("rollback", cls=Command)
@click.argument("channel")
@click.argument("number", type=click.IntRange(1))
@move_options
def rollback(
    channel: str, number: int, reason: str, *, yes: bool, dry_run: bool
) -> None:
    """Write the file of CHANNEL as configuration NUMBER had it, and reload.

    Everything is checked with it first: with one error anywhere nothing changes. What
    the file says now stays in the history. Other files stay as they are.
    """
    from engine.channels import revisions

    node = settings()
    with store() as database:
        seen = revisions.version_of(node.folder, channel)
        if not confirm(1, f"roll back {channel}", yes=yes, dry_run=dry_run):
            return
        asked, place = order(reason), (channel, number)
        done = revisions.roll_back(database, node, place, seen, asked)
    emit_one({"channel": channel, "configuration": done.number, "told": done.told})
