"""What operators do to messages: reprocess, release, discard."""

from collections.abc import Collection

from sqlalchemy import Connection

from engine.store.deliveries import Order
from engine.store.seal import Sealer


def reprocess(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Bring messages back to *received*; return how many.

    Their unsent deliveries are discarded, their error-queue entries closed. The
    channel's worker takes them before new messages, in accept order.

    Raises:
        IllegalTransitionError: one of them is being processed already.
    """
    raise NotImplementedError


def release(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Bring held messages, and all that wait behind them, back to *received*.

    Return how many.

    Raises:
        IllegalTransitionError: one of them is not held.
    """
    raise NotImplementedError


def discard(
    connection: Connection, sealer: Sealer, ids: Collection[int], order: Order
) -> int:
    """Give up held or errored messages: they become *filtered*, with the reason.

    What waits behind a held one is released. Return how many were discarded.

    Raises:
        IllegalTransitionError: one of them is in another state.
    """
    raise NotImplementedError
