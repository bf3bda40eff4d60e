"""Searches that may name a patient, kept sealed so that an address holds a key alone.

Spec:
    console.md 2 (URL is state).
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from engine.store.access_tables import saved_query
from engine.store.seal import Sealer

KEPT: Final = timedelta(days=30)
_KEY_BYTES: Final = 9
_FORGET: Final = delete(saved_query).where(saved_query.c.kept_at < bindparam("before"))
_KEPT: Final = select(saved_query.c.content).where(
    saved_query.c.key == bindparam("asked")
)


def keep(
    connection: Connection, sealer: Sealer, query: str, actor: str, now: datetime
) -> str:
    """Keep a search; return the key that stands in the address."""
    connection.execute(_FORGET, {"before": now - KEPT})
    key = secrets.token_urlsafe(_KEY_BYTES)
    content = sealer.seal(query.encode(), f"saved_query|{key}|")
    row = {"key": key, "content": content, "actor": actor, "kept_at": now}
    connection.execute(insert(saved_query), row)
    return key


def kept(connection: Connection, sealer: Sealer, key: str) -> str | None:
    """Return the search of a key; None when it is kept no more."""
    content = connection.execute(_KEPT, {"asked": key}).scalar()
    return content and sealer.open(content, f"saved_query|{key}|").decode()
