"""Answers to orders of programs, kept for a day: an order sent twice is done once.

The key is taken in the transaction of the act and its answer is kept there, so there
is no moment at which an order is done and its key forgotten.

Spec:
    console.md 6 (Idempotency-Key on writes).
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from engine.store.access_tables import kept_answer
from engine.store.dialect import upsert
from engine.store.seal import Sealer

LASTS: Final = timedelta(hours=24)
_FORGET: Final = delete(kept_answer).where(kept_answer.c.kept_at <= bindparam("before"))
_KEPT: Final = select(kept_answer).where(kept_answer.c.key == bindparam("asked"))
_ANSWER: Final = (
    update(kept_answer)
    .where(kept_answer.c.key == bindparam("asked"))
    .values(content=bindparam("answer"))
)


class Kept(NamedTuple):
    """What a key stands for: ``answer``, and whether it was for the same order."""

    answer: bytes
    same: bool


def key_of(actor: str, sent: str) -> bytes:
    """Return a key as it is kept: nobody else's is ever met."""
    return hashlib.sha256(f"{actor}|{sent}".encode()).digest()


def take(
    connection: Connection, sealer: Sealer, key: bytes, order: bytes, now: datetime
) -> Kept | None:
    """Take a key for an order; return what it stands for already, None when it is new.

    It waits for whoever is carrying out an order with this key just now.
    """
    connection.execute(_FORGET, {"before": now - LASTS})
    digest = hashlib.sha256(order).digest()
    row = {"key": key, "digest": digest, "content": b"", "kept_at": now}
    statement = upsert(connection.dialect.name, kept_answer)
    if connection.execute(statement.returning(kept_answer.c.key), row).first():
        return None
    return look(connection, sealer, key, order, now)


def look(
    connection: Connection, sealer: Sealer, key: bytes, order: bytes, now: datetime
) -> Kept | None:
    """Return what a key stands for; None when it is new."""
    found = connection.execute(_KEPT, {"asked": key}).one_or_none()
    if found is None or found.kept_at <= now - LASTS:
        return None
    answer = sealer.open(found.content, f"kept_answer|{key.hex()}|")
    return Kept(answer, found.digest == hashlib.sha256(order).digest())


def keep(connection: Connection, sealer: Sealer, key: bytes, answer: bytes) -> None:
    """Keep what an order was answered with."""
    content = sealer.seal(answer, f"kept_answer|{key.hex()}|")
    connection.execute(_ANSWER, {"asked": key, "answer": content})
