"""``interop token``: who may call the API, what for, and until when."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note, now
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import order, settings, store

if TYPE_CHECKING:
    from engine.store.tokens import Token

COLUMNS: Final = ["id", "name", "permissions", "tags", "expires_at", "state"]


@click.group("token", cls=Group)
def token_command() -> None:
    """Tokens of programs that call the API.

    A token is shown once and kept as a hash; it ends by itself, or by revoke.
    """


@token_command.command("create")
@click.argument("name")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    required=True,
    help="What it may do; may be given several times.",
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    default=("*",),
    help="Only channels with this tag; several add up. Without it all channels.",
)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True)
@click.option("--reason", default="", help="Kept in the audit trail.")
def create(
    name: str,
    permissions: tuple[str, ...],
    tags: tuple[str, ...],
    days: int,
    reason: str,
) -> None:
    """Make a token for NAME and print it, this once."""
    from engine.console.masking import scope_of
    from engine.store import tokens

    try:
        permissions = tuple(scope_of(permissions, settings()))
    except ValueError as error:
        raise Stop("this is no permission", Exit.USAGE, str(error)) from error
    ends = now() + timedelta(days=days)
    with store(create=True) as database, database.engine() as connection:
        secret = tokens.issue(
            connection, database.sealer, name, permissions, ends, order(reason), tags
        )
    note("keep it now: it is not shown again")
    emit_one({"token": secret, "expires_at": ends.isoformat()})


@token_command.command("list")
def list_tokens() -> None:
    """List the tokens there are; never what they are."""
    from engine.store import tokens

    with store() as database, database.reading() as connection:
        found = tokens.tokens(connection)
    emit((_row(each) for each in found), COLUMNS)


@token_command.command("revoke")
@click.argument("number", type=int)
@click.option("--reason", required=True, help="Kept in the audit trail.")
def revoke(number: int, reason: str) -> None:
    """End a token now."""
    from engine.store import tokens

    with store() as database, database.engine() as connection:
        tokens.revoke(connection, database.sealer, number, order(reason))
    emit_one({"id": number, "state": "revoked"})


def _row(found: "Token") -> Row:
    from engine.console.queries.users import token_state

    return {
        "id": found.id,
        "name": found.name,
        "permissions": " ".join(sorted(found.permissions)),
        "tags": " ".join(sorted(found.tags)),
        "expires_at": found.expires_at.isoformat(),
        "state": token_state(found, now()),
    }
