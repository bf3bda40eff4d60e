"""What may be forgotten: decided here, taken out of the journal by edge."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    exists,
    select,
    update,
)

from engine.store import audit
from engine.store.audit import Act, Order
from engine.store.delivery_state import State
from engine.store.dialect import put
from engine.store.message_state import MessageState
from engine.store.seal import Sealer
from engine.store.tables import (
    batch,
    delivery,
    fragment,
    journal_message,
    message,
    release,
    rendered,
)

_UNDONE: Final = [State.QUEUED.value, State.LEASED.value, State.FAILED.value]
_DONE: Final = [MessageState.PROCESSED.value, MessageState.FILTERED.value]

_CANDIDATES: Final = (
    select(message.c.id)
    .join(journal_message, journal_message.c.id == message.c.id)
    .where(
        message.c.id > bindparam("after"),
        message.c.processed_at < bindparam("before"),
        message.c.state.in_(_DONE),
        journal_message.c.content.is_not(None),
        ~exists().where(
            delivery.c.message_id == message.c.id, delivery.c.state.in_(_UNDONE)
        ),
    )
    .order_by(message.c.id)
    .limit(bindparam("limit"))
)
"""Messages that are done with, all their deliveries included."""

_THEIRS: Final = select(delivery.c.id).where(
    delivery.c.message_id.in_(bindparam("ids", expanding=True))
)
_FORGET: Final = delete(rendered).where(rendered.c.delivery_id.in_(_THEIRS))
_FORGET_ANSWERS: Final = (
    update(delivery)
    .where(delivery.c.message_id.in_(bindparam("ids", expanding=True)))
    .values(answer=None)
)
_RELEASED: Final = (
    select(release.c.message_id)
    .order_by(release.c.message_id)
    .limit(bindparam("limit"))
)
_PURGE: Final = (
    update(journal_message)
    .where(journal_message.c.id.in_(bindparam("ids", expanding=True)))
    .values(content=None)
)
_purged: Final[BindParameter[int]] = bindparam("ids", expanding=True)
_part = fragment.alias("part")
_DONE_CHAINS: Final = delete(fragment).where(
    fragment.c.chain.in_(select(_part.c.chain).where(_part.c.message_id.in_(_purged))),
    ~exists(
        select(_part.c.message_id)
        .join(journal_message, journal_message.c.id == _part.c.message_id)
        .where(
            _part.c.chain == fragment.c.chain,
            journal_message.c.content.is_not(None),
        )
        .correlate(fragment)
    ),
)
"""The chains of these messages of which no content is left: half a chain would be
taken for a whole message."""

_remaining = journal_message.alias("remaining")
_DONE_BATCHES: Final = delete(batch).where(
    batch.c.name.in_(
        select(journal_message.c.batch).where(
            journal_message.c.id.in_(_purged), journal_message.c.batch != ""
        )
    ),
    select(_remaining.c.id)
    .where(
        _remaining.c.batch == batch.c.name,
        _remaining.c.batch != "",
        _remaining.c.content.is_not(None),
    )
    .order_by(_remaining.c.id.desc())  # the last one goes last: found at once
    .limit(1)
    .correlate(batch)
    .scalar_subquery()
    .is_(None),
)
"""The batches of these messages of which no content is left."""

_CONFIRM: Final = delete(release).where(
    release.c.message_id.in_(bindparam("ids", expanding=True))
)


def decide(
    connection: Connection,
    sealer: Sealer,
    before: datetime,
    order: Order,
    *,
    after: int = 0,
    limit: int = 500,
) -> list[int]:
    """Release the content of messages done before ``before``; return which.

    Never of received, held or error messages, nor of one with a queued, leased or
    failed delivery. What deliveries hold of their content goes at once; what the
    journal holds waits for `purge`. Audited. Go on ``after`` the last one returned.
    """
    where = {"after": after, "before": before, "limit": limit}
    ids = list(connection.execute(_CANDIDATES, where).scalars())
    if ids:
        connection.execute(_FORGET, {"ids": ids})
        connection.execute(_FORGET_ANSWERS, {"ids": ids})
        put(connection, release, [{"message_id": number} for number in ids])
        subject = f"messages {ids[0]} to {ids[-1]}, {len(ids)} in all"
        act = Act(order.now, order.actor, "retention.release", subject, order.reason)
        audit.write(connection, sealer, [act])
    return ids


def purge(connection: Connection, limit: int = 500) -> list[int]:
    """Take released content out of the journal (edge); return the messages.

    What the journal knows of their batch, or of the chain of fragments that they are
    of, goes with the last of its messages.
    """
    ids = list(connection.execute(_RELEASED, {"limit": limit}).scalars())
    if ids:
        connection.execute(_PURGE, {"ids": ids})
        for statement in (_DONE_CHAINS, _DONE_BATCHES):
            connection.execute(statement, {"ids": ids})
    return ids


def confirm(connection: Connection, ids: Sequence[int]) -> None:
    """Note in the engine schema that edge has purged these."""
    if ids:
        connection.execute(_CONFIRM, {"ids": list(ids)})
