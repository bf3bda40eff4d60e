"""What may be forgotten: decided here, taken out of the journal by edge."""

from datetime import datetime

from sqlalchemy import Connection

from engine.store.deliveries import Order
from engine.store.seal import Sealer


def decide(
    connection: Connection, sealer: Sealer, before: datetime, order: Order, limit: int
) -> int:
    """Release the content of messages done before ``before``; return how many.

    Never of received, held or error messages, nor of one with a queued, leased or
    failed delivery. What deliveries hold of their content goes at once; what the
    journal holds waits for `purge`. Audited.
    """
    raise NotImplementedError


def purge(connection: Connection, limit: int) -> list[int]:
    """Take released content out of the journal (edge); return the messages."""
    raise NotImplementedError


def confirm(connection: Connection, ids: list[int]) -> None:
    """Note in the engine that edge has purged these."""
    raise NotImplementedError
