"""``interop user``: who may sign in at the console."""

from datetime import timedelta

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, note, now
from engine.cli.output import emit_one
from engine.cli.site import order, settings, store


@click.group("user", cls=Group)
def user_command() -> None:
    """People who use the console."""


@user_command.command("invite")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    help="operator, analyst, him, administrator or auditor; several add up.",
)
@click.option("--minutes", type=click.IntRange(1, 1440), default=60, show_default=True)
@click.option("--reason", default="", help="Kept in the audit trail.")
def invite(name: str, roles: tuple[str, ...], minutes: int, reason: str) -> None:
    """Let NAME sign in once; the code is shown this once."""
    from engine.console.permissions import ROLES, Role
    from engine.store import sessions

    unknown = sorted(set(roles) - set(Role))
    if unknown:
        hint = "roles: " + ", ".join(Role)
        raise Stop(f"{unknown[0]!r} is no role", Exit.USAGE, hint)
    permissions = set().union(*(ROLES[Role(each)] for each in roles))
    ends = now() + timedelta(minutes=minutes)
    with store(create=True) as database, database.engine() as connection:
        code = sessions.invite(
            connection, database.sealer, name, permissions, ends, order(reason)
        )
    note(f"type it at http://{settings().console_bind}/sign-in; it works once")
    emit_one({"code": code, "expires_at": ends.isoformat()})
