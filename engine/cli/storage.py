"""``interop store``: look at every row of the store, and decide what a loss means."""

from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note
from engine.cli.output import emit
from engine.cli.site import order, settings

if TYPE_CHECKING:
    from engine.store.database import Database


@click.group("store", cls=Group)
def store_command() -> None:
    """The store's files: migrate them, look for damage, decide about a loss."""


def _opened(*, lossy: bool, create: bool = False) -> "Database":
    from engine.store.database import open_database
    from engine.store.seal import load_or_create_key

    node = settings()
    key = load_or_create_key(node.key_file)
    return open_database(node.store_url, key, create=create, lossy=lossy)


@store_command.command("migrate")
def migrate() -> None:
    """Bring the store to the form of this release; `interop run` does so too."""
    _opened(lossy=False, create=True).close()
    note("the store has the form of this release")


@store_command.command("verify")
def verify() -> None:
    """Look at every row and every index; name what is damaged."""
    from engine.store.damage import damages

    database = _opened(lossy=True)
    try:
        rows = [
            {"place": f"{loss.schema}.db", "says": loss.sentence()}
            for loss in database.losses()
        ]
        with database.reading() as connection:
            found = damages(connection, database.sealer)
            rows += [{"place": each.place, "says": each.says} for each in found]
    finally:
        database.close()
    emit(rows, ["place", "says"])
    if rows:
        sentence = f"{len(rows)} places are damaged"
        raise Stop(sentence, Exit.PROBLEMS, "damaged content is never delivered")


@store_command.command("accept-loss")
@click.option("--reason", required=True, help="Kept in the audit trail.")
def accept_loss(reason: str) -> None:
    """Go on without commits that a damaged log has lost, after `store verify`.

    Messages that were acknowledged may be among them: have senders send again what
    they sent since the damage. Stop the engine first.
    """
    from engine.store import audit, counters

    database = _opened(lossy=True)
    try:
        losses = database.losses()
        asked = order(reason)
        acts = [
            audit.Act(
                asked.now,
                asked.actor,
                "accept-loss",
                each.schema,
                f"{reason}: {each.sentence()}",
            )
            for each in losses
        ]
        with database.journal() as connection:
            counters.skip_used_numbers(connection)
        with database.engine() as connection:
            audit.write(connection, database.sealer, acts)
        for loss in losses:
            loss.forgive()
    finally:
        database.close()
    for loss in losses:
        note(loss.sentence())
    note("the store opens again" if losses else "nothing is lost")
