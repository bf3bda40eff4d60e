"""Answers that wait for more than the journal: ``ack: processed`` and ``delivered``."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from engine.store.database import Connection, Database
from engine.store.delivery_state import State
from engine.store.message_state import MessageState
from engine.store.queues import DeliveryFilter, deliveries
from engine.store.search import message

LOOK_SECONDS: Final = 0.1
_UNDONE: Final = frozenset({State.QUEUED, State.LEASED})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a message ended, as far as its sender is concerned."""

    good: bool
    reason: str = ""


@dataclass(slots=True)
class Waiting:
    """Somebody waits for the end of one message."""

    message_id: int
    delivered: bool
    done: Deferred[Ended | None]
    timer: IDelayedCall | None = None


def endings(
    database: Database, asked: Sequence[tuple[int, bool]]
) -> dict[tuple[int, bool], Ended]:
    """Return how the messages ended that have; (number, whether delivery counts)."""
    found = {}
    with database.reading() as connection:
        for message_id, delivered in asked:
            ended = _ending(connection, message_id, delivered=delivered)
            if ended is not None:
                found[message_id, delivered] = ended
    return found


def _ending(
    connection: Connection, message_id: int, *, delivered: bool
) -> Ended | None:
    row = message(connection, message_id)
    if row is None or row.state is MessageState.RECEIVED:
        return None
    if row.state is MessageState.ERROR:
        return Ended(good=False, reason=row.reason)
    if not delivered or row.state is MessageState.FILTERED:
        return Ended(good=True)
    if row.state is MessageState.HELD:
        return None
    sent = deliveries(connection, DeliveryFilter(message_id=message_id))
    latest = [each for each in sent if each.attempt == row.attempt]
    failed = [each for each in latest if each.state is State.FAILED]
    if failed:
        return Ended(good=False, reason=failed[0].sentence)
    undone = any(each.state in _UNDONE for each in latest)
    return None if undone else Ended(good=True)


@dataclass(slots=True)
class Outcomes:
    """Tells whoever waits how a message ended.

    Args:
        look: `endings`, run elsewhere than on the reactor.
        clock: of the reactor.
    """

    look: Callable[
        [Sequence[tuple[int, bool]]], Awaitable[dict[tuple[int, bool], Ended]]
    ]
    clock: IReactorTime
    _waiting: list[Waiting] = field(default_factory=list)
    _looking: bool = False

    def wait(
        self, message_id: int, seconds: float, *, delivered: bool
    ) -> Deferred[Ended | None]:
        """Return how a message ended; None when the time is up first."""
        waiting = Waiting(message_id, delivered, Deferred())
        self._waiting.append(waiting)
        waiting.timer = self.clock.callLater(seconds, self._end, waiting, None)
        if not self._looking:
            self._looking = True
            Deferred.fromCoroutine(self._rounds())
        return waiting.done

    async def _rounds(self) -> None:
        """Look while anybody waits."""
        while self._waiting:
            asked = [(each.message_id, each.delivered) for each in self._waiting]
            try:
                found = await self.look(asked)
            except Exception:  # noqa: BLE001 - the store is away: their time runs out
                found = {}
            for each in list(self._waiting):
                ended = found.get((each.message_id, each.delivered))
                if ended is not None:
                    self._end(each, ended)
            if self._waiting:
                await self._pause()
        self._looking = False

    def _pause(self) -> Deferred[None]:
        pause: Deferred[None] = Deferred()
        self.clock.callLater(LOOK_SECONDS, pause.callback, None)
        return pause

    def _end(self, waiting: Waiting, ended: Ended | None) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            if waiting.timer is not None and waiting.timer.active():
                waiting.timer.cancel()
            waiting.done.callback(ended)
