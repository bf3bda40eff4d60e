"""Edited copies of messages: the edge journals what persons asked for.

An order that was journaled just before the edge died is found again by its number,
which is the duplicate key of its message: it is journaled once.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from engine.channels.arriving import Intake, Journal
from engine.channels.clock import utc_now
from engine.channels.content import SEVERAL, begins_again
from engine.channels.format.channel import Channel
from engine.channels.verdict import Kept, hear
from engine.failpoint import reach
from engine.hl7.framing import Block
from engine.store import edited_copies, leases
from engine.store.database import Database
from engine.store.edited_copies import Waiting
from engine.store.journal import Arrival
from engine.store.words import Verdict

LEASE: Final = "edited-copies"
PATIENCE: Final = timedelta(minutes=1)
"""So long one node's edge alone takes orders up."""

InStore = Callable[..., Deferred]  # type: ignore[type-arg]
_log = structlog.get_logger()


@dataclass(slots=True)
class EditedCopies:
    """Takes orders up, one round at a time.

    Attributes:
        node: who holds the lease.
        in_store: runs a function in the store's thread.
    """

    database: Database
    node: str
    in_store: InStore
    journal: Journal
    now: Callable[[], datetime] = utc_now
    _busy: bool = field(default=False)

    def look(self, channels: Iterable[Channel]) -> Deferred[None]:
        """Journal what waits for the channels of now.

        What cannot be stored waits for the next look.
        """
        if self._busy:
            return succeed(None)
        self._busy = True
        done: Deferred[None] = Deferred.fromCoroutine(self._round(channels))
        return done.addErrback(_failed).addBoth(self._rest)

    def _rest(self, result: None) -> None:
        self._busy = False
        return result

    async def _round(self, channels: Iterable[Channel]) -> None:
        known = {each.name: each for each in channels}
        orders: Sequence[Waiting] = await self.in_store(self._waiting)
        for order in orders:
            found = self._arrival(order, known.get(order.channel))
            if isinstance(found, str):
                await self.in_store(self._refuse, order.id, found)
                continue
            appended = await self.journal.append(found)
            reach("edited.journaled")
            await self.in_store(self._settle, order.id, appended.id)
            reach("edited.settled")

    def _waiting(self) -> Sequence[Waiting]:
        with self.database.reading() as connection:
            found = edited_copies.waiting(connection, self.database.sealer)
        if not found:
            return ()
        now = self.now()
        with self.database.engine() as connection:
            until = now + PATIENCE
            held = leases.acquire(connection, LEASE, self.node, now, until)
        return found if held is not None else ()

    def _settle(self, order: int, message_id: int) -> None:
        with self.database.engine() as connection:
            sealer = self.database.sealer
            edited_copies.journaled(connection, sealer, order, message_id, self.now())

    def _refuse(self, order: int, cause: str) -> None:
        _log.warning("edited_copy_refused", cause=cause)
        with self.database.engine() as connection:
            sealer = self.database.sealer
            edited_copies.refuse(connection, sealer, order, cause, self.now())

    def _arrival(self, order: Waiting, channel: Channel | None) -> Arrival | str:
        """Return what is journaled, or the cause for which it is not.

        It is judged by the rules of its channel, as if it had come in by its source.
        """
        if channel is None:
            return "channel-gone"
        intake = Intake(channel, channel.name, self.journal, self.now, str, _nothing)
        heard = hear(Block(order.data), intake.rules)
        if heard.kept is not Kept.ACCEPTED:
            return heard.cause
        arrival = intake.arrival(heard, f"edited copy of message {order.origin}")
        if begins_again(order.data):
            return SEVERAL
        if arrival.fragment is not None:
            return "part-of-a-message"
        return replace(
            arrival,
            verdict=Verdict.ACCEPTED,
            dedupe_key=f"edited\x1f{order.id}",
            content_hash=hashlib.sha256(order.data).digest(),
            first_after=None,
            reuse_code="",
            ack_code="",  # nobody is told anything
            numbered=None,
        )


def _nothing(event: str, count: int) -> None:
    """Count nothing: nobody sent this."""


def _failed(failure: Failure) -> None:
    _log.error("edited_copy_failed", error=getattr(failure.type, "__name__", "unknown"))
