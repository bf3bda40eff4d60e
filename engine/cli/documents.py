"""``interop documents``: C-CDA summaries that are made on order."""

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop
from engine.cli.output import emit
from engine.cli.site import confirm, move_options, order, site, store


@click.group("documents", cls=Group)
def documents_command() -> None:
    """C-CDA summaries that are made on order."""


@documents_command.command("order")
@click.argument("persons", nargs=-1, required=True)
@click.option("--channel", default="", help="Only destinations of this channel.")
@click.option("--destination", default="", help="Only the destination of this name.")
@move_options
def order_documents(
    persons: tuple[str, ...],
    channel: str,
    destination: str,
    reason: str,
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    """Order the newest summary of persons, by their enterprise identifiers.

    The engine makes it, as the next version, if it says anything new.
    """
    from engine.channels.processing.summaries import summary_places
    from engine.store import document_orders

    places = [
        each
        for each in summary_places(site().channels)
        if channel in {"", each[0]} and destination in {"", each[1]}
    ]
    if not places:
        hint = "cda: {template: ccd, ...} makes a destination one"
        raise Stop("no such destination of summaries", Exit.PROBLEMS, hint)
    with store() as database:
        with database.reading() as connection:
            found = {
                person: document_orders.heard_of(connection, person, places)
                for person in persons
            }
        for person, known in found.items():
            if not known:
                raise Stop(f"no message there speaks of {person}", Exit.PROBLEMS)
        rows = [
            {"person": person, "channel": place[0], "destination": place[1]}
            for person, known in found.items()
            for place in known
        ]
        if confirm(len(rows), "order summaries", yes=yes, dry_run=dry_run):
            with database.engine() as connection:
                document_orders.order(connection, database.sealer, found, order(reason))
            emit(rows, ["person", "channel", "destination"])
