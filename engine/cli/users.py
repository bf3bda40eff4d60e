"""``interop user``: who may use the console, what for, and for which channels."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note, now
from engine.cli.output import emit, emit_one
from engine.cli.site import order, settings, store

if TYPE_CHECKING:
    from engine.store.database import Database

FIRST_LASTS = timedelta(hours=24)
COLUMNS = ["name", "state", "roles", "tags", "factors", "sessions"]
_ROLES = click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    help="operator, analyst, steward, records, auditor, administrator or read-only; "
    "a single permission does too; several add up.",
)
_TAGS = click.option(
    "--tag",
    "tags",
    multiple=True,
    default=("*",),
    help="Only channels with this tag; several add up. Without it all channels.",
)
_REASON = click.option("--reason", default="", help="Kept in the audit trail.")
_HOURS = click.option(
    "--hours",
    type=click.IntRange(1, 168),
    default=24,
    show_default=True,
    help="How long the link works.",
)


@click.group("user", cls=Group)
def user_command() -> None:
    """People who use the console.

    There is no default account: the first administrator is made here.
    """


@user_command.command("create")
@click.argument("name")
@_ROLES
@_TAGS
@_HOURS
@_REASON
def create(
    name: str, roles: tuple[str, ...], tags: tuple[str, ...], hours: int, reason: str
) -> None:
    """Make an account and print the link that leads NAME into it, this once."""
    from engine.store import accounts

    grants = _grants(roles)
    try:
        wanted = accounts.account_name(name)
    except ValueError as error:
        raise Stop(f"{name!r} is no name", Exit.USAGE, str(error)) from error
    with store(create=True) as database:
        with database.engine() as connection:
            asked = order(reason)
            accounts.create(connection, database.sealer, wanted, grants, tags, asked)
        _print_link(database, wanted, timedelta(hours=hours), reason)


@user_command.command("invite")
@click.argument("name")
@_HOURS
@_REASON
def invite(name: str, hours: int, reason: str) -> None:
    """Print a new link into an account whose password is lost."""
    with store() as database:
        _print_link(database, name, timedelta(hours=hours), reason)


def _print_link(database: "Database", name: str, lasts: timedelta, reason: str) -> None:
    ends = now() + lasts
    link = _link(database, name, ends, reason)
    note("give it to them; it works once and is not shown again")
    emit_one({"link": link, "expires_at": ends.isoformat()})


def _link(database: "Database", name: str, ends: datetime, reason: str) -> str:
    from engine.store import invitations

    with database.engine() as connection:
        code = invitations.invite(
            connection, database.sealer, name, ends, order(reason)
        )
    node = settings()
    address = node.console_address or f"http://{node.console_bind}"
    return f"{address}/welcome?code={code}"


def first_way_in(database: "Database") -> None:
    """Tell the way into the first account, while nobody has one with a password.

    It is made for whoever starts the engine; the link of an earlier start ends.
    """
    from engine.store import accounts

    if settings().oidc:
        return
    with database.reading() as connection:
        found = accounts.accounts(connection)
    if any(each.password or each.external for each in found):
        return
    first = next((each for each in found if each.administers), None)
    if found and first is None:
        return
    reason = "the first start"
    if first is None:
        asked = order(reason)
        name = accounts.account_name(asked.actor)
        with database.engine() as connection:
            first = accounts.create(
                connection, database.sealer, name, ["administrator"], ["*"], asked
            )
    link = _link(database, first.name, now() + FIRST_LASTS, reason)
    note(f"nobody has an account yet; {first.name} begins here, once: {link}")


@user_command.command("code")
@click.argument("name")
@click.option("--minutes", type=click.IntRange(1, 60), default=10, show_default=True)
@click.option("--reason", required=True, help="Kept in the audit trail.")
def code(name: str, minutes: int, reason: str) -> None:
    """Print a code that signs NAME in once, without password and second factor.

    For an emergency: whoever can run this could read the store as well.
    """
    from engine.store import invitations

    ends = now() + timedelta(minutes=minutes)
    with store() as database, database.engine() as connection:
        made = invitations.invite(
            connection, database.sealer, name, ends, order(reason), enrols=False
        )
    place = f"http://{settings().console_bind}/sign-in?with=code"
    note(f"type it at {place}; it works once")
    emit_one({"code": made, "expires_at": ends.isoformat()})


@user_command.command("list")
def list_users() -> None:
    """List the accounts there are."""
    from engine.console.queries.users import rows
    from engine.store.sessions import Limits

    node = settings()
    limits = Limits(node.console_session_idle, node.console_session_max)
    with store() as database, database.reading() as connection:
        found = rows(connection, limits, now())
    emit(found, COLUMNS)


@user_command.command("roles")
@click.argument("name")
@_ROLES
@_TAGS
@click.option("--reason", required=True, help="Kept in the audit trail.")
def change_roles(
    name: str, roles: tuple[str, ...], tags: tuple[str, ...], reason: str
) -> None:
    """Give NAME these roles instead of the earlier ones; the sessions end."""
    from engine.store import accounts

    grants = _grants(roles)
    with store() as database, database.engine() as connection:
        asked = order(reason)
        accounts.regrant(connection, database.sealer, name, grants, tags, asked)
    emit_one({"name": name, "roles": " ".join(grants), "tags": " ".join(tags)})


def _deed(word: str, sentence: str) -> Callable[[str, str], None]:
    """Return the command for one of the page's deeds."""

    @click.argument("name")
    @click.option("--reason", required=True, help="Kept in the audit trail.")
    def command(name: str, reason: str) -> None:
        from engine.console.queries.users import DEEDS

        with store() as database, database.engine() as connection:
            DEEDS[word](connection, database.sealer, name, order(reason))
        emit_one({"name": name, "done": word})

    command.__doc__ = sentence
    return command


for _word, _sentence in {
    "disable": "Let NAME sign in no more; the sessions end.",
    "enable": "Let NAME sign in again.",
    "end-sessions": "Sign NAME out everywhere.",
    "reset-factors": "Take NAME's second factors away; the next sign-in asks for new.",
}.items():
    user_command.command(_word)(_deed(_word, _sentence))


def _grants(words: tuple[str, ...]) -> list[str]:
    from engine.console.permissions import Permission, Role, grants_of

    try:
        return grants_of(words)
    except ValueError as error:
        hint = f"roles: {', '.join(Role)}; permissions: {', '.join(Permission)}"
        raise Stop(f"{error.args[0]!r} is no role", Exit.USAGE, hint) from error
