"""Confidential persons at the command line: shown for a reason, which is written down.

Spec:
    identity.md 14, M20.
"""

from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.invocation import Exit, Stop
from engine.cli.site import order, site
from engine.errors import ConfigurationError

if TYPE_CHECKING:
    from engine.channels.format.load import Site
    from engine.store.database import Database
    from engine.store.search import MessageRow

confidential_option: Final = click.option(
    "--confidential",
    default="",
    metavar="REASON",
    help="Show confidential persons too; the reason is kept in the audit trail.",
)


def admitted(database: "Database", reason: str) -> bool:
    """Whether confidential persons may be shown: with a reason, once it is kept."""
    from engine.store.audit import Act, write

    if not reason:
        return False
    why = order(reason)
    act = Act(why.now, why.actor, "view", "confidential persons", reason)
    with database.engine() as connection:
        write(connection, database.sealer, [act])
    return True


def expect_to_show(database: "Database", message_id: int, reason: str = "") -> None:
    """Refuse the content of a confidential person's message without a reason.

    Raises:
        Stop: naming the command that shows it.
    """
    from engine.channels.queries.confidential_messages import is_confidential
    from engine.store import search

    with database.reading() as connection:
        found = search.message(connection, message_id)
        if found is None or not is_confidential(
            connection, database.sealer, known_site(), found
        ):
            return
    if not admitted(database, reason):
        sentence = f"message {message_id} is about a confidential person"
        hint = f"interop messages show {message_id} --reveal --confidential REASON"
        raise Stop(sentence, Exit.PROBLEMS, hint)


def note_opening(database: "Database", message_id: int, how: str = "") -> None:
    """Write down that patient data of a message is about to be shown."""
    from engine.store import search
    from engine.store.audit import Act, write

    asked = order("")
    with database.reading() as connection:
        found = search.message(connection, message_id)
    person = found.person if found else ""
    act = Act(asked.now, asked.actor, "reveal", f"message {message_id}", how, person)
    with database.engine() as connection:
        write(connection, database.sealer, [act])


def shown(
    database: "Database", rows: "list[MessageRow]", known: "Site | None"
) -> "list[MessageRow]":
    """Return the messages that are about nobody confidential."""
    from engine.channels.queries.confidential_messages import confidential_among

    with database.reading() as connection:
        hidden = confidential_among(connection, database.sealer, known, rows)
    return [each for each in rows if each.id not in hidden]


def known_site() -> "Site | None":
    """Return the site as far as it can be read: without it any authority counts."""
    try:
        return site()
    except ConfigurationError:
        return None
