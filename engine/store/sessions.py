"""Who is signed in at the console: one-time invitations, then sessions.

The browser holds 256 random bits, the store their hash.

Spec:
    security.md S03 and S08.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.store import audit
from engine.store.access_tables import invitation, session
from engine.store.audit import Act, Order
from engine.store.seal import Sealer

_SECRET_BYTES: Final = 32
_TOUCH: Final = timedelta(minutes=1)
"""A session in use is noted at most once in this time."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in, and what they may do."""

    name: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts unused, and at most."""

    idle: timedelta
    longest: timedelta


_INVITED: Final = select(invitation).where(
    invitation.c.hash == bindparam("digest"), invitation.c.expires_at > bindparam("now")
)
_USED: Final = delete(invitation).where(invitation.c.hash == bindparam("digest"))
_HOLDER: Final = select(session).where(
    session.c.hash == bindparam("digest"),
    session.c.expires_at > bindparam("now"),
    session.c.seen_at > bindparam("since"),
)
_SEEN: Final = (
    update(session)
    .where(session.c.hash == bindparam("digest"))
    .values(seen_at=bindparam("now"))
)
_END: Final = delete(session).where(session.c.hash == bindparam("digest"))
_OVER: Final = delete(session).where(session.c.expires_at <= bindparam("now"))


def invite(
    connection: Connection,
    sealer: Sealer,
    name: str,
    permissions: Iterable[str],
    expires_at: datetime,
    order: Order,
) -> str:
    """Let a person sign in once; return the code, to be shown this once."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = {
        "hash": _hash(secret),
        "name": name,
        "permissions": " ".join(sorted(permissions)),
        "expires_at": expires_at,
    }
    connection.execute(insert(invitation), row)
    detail = f"{row['permissions']}; {order.reason}"
    act = Act(order.now, order.actor, "user.invite", f"user {name}", detail)
    audit.write(connection, sealer, [act])
    return secret


def sign_in(
    connection: Connection, sealer: Sealer, secret: str, limits: Limits, now: datetime
) -> str | None:
    """Use up an invitation; return what the browser shall hold, or None."""
    asked = {"digest": _hash(secret), "now": now}
    found = connection.execute(_INVITED, asked).one_or_none()
    if found is None or not connection.execute(_USED, asked).rowcount:
        return None
    connection.execute(_OVER, {"now": now})
    held = secrets.token_urlsafe(_SECRET_BYTES)
    row = {
        "hash": _hash(held),
        "name": found.name,
        "permissions": found.permissions,
        "seen_at": now,
        "expires_at": now + limits.longest,
    }
    connection.execute(insert(session), row)
    act = Act(now, found.name, "sign-in", f"user {found.name}")
    audit.write(connection, sealer, [act])
    return held


def holder(
    connection: Connection, held: str, limits: Limits, now: datetime
) -> tuple[Session, bool] | None:
    """Return who holds this, and whether its use should be noted with `touch`."""
    asked = {"digest": _hash(held), "now": now, "since": now - limits.idle}
    row = connection.execute(_HOLDER, asked).one_or_none()
    if row is None:
        return None
    who = Session(row.name, frozenset(row.permissions.split()))
    return who, now - row.seen_at > _TOUCH


def touch(connection: Connection, held: str, now: datetime) -> None:
    """Note that a session was used now."""
    connection.execute(_SEEN, {"digest": _hash(held), "now": now})


def sign_out(connection: Connection, sealer: Sealer, held: str, order: Order) -> None:
    """End a session now."""
    if connection.execute(_END, {"digest": _hash(held)}).rowcount:
        act = Act(order.now, order.actor, "sign-out", f"user {order.actor}")
        audit.write(connection, sealer, [act])


def _hash(secret: str) -> bytes:
    """Return what is kept: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()
