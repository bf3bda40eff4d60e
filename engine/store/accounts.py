"""Accounts of people: who they are, what they were granted, for which channels.

Spec:
    security.md S03 to S05 and S10; console.md S14.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.errors import IllegalTransitionError
from engine.store import audit
from engine.store.access_tables import account, invitation, session
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.schema import Found
from engine.store.seal import Sealer

EVERY_TAG: Final = "*"
"""The tag of all channels, those without a tag among them."""

ADMINISTERS: Final = frozenset({"administrator", "administer"})
"""Grants that let somebody administer; one account with one of them stays."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """One person; ``password`` is a hash, ``external`` the identity provider's name."""

    id: int
    name: str
    grants: frozenset[str]
    tags: frozenset[str]
    created_at: datetime
    disabled_at: datetime | None = None
    password: str = ""
    external: str = ""

    @property
    def administers(self) -> bool:
        """Whether this one keeps the others' accounts."""
        return self.disabled_at is None and bool(self.grants & ADMINISTERS)


_BY_NAME: Final = select(account).where(account.c.name == bindparam("asked"))
_BY_ID: Final = select(account).where(account.c.id == bindparam("asked"))
_BY_EXTERNAL: Final = select(account).where(account.c.external == bindparam("asked"))
_ENABLED: Final = select(account).where(account.c.disabled_at.is_(None))


def account_name(text: str) -> str:
    """Return a name as accounts have it.

    Raises:
        ValueError: it has other characters than names have.
    """
    name = text.strip().casefold()
    if not _NAME.fullmatch(name):
        sentence = "a name has letters, digits and . _ @ + - and begins with neither"
        raise ValueError(sentence)
    return name


def create(  # noqa: PLR0913, PLR0917 - what makes an account
    connection: Connection,
    sealer: Sealer,
    name: str,
    grants: Iterable[str],
    tags: Iterable[str],
    order: Order,
    external: str = "",
) -> Account:
    """Make an account that nobody can sign in to yet.

    Raises:
        IllegalTransitionError: there is one of this name.
    """
    if by_name(connection, name) is not None:
        raise IllegalTransitionError(f"there is an account {name} already")
    [number] = reserve(connection, "account", 1)
    row = {
        "id": number,
        "name": name,
        "grants": _words(grants),
        "tags": _words(tags),
        "external": external,
        "created_at": order.now,
    }
    connection.execute(insert(account), row)
    detail = f"{row['grants']} for {row['tags']}; {order.reason}"
    _write(connection, sealer, "user.create", name, order, detail)
    found = by_id(connection, number)
    assert found is not None
    return found


def by_name(connection: Connection, name: str) -> Account | None:
    """Return the account of a name, or None."""
    return _one(connection.execute(_BY_NAME, {"asked": name}).one_or_none())


def by_id(connection: Connection, number: int) -> Account | None:
    """Return the account of a number, or None."""
    return _one(connection.execute(_BY_ID, {"asked": number}).one_or_none())


def by_external(connection: Connection, external: str) -> Account | None:
    """Return the account that an identity provider calls this, or None."""
    asked = {"asked": external}
    return _one(connection.execute(_BY_EXTERNAL, asked).one_or_none())


def accounts(connection: Connection) -> list[Account]:
    """Return every account, by name."""
    rows = connection.execute(select(account).order_by(account.c.name))
    return [read_account(row) for row in rows]


def administrators(connection: Connection) -> list[Account]:
    """Return the accounts that keep the others."""
    found = [read_account(row) for row in connection.execute(_ENABLED)]
    return [each for each in found if each.administers]


def regrant(
    connection: Connection,
    sealer: Sealer,
    name: str,
    grants: Collection[str],
    tags: Collection[str],
    order: Order,
) -> None:
    """Change what an account may do; its sessions end.

    Raises:
        IllegalTransitionError: there is none, or nobody would be left to administer.
    """
    found = expect(connection, name)
    if not ADMINISTERS & set(grants):
        _keep_an_administrator(connection, found)
    values = {"grants": _words(grants), "tags": _words(tags)}
    _change(connection, found, **values)
    end_sessions(connection, found.id)
    detail = f"{values['grants']} for {values['tags']}; {order.reason}"
    _write(connection, sealer, "user.change-role", name, order, detail)


def disable(connection: Connection, sealer: Sealer, name: str, order: Order) -> None:
    """Let nobody sign in to an account; its sessions and codes end.

    Raises:
        IllegalTransitionError: there is none, or nobody would be left to administer.
    """
    found = expect(connection, name)
    _keep_an_administrator(connection, found)
    _change(connection, found, disabled_at=order.now)
    end_sessions(connection, found.id)
    connection.execute(delete(invitation).where(invitation.c.account == found.id))
    _write(connection, sealer, "user.disable", name, order, order.reason)


def enable(connection: Connection, sealer: Sealer, name: str, order: Order) -> None:
    """Let an account be signed in to again."""
    _change(connection, expect(connection, name), disabled_at=None)
    _write(connection, sealer, "user.enable", name, order, order.reason)


def set_password(
    connection: Connection, sealer: Sealer, name: str, password: str, order: Order
) -> None:
    """Keep a password's hash."""
    _change(connection, expect(connection, name), password=password)
    _write(connection, sealer, "user.password", name, order, order.reason)


def expect(connection: Connection, name: str) -> Account:
    """Return the account of a name.

    Raises:
        IllegalTransitionError: there is none.
    """
    found = by_name(connection, name)
    if found is None:
        raise IllegalTransitionError(f"there is no account {name}")
    return found


def sign_out_everywhere(
    connection: Connection, sealer: Sealer, name: str, order: Order
) -> None:
    """End every session of an account."""
    end_sessions(connection, expect(connection, name).id)
    _write(connection, sealer, "user.end-sessions", name, order, order.reason)


def end_sessions(connection: Connection, number: int) -> int:
    """End every session of an account; return how many there were."""
    gone = delete(session).where(session.c.account == number)
    return connection.execute(gone).rowcount


def _keep_an_administrator(connection: Connection, found: Account) -> None:
    """Refuse that the last one goes; of two who would remove each other, one stays."""
    rows = connection.execute(_ENABLED.order_by(account.c.id).with_for_update())
    enabled = [read_account(row) for row in rows]
    left = [each for each in enabled if each.administers and each.id != found.id]
    if found.administers and not left:
        sentence = f"{found.name} is the last administrator, and one must stay"
        raise IllegalTransitionError(sentence)


def _change(connection: Connection, found: Account, **values: object) -> None:
    connection.execute(update(account).where(account.c.id == found.id).values(**values))


def _write(
    connection: Connection,
    sealer: Sealer,
    action: str,
    name: str,
    order: Order,
    detail: str,
) -> None:
    act = Act(order.now, order.actor, action, f"user {name}", detail)
    audit.write(connection, sealer, [act])


def _words(given: Iterable[str]) -> str:
    return " ".join(sorted(given))


def _one(row: Found | None) -> Account | None:
    return None if row is None else read_account(row)


def read_account(row: Found, prefix: str = "") -> Account:
    """Return the account in a row that has its columns, under this prefix."""
    found = row._mapping  # noqa: SLF001 - SQLAlchemy's documented accessor
    return Account(
        found[f"{prefix}id"],
        found[f"{prefix}name"],
        frozenset(found[f"{prefix}grants"].split()),
        frozenset(found[f"{prefix}tags"].split()),
        found[f"{prefix}created_at"],
        found[f"{prefix}disabled_at"],
        found[f"{prefix}password"],
        found[f"{prefix}external"],
    )
