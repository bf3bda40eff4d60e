"""Makers of stored messages and deliveries; every argument has a default that works."""

from datetime import UTC, datetime, timedelta

from engine.store import claims, journal, results
from engine.store.audit import Order
from engine.store.deliveries import NewDelivery, Turn, claim_heads, enqueue
from engine.store.delivery_state import Event
from engine.store.journal import Arrival
from engine.store.message_state import MessageState
from engine.store.results import Batch, Failure, Outcome
from engine.store.settlement import Settlement, settle

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SOON = NOON + timedelta(seconds=30)
LATER = NOON + timedelta(minutes=5)
OPERATOR = Order("kim", NOON, "asked for by the ward")


def arrival(control_id="C1", data=b"MSH|^~\\&|LAB\r", **fields):
    """Return an arrival; without a ``dedupe_key`` it is never a duplicate."""
    values = {
        "channel": "adt",
        "listener": "mllp:2575",
        "peer": "10.0.0.7",
        "received_at": NOON,
        "data": data,
        "control_id": control_id,
        **fields,
    }
    return Arrival(**values)


def accept(store, *arrivals):
    """Journal arrivals as one group."""
    with store.journal() as connection:
        return journal.append(connection, store.sealer, arrivals)


def accept_some(store, count, channel="adt"):
    """Journal that many messages; return their numbers."""
    some = [arrival(f"C{number}", channel=channel) for number in range(count)]
    return [one.id for one in accept(store, *some)]


def claim(store, limit=100, channel="adt"):
    """Take what a worker of the channel would take next."""
    with store.engine() as connection:
        return claims.claim(connection, store.sealer, channel, limit)


def record(store, *outcomes, now=NOON, **fields):
    """Write outcomes as one batch; return their deliveries' numbers."""
    batch = Batch("adt", outcomes, **fields)
    with store.engine() as connection:
        return results.record(connection, store.sealer, batch, now)


def processed(message_id, *deliveries, **fields):
    """Return the outcome of a message that went well."""
    state = MessageState.PROCESSED
    return Outcome(message_id, state, deliveries=deliveries, **fields)


def failed(message_id, sentence="Table sex has no row for the code.", **fields):
    """Return the outcome of a message that could not be mapped."""
    failure = Failure("edit", "permanent", "table-miss", sentence)
    return Outcome(message_id, MessageState.ERROR, failure=failure, **fields)


def document(order_key="ann", content=b"document", destination="registry", **fields):
    """Return a rendered document for one person's lane."""
    return NewDelivery("adt", destination, order_key, content, "text/plain", **fields)


def queue(store, *documents, message_id=1):
    """Queue documents; return their numbers."""
    items = [(message_id, 1, place, one) for place, one in enumerate(documents)]
    with store.engine() as connection:
        return enqueue(connection, store.sealer, items, NOON)


def lease(store, now=NOON, limit=100, owner="node-1", destination="registry"):
    """Take the heads that are due."""
    turn = Turn("adt", destination, owner, now, now + timedelta(seconds=30))
    with store.engine() as connection:
        return claim_heads(connection, store.sealer, turn, limit)


def end(store, leased, event=Event.ACCEPT, now=NOON, **fields):
    """Settle one attempt; return the stale ones."""
    with store.engine() as connection:
        one = Settlement(leased, event, **fields)
        return settle(connection, store.sealer, [one], now)


def order(store, move, *ids):
    """Make an operator's move."""
    with store.engine() as connection:
        return move(connection, store.sealer, ids, OPERATOR)


def ask(store, question, *args, **kwargs):
    """Ask a query that needs no sealer."""
    with store.reading() as connection:
        return question(connection, *args, **kwargs)
