"""Signing in half-way: what was asked of a browser, to be answered once and soon.

Spec:
    security.md S05 and S07 (state, nonce, challenge used once).
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from engine.store.access_tables import ceremony
from engine.store.seal import Sealer
from engine.store.secrets_at_rest import hashed, new_secret

LASTS: Final = timedelta(minutes=10)

_FOUND: Final = select(ceremony.c.content).where(
    ceremony.c.hash == bindparam("digest"),
    ceremony.c.kind == bindparam("sort"),
    ceremony.c.expires_at > bindparam("now"),
)
_DONE: Final = delete(ceremony).where(ceremony.c.hash == bindparam("digest"))
_OVER: Final = delete(ceremony).where(ceremony.c.expires_at <= bindparam("now"))


def begin(
    connection: Connection, sealer: Sealer, kind: str, content: bytes, now: datetime
) -> str:
    """Keep what a browser was asked; return what it shall hold meanwhile."""
    connection.execute(_OVER, {"now": now})
    held = new_secret()
    digest = hashed(held)
    row = {
        "hash": digest,
        "kind": kind,
        "content": sealer.seal(content, context(kind, digest)),
        "expires_at": now + LASTS,
    }
    connection.execute(insert(ceremony), row)
    return held


def look(
    connection: Connection, sealer: Sealer, kind: str, held: str, now: datetime
) -> bytes | None:
    """Return what a browser was asked; None when it was not, or too long ago."""
    digest = hashed(held)
    asked = {"digest": digest, "sort": kind, "now": now}
    content = connection.execute(_FOUND, asked).scalar_one_or_none()
    return content and sealer.open(content, context(kind, digest))


def take(
    connection: Connection, sealer: Sealer, kind: str, held: str, now: datetime
) -> bytes | None:
    """Return what `look` returns, this once."""
    found = look(connection, sealer, kind, held, now)
    used = connection.execute(_DONE, {"digest": hashed(held)}).rowcount
    return found if used else None


def context(kind: str, digest: bytes) -> str:
    """Return what the content of a ceremony is bound to."""
    return f"ceremony|{kind}|{digest.hex()}"
