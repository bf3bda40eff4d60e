"""``interop errors``: the error queue by cause, and what can be done about it."""

from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note, now
from engine.cli.output import Row, emit, output_format
from engine.cli.site import confirm, move_options, order, store
from engine.console.ages import age

if TYPE_CHECKING:
    from engine.store.database import Database
    from engine.store.error_queue import Entry


@click.group("errors", cls=Group)
def errors_command() -> None:
    """The error queue: what failed, grouped by cause."""


@errors_command.command("list")
def list_groups() -> None:
    """List the causes with open entries, most first."""
    from engine.store import error_queue, queues

    with store() as database, database.reading() as connection:
        groups = error_queue.groups(connection)
        waiting = [w for w in queues.waiting(connection) if w.ready and w.next_due]
    at = now()
    rows: list[Row] = [
        {
            "group": group.key,
            "cause": group.cause,
            "channel": group.channel,
            "destination": group.destination,
            "stage": group.stage,
            "code": group.code,
            "count": group.open,
            "oldest": age(group.oldest, at),
            "parked": group.parked,
            "owner": group.assignee,
        }
        for group in groups
    ]
    columns = ["group", "cause", "channel", "count", "oldest", "parked", "owner"]
    emit(rows, columns)
    for lane in waiting:
        note(f"waiting: {lane.ready} deliveries to {lane.channel}/{lane.destination}")
    if groups:
        key = groups[0].key
        note(f"next: interop errors show {key} · interop errors retry {key} --sample 5")


@errors_command.command("show")
@click.argument("group")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
def show(group: str, limit: int) -> None:
    """Show the entries of a group, oldest first."""
    from engine.store import error_queue

    with store() as database, database.reading() as connection:
        key = _group(database, group)
        found = error_queue.entries(connection, group=key, limit=limit)
    columns = ["id", "message", "delivery", "opened_at", "stage", "code", "sentence"]
    emit((_row(entry) for entry in found), columns)
    if found and output_format() == "table":
        note(f"next: interop messages show {found[0].message_id}")


@errors_command.command("retry")
@click.argument("group")
@click.option("--sample", type=click.IntRange(1), help="Only so many, the oldest.")
@click.option("--reason", default="retry from the error queue", show_default=True)
@click.option("--yes", is_flag=True)
@click.option("--dry-run", is_flag=True)
def retry(
    group: str, sample: int | None, reason: str, *, yes: bool, dry_run: bool
) -> None:
    """Process the messages of a group again, or send its deliveries again."""
    from engine.console.queries import error_queue

    with store() as database:
        found = _entries(database, group, sample)
        if confirm(len(found), "retry entries", yes=yes, dry_run=dry_run):
            with database.engine() as connection:
                sealer = database.sealer
                count = error_queue.retry(connection, sealer, found, order(reason))
            emit([{"group": group, "retried": count}], ["group", "retried"])


@errors_command.command("discard")
@click.argument("group")
@click.option("--sample", type=click.IntRange(1), help="Only so many, the oldest.")
@move_options
def discard(
    group: str, reason: str, sample: int | None, *, yes: bool, dry_run: bool
) -> None:
    """Give up the messages or deliveries of a group, for good."""
    from engine.console.queries import error_queue

    with store() as database:
        found = _entries(database, group, sample)
        if confirm(len(found), "discard entries", yes=yes, dry_run=dry_run):
            with database.engine() as connection:
                sealer = database.sealer
                count = error_queue.discard(connection, sealer, found, order(reason))
            emit([{"group": group, "discarded": count}], ["group", "discarded"])


@errors_command.command("assign")
@click.argument("group")
@click.argument("owner")
@click.option("--message", "message_id", type=int, default=0, help="Only of this one.")
def assign(group: str, owner: str, message_id: int) -> None:
    """Give the open entries of a group to a person or a team."""
    from engine.console.queries import error_queue

    with store() as database:
        found = _of_message(_entries(database, group, None), message_id)
        with database.engine() as connection:
            asked = order("")
            count = error_queue.assign(connection, database.sealer, found, owner, asked)
    emit([{"group": group, "owner": owner, "assigned": count}], ["group", "assigned"])


@errors_command.command("comment")
@click.argument("group")
@click.argument("text")
@click.option("--message", "message_id", type=int, default=0, help="Beside this one.")
def comment(group: str, text: str, message_id: int) -> None:
    """Keep what you have to say beside the oldest entry of a group."""
    from engine.console.queries import error_queue

    with store() as database:
        found = _of_message(_entries(database, group, None), message_id)
        with database.engine() as connection:
            said = order(text.strip())
            count = error_queue.comment(connection, database.sealer, found, said)
    emit([{"group": group, "commented": count}], ["group", "commented"])


def _of_message(found: "list[Entry]", message_id: int) -> "list[Entry]":
    return [each for each in found if message_id in (0, each.message_id)]


def _entries(database: "Database", group: str, sample: int | None) -> "list[Entry]":
    from engine.console.queries.error_queue import ALL
    from engine.store import error_queue

    key = _group(database, group)
    with database.reading() as connection:
        return error_queue.entries(connection, group=key, limit=sample or ALL)


def _group(database: "Database", group: str) -> str:
    """Return the key of the one open group that begins with ``group``."""
    from engine.store import error_queue

    with database.reading() as connection:
        keys = [found.key for found in error_queue.groups(connection)]
    matching = [key for key in keys if key.startswith(group)]
    if len(matching) != 1 and group not in keys:
        sentence = (
            f"{'no' if not matching else 'more than one'} group begins with {group}"
        )
        raise Stop(sentence, Exit.PROBLEMS, "interop errors list shows them")
    return group if group in keys else matching[0]


def _row(entry: "Entry") -> Row:
    return {
        "id": entry.id,
        "kind": str(entry.kind),
        "message": entry.message_id,
        "delivery": entry.delivery_id or None,
        "channel": entry.channel,
        "destination": entry.destination,
        "opened_at": entry.opened_at,
        "stage": entry.stage,
        "class": entry.class_,
        "code": entry.code,
        "sentence": entry.sentence,
        "label": entry.label,
        "owner": entry.assignee,
    }
