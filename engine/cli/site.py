"""The site a command works on: its settings and its open store."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from engine.cli.invocation import Exit, Stop, invocation, now

if TYPE_CHECKING:
    from engine.channels.format.load import Site
    from engine.settings import Settings
    from engine.store.audit import Order
    from engine.store.database import Database

Command = TypeVar("Command", bound=Callable[..., None])

MANY = 20
"""More than this at once is confirmed by typing the number."""


def site(environment: str | None = None) -> "Site":
    """Return the checked site of the configuration folder.

    Raises:
        ConfigurationError: with every fault of every file.
    """
    from engine.channels.format.load import load_site

    return load_site(_folder(), environment)


def settings() -> "Settings":
    """Return the node settings of the configuration folder."""
    from engine.settings import load_settings

    return load_settings(_folder())


def own_names() -> dict[str, str]:
    """Return what the site calls its own fields; nothing where there is no site."""
    from engine.channels.format.site_fields import site_fields

    return site_fields(settings()) if invocation().folder().is_dir() else {}


def _folder() -> Path:
    folder = invocation().folder()
    if not folder.is_dir():
        hint = "name it with --config DIR, or make one with interop init DIR"
        raise Stop(f"no configuration in {folder}", Exit.CONFIGURATION, hint)
    return folder


@contextmanager
def store(*, create: bool = False) -> "Iterator[Database]":
    """Open the store of the site for one command; it must exist unless ``create``."""
    from engine.store.database import open_database
    from engine.store.key_file import load_or_create_key

    node = settings()
    key = load_or_create_key(node.key_file)
    database = open_database(node.store_url, key, role="cli", create=create)
    try:
        yield database
    finally:
        database.close()


def order(reason: str) -> "Order":
    """Return who asks for a move, when and why, as the audit trail keeps it."""
    from engine.store.audit import Order

    return Order(actor=getpass.getuser(), now=now(), reason=reason)


def move_options(command: Command) -> Command:
    """Give a command what every move takes: ``--reason``, ``--yes``, ``--dry-run``."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only show what would change."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--reason", required=True, help="Kept in the audit trail."),
    ):
        command = option(command)
    return command


def confirm(count: int, what: str, *, yes: bool, dry_run: bool) -> bool:
    """Tell whether to go on: never with ``--dry-run``; many ask for the number."""
    if dry_run:
        click.echo(f"would {what}: {count:,}; nothing was changed", err=True)
        return False
    if count > MANY and not yes:
        typed = click.prompt(f"{what}: type {count} to confirm", err=True)
        if typed != str(count):
            raise Stop("not confirmed; nothing was changed", Exit.USAGE)
    return True
