"""Tokens of programs that call the API: scoped, expiring, kept only as a hash.

Spec:
    security.md S13.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from engine.errors import IllegalTransitionError
from engine.store import audit
from engine.store.access_tables import token
from engine.store.accounts import EVERY_TAG
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.secrets_at_rest import hashed, new_secret

PREFIX: Final = "interop_"
"""How a token begins, so that scanners find one that leaked."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: who holds it, what it may do, and until when."""

    id: int
    name: str
    permissions: frozenset[str]
    tags: frozenset[str]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None


_HOLDER: Final = select(token).where(
    token.c.hash == bindparam("digest"),
    token.c.expires_at > bindparam("now"),
    token.c.revoked_at.is_(None),
)
_REVOKE: Final = (
    update(token)
    .where(token.c.id == bindparam("number"), token.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


def issue(  # noqa: PLR0913, PLR0917 - what a token is
    connection: Connection,
    sealer: Sealer,
    name: str,
    permissions: Iterable[str],
    expires_at: datetime,
    order: Order,
    tags: Iterable[str] = (EVERY_TAG,),
) -> str:
    """Make a token for channels of these tags; return it, to be shown this once."""
    secret = PREFIX + new_secret()
    [number] = reserve(connection, "token", 1)
    words = " ".join(sorted(permissions))
    row = {
        "id": number,
        "name": name,
        "hash": hashed(secret),
        "permissions": words,
        "tags": " ".join(sorted(tags)),
        "created_at": order.now,
        "created_by": order.actor,
        "expires_at": expires_at,
    }
    connection.execute(insert(token), row)
    detail = f"{name}: {words} for {row['tags']}; {order.reason}"
    act = Act(order.now, order.actor, "token.issue", f"token {number}", detail)
    audit.write(connection, sealer, [act])
    return secret


def revoke(connection: Connection, sealer: Sealer, number: int, order: Order) -> None:
    """End a token now.

    Raises:
        IllegalTransitionError: there is none of this number in use.
    """
    changed = connection.execute(_REVOKE, {"number": number, "now": order.now})
    if not changed.rowcount:
        raise IllegalTransitionError(f"no token {number} is in use")
    subject = f"token {number}"
    act = Act(order.now, order.actor, "token.revoke", subject, order.reason)
    audit.write(connection, sealer, [act])


def holder(connection: Connection, secret: str, now: datetime) -> Token | None:
    """Return the token that this secret is; None when it is not, or no more."""
    if not secret.startswith(PREFIX):
        return None
    asked = {"digest": hashed(secret), "now": now}
    row = connection.execute(_HOLDER, asked).one_or_none()
    return None if row is None else _read(row)


def tokens(connection: Connection) -> list[Token]:
    """Return every token, the newest last."""
    return [_read(row) for row in connection.execute(select(token).order_by("id"))]


def _read(row: Found) -> Token:
    return Token(
        row.id,
        row.name,
        frozenset(row.permissions.split()),
        frozenset(row.tags.split()),
        row.created_at,
        row.created_by,
        row.expires_at,
        row.revoked_at,
    )
