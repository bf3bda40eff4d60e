"""``interop store``: look at every row of the store, and decide what a loss means."""

from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note
from engine.cli.output import emit
from engine.cli.site import order, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engine.store.audit import Act, Order
    from engine.store.database import Database
    from engine.store.losses import Loss
    from engine.store.salvage import LostMessage


@click.group("store", cls=Group)
def store_command() -> None:
    """The store's files: migrate them, look for damage, decide about a loss."""


def _opened(*, lossy: bool, create: bool = False) -> "Database":
    from engine.store.database import open_database
    from engine.store.key_file import load_or_create_key

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

    Messages that were acknowledged may be among them. Those of which the kept log still
    tells are listed: have their senders send them again, and what else they sent since.
    Stop the engine first.
    """
    from engine.store import audit, counters, journal

    database = _opened(lossy=True)
    try:
        losses = database.losses()
        asked = order(reason)
        with database.reading() as connection:
            last, since = journal.last(connection)
        lost = [each for loss in losses for each in _lost(database, loss, last)]
        acts = [_accepted(each, asked, since) for each in losses]
        acts += [_gone(each, asked) for each in lost]
        with database.journal() as connection:
            known = max((each.id for each in lost), default=0)
            counters.skip_used_numbers(connection, known)
        with database.engine() as connection:
            audit.write(connection, database.sealer, acts)
        for loss in losses:
            loss.forgive()
    finally:
        database.close()
    _emit(acts)
    for loss in losses:
        note(loss.sentence())
    note("the store opens again" if losses else "nothing is lost")


@store_command.command("losses")
def list_losses() -> None:
    """List the losses that were accepted, and the messages known to be lost."""
    from engine.store import audit

    database = _opened(lossy=False)
    with database.reading() as connection:
        found = audit.losses(connection, database.sealer)
    database.close()
    _emit([row.act for row in found])


def _emit(acts: "Sequence[Act]") -> None:
    columns = ["at", "actor", "action", "subject", "detail"]
    emit(({name: getattr(act, name) for name in columns} for act in acts), columns)


def _lost(database: "Database", loss: "Loss", last: int) -> "list[LostMessage]":
    """Return what the kept log tells of messages; the other file has none."""
    from engine.store.salvage import lost_messages

    if loss.schema != "journal" or loss.log is None:
        return []
    return lost_messages(loss.log.parent, loss.log, last, database.sealer)


def _accepted(loss: "Loss", asked: "Order", since: "datetime | None") -> "Act":
    """Return the act of one file; what came before ``since`` is there."""
    from engine.store import audit

    whole = ""
    if loss.schema == "journal":
        told = f"{since:%Y-%m-%d %H:%M:%S} UTC" if since else "the first message"
        whole = f" Messages that came after {told} are lost."
    detail = f"{asked.reason}: {loss.sentence()}{whole}"
    return audit.Act(asked.now, asked.actor, audit.LOSS, loss.schema, detail)


def _gone(one: "LostMessage", asked: "Order") -> "Act":
    from engine.store import audit

    kind = f"{one.message_type}^{one.trigger_event}".strip("^")
    sure = "" if one.is_certain else "; this much may be damaged itself"
    detail = (
        f"{kind} with control id {one.control_id}, received at "
        f"{one.received_at:%Y-%m-%d %H:%M:%S} UTC by channel {one.channel} on "
        f"{one.listener} from {one.peer or 'no peer'}{sure}"
    )
    subject = f"message {one.id}"
    return audit.Act(asked.now, asked.actor, audit.LOST, subject, detail)
