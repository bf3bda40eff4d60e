"""``interop keys``: what the store's content is sealed with, and the change of it."""

import rich_click as click

from engine.cli.invocation import Group, note
from engine.cli.output import emit, emit_one
from engine.cli.site import order, settings, store


@click.group("keys", cls=Group)
def keys_command() -> None:
    """The keys that content is sealed with.

    The key file holds all of them, one in a line: it opens what any of them sealed, and
    every earlier backup. Copy it elsewhere after each change.
    """


@keys_command.command("list")
def list_keys() -> None:
    """List the keys of the key file, and since when each is in use."""
    from engine.store import key_use

    with store() as database:
        with database.reading() as connection:
            uses = key_use.uses(connection, database.sealer)
        since = {each.number: each.since for each in uses}
        in_use, count = database.keys.in_use, database.keys.count
    rows = [
        {"key": each, "state": _state(each, in_use), "since": since.get(each, "")}
        for each in range(1, count + 1)
    ]
    emit(rows, ["key", "state", "since"])
    note("key 1 is in use since the store was made; keyed hashes stay with it")


def _state(number: int, in_use: int) -> str:
    if number == in_use:
        return "in use"
    return "opens" if number < in_use else "not in use yet"


@keys_command.command("add")
def add() -> None:
    """Add a new key to the key file; nothing is sealed with it before `rotate`.

    With several nodes: add it on one of them, copy the file to the others, rotate.
    """
    with store() as database:
        number = database.keys.add()
    emit_one({"key": number})
    note(f"copy {settings().key_file} to every node, then: interop keys rotate")


@keys_command.command("rotate")
@click.option("--reason", required=True, help="Kept in the audit trail.")
def rotate(reason: str) -> None:
    """Seal with a new key from now on; what is sealed opens as before.

    The engine goes on meanwhile, and takes the new key within seconds.
    """
    from engine.store import key_use

    with store() as database, database.engine() as connection:
        number = key_use.rotate(
            connection,
            database.sealer,
            database.keys,
            order(reason),
            makes_one=database.folder is not None,
        )
    emit_one({"in_use": number})
    note(
        f"copy {settings().key_file} to where you keep copies of it: the ones from "
        f"before open nothing that key {number} seals"
    )
