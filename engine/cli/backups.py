"""``interop backup``: make, look at and put back copies of the embedded store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note, now
from engine.cli.output import emit, emit_one
from engine.cli.site import order, settings, store


@click.group("backup", cls=Group)
def backup_command() -> None:
    """Copies of the store: made while the engine runs, verified, restored.

    The key is not in them: keep a copy of the key file somewhere else.
    """


@backup_command.command("create")
@click.option("--to", "place", type=click.Path(file_okay=False, path_type=Path))
def create(place: Path | None) -> None:
    """Copy the store into a new folder; default: store.backups of interop.toml."""
    from engine.store import backup

    node = settings()
    with store() as database:
        made = backup.create(database, place or node.backups, order("by command"))
    emit_one({"backup": str(made.folder), "bytes": made.size})
    note(f"the key is not in it: keep a copy of {node.key_file} somewhere else")


@backup_command.command("list")
def list_backups() -> None:
    """List the backups, newest first."""
    from engine.store import backup

    columns = ["backup", "made_at", "bytes", "verified_at"]
    emit(
        (
            {
                "backup": str(each.folder),
                "made_at": each.made_at,
                "bytes": each.size,
                "verified_at": each.verified_at,
            }
            for each in backup.listed(settings().backups)
        ),
        columns,
    )


@backup_command.command("verify")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def verify(folder: Path) -> None:
    """Open a copy of a backup and look at every row; exit code 1 for damage."""
    from engine.store import backup
    from engine.store.key_file import load_or_create_key

    wrong = backup.verify(folder, load_or_create_key(settings().key_file), now())
    if wrong:
        raise Stop("; ".join(wrong), Exit.PROBLEMS, "make another with backup create")
    note("every row opens")


@backup_command.command("restore")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--reason", required=True, help="Kept in the audit trail.")
def restore(folder: Path, reason: str) -> None:
    """Put a backup where the store shall be: the engine is stopped, the place empty.

    Every destination rests afterwards, since part of what waits was sent after the
    backup was made: compare with the receivers, discard what they have, start it.
    """
    from engine.store import backup
    from engine.store.key_file import load_or_create_key

    node = settings()
    if not node.store_url.startswith("sqlite:"):
        raise Stop(backup.SERVER, Exit.USAGE)
    if not node.key_file.exists():
        hint = "put the key file back first: without it the content is lost"
        raise Stop(f"there is no key in {node.key_file}", Exit.CONFIGURATION, hint)
    target = Path(unquote(urlsplit(node.store_url).path))
    key = load_or_create_key(node.key_file)
    paused = backup.restore(folder, target, key, order(reason))
    emit_one({"restored": str(target), "resting": paused})
    for place in paused:
        channel, _, destination = place.partition("/")
        note(f"interop channel start {channel} --destination {destination}")
