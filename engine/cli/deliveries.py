"""``interop deliveries`` and ``interop parked``: the outbox and what waits in it."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.confidential import confidential_option, expect_to_show, note_opening
from engine.cli.invocation import Exit, Group, Stop
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import confirm, move_options, order, store

if TYPE_CHECKING:
    from engine.store.database import Database
    from engine.store.queues import DeliveryFilter, DeliveryRow

PAGE = 100
COLUMNS = ["id", "message", "channel", "destination", "state", "attempts", "sentence"]


@click.group("deliveries", cls=Group)
def deliveries_command() -> None:
    """What is on its way out, and what waits."""


@deliveries_command.command("list")
@click.option("--channel", default="")
@click.option("--destination", default="")
@click.option(
    "--state",
    type=click.Choice(["queued", "leased", "delivered", "failed", "discarded"]),
)
@click.option("--message", "message_id", type=int, default=0)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def list_deliveries(
    channel: str, destination: str, state: str | None, message_id: int, limit: int
) -> None:
    """List deliveries by number."""
    from engine.store.delivery_state import State
    from engine.store.queues import DeliveryFilter

    known = State(state) if state else None
    wanted = DeliveryFilter(channel, destination, known, message_id)
    with store() as database:
        emit((_row(found) for found in _pages(database, wanted, limit)), COLUMNS)


@deliveries_command.command("show")
@click.argument("delivery_id", type=int)
@click.option(
    "--document", is_flag=True, help="Print what was sent, with patient data."
)
@confidential_option
def show(delivery_id: int, confidential: str, *, document: bool) -> None:
    """Show one delivery; --document prints its bytes and is audited."""
    from engine.store import delivery_moves, queues

    with store() as database:
        with database.reading() as connection:
            found = queues.delivery(connection, delivery_id)
            sent = delivery_moves.content(connection, database.sealer, delivery_id)
        if found is None:
            raise Stop(f"there is no delivery {delivery_id}", Exit.PROBLEMS)
        if not document:
            emit_one(_row(found))
            return
        if sent is None:
            raise Stop("its document was purged", Exit.PROBLEMS)
        expect_to_show(database, found.message_id, confidential)
        note_opening(database, found.message_id, f"delivery {delivery_id}")
    sys.stdout.buffer.write(sent[0] + b"\n")


@deliveries_command.command("resend")
@click.argument("ids", nargs=-1, required=True, type=int)
@move_options
def resend(ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool) -> None:
    """Send failed or delivered deliveries again."""
    _move("resend", ids, reason, yes=yes, dry_run=dry_run)


@deliveries_command.command("discard")
@click.argument("ids", nargs=-1, required=True, type=int)
@move_options
def discard(ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool) -> None:
    """Give up queued or failed deliveries, for good."""
    _move("discard", ids, reason, yes=yes, dry_run=dry_run)


@click.group("parked", cls=Group)
def parked_command() -> None:
    """Persons whose deliveries wait behind a failure."""


@parked_command.command("list")
@click.option("--person", default="", help="Enterprise identifier.")
def list_parked(person: str) -> None:
    """List parked persons, longest first, and what waits behind each."""
    from engine.identity.enterprise_identifier import handle_of
    from engine.store import queues

    with store() as database, database.reading() as connection:
        lanes = queues.parked(connection, person=person)
    columns = ["person", "handle", "channel", "destination", "delivery", "since"]
    emit(
        (
            {
                "person": lane.person,
                "handle": handle_of(lane.person),
                "channel": lane.channel,
                "destination": lane.destination,
                "delivery": lane.delivery_id,
                "message": lane.message_id,
                "since": lane.since,
                "code": lane.code,
                "sentence": lane.sentence,
                "behind": lane.behind,
            }
            for lane in lanes
        ),
        [*columns, "behind", "sentence"],
    )


@parked_command.command("release")
@click.argument("person")
@move_options
def release(person: str, reason: str, *, yes: bool, dry_run: bool) -> None:
    """Send what parked this person again; what waits follows in order."""
    from engine.store import queues

    with store() as database, database.reading() as connection:
        lanes = queues.parked(connection, person=person)
    if not lanes:
        raise Stop(f"nobody with the identifier {person} is parked", Exit.PROBLEMS)
    ids = tuple(lane.delivery_id for lane in lanes)
    _move("resend", ids, reason, yes=yes, dry_run=dry_run)


def _move(
    what: str, ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool
) -> None:
    from engine.store import delivery_moves

    if not confirm(len(ids), f"{what} deliveries", yes=yes, dry_run=dry_run):
        return
    act = delivery_moves.resend if what == "resend" else delivery_moves.discard
    with store() as database, database.engine() as connection:
        count = act(connection, database.sealer, ids, order(reason))
    emit_one({"moved": count, "what": what})


def _pages(
    database: "Database", wanted: "DeliveryFilter", limit: int
) -> "Iterator[DeliveryRow]":
    from engine.store import queues

    after = 0
    while limit > 0:
        size = min(PAGE, limit)
        with database.reading() as connection:
            page = queues.deliveries(connection, wanted, after=after, limit=size)
        yield from page
        if len(page) < size:
            return
        limit -= size
        after = page[-1].id


def _row(found: "DeliveryRow") -> Row:
    return {
        "id": found.id,
        "message": found.message_id,
        "channel": found.channel,
        "destination": found.destination,
        "state": str(found.state),
        "attempts": found.attempts,
        "class": found.class_,
        "code": found.code,
        "sentence": found.sentence or found.note,
        "content_type": found.content_type,
        "queued_at": found.queued_at,
        "not_before": found.not_before,
        "settled_at": found.settled_at,
    }
