"""Answers that wait for more than the journal: ``ack: processed`` and ``delivered``."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from engine.errors import EngineError
from engine.hl7 import parse
from engine.hl7.acknowledgment import AckFault, fault_for
from engine.hl7.conformance import CONDITIONS, Finding
from engine.hl7.escapes import decode, encode
from engine.hl7.header import Header, read_header
from engine.store.database import Connection, Database
from engine.store.delivery_moves import answer
from engine.store.delivery_state import State
from engine.store.message_state import MessageState
from engine.store.queues import DeliveryFilter, DeliveryRow, deliveries
from engine.store.seal import Sealer
from engine.store.search import MessageRow, attempts, message

LOOK_SECONDS: Final = 0.1
_PLAIN: Final = frozenset({"", "ACK"})
_UNDONE: Final = frozenset({State.QUEUED, State.LEASED})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a message ended, as far as its sender is concerned.

    ``faults`` are what it is told of a failure, ``answer`` is what a destination said
    where that is more than an acknowledgment.
    """

    good: bool
    reason: str = ""
    faults: tuple[AckFault, ...] = ()
    answer: bytes = b""


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
            ended = _ending(connection, database.sealer, message_id, delivered)
            if ended is not None:
                found[message_id, delivered] = ended
    return found


def _ending(
    connection: Connection,
    sealer: Sealer,
    message_id: int,
    delivered: bool,  # noqa: FBT001 - as it was asked
) -> Ended | None:
    row = message(connection, message_id)
    if row is None or row.state is MessageState.RECEIVED:
        return None
    if row.state is MessageState.ERROR:
        faults = _departures(connection, sealer, row)
        return Ended(good=False, reason=row.reason, faults=faults)
    if not delivered or row.state is MessageState.FILTERED:
        return Ended(good=True)
    if row.state is MessageState.HELD:
        return None
    return _sent(connection, sealer, row)


def _sent(connection: Connection, sealer: Sealer, row: MessageRow) -> Ended | None:
    """Return how the deliveries of a processed message ended."""
    sent = deliveries(connection, DeliveryFilter(message_id=row.id))
    latest = [each for each in sent if each.attempt == row.attempt]
    failed = [each for each in latest if each.state is State.FAILED]
    if failed:
        said = failed[0].sentence
        fault = AckFault("207", text=said, application_code=failed[0].code)
        told = _answer(connection, sealer, failed)
        return Ended(good=False, reason=said, faults=(fault,), answer=told)
    if any(each.state in _UNDONE for each in latest):
        return None
    return Ended(good=True, answer=_answer(connection, sealer, latest))


def _departures(
    connection: Connection, sealer: Sealer, row: MessageRow
) -> tuple[AckFault, ...]:
    """Return where a message departs from its version, if it was refused for that."""
    if row.code not in CONDITIONS:
        return ()
    *_, last = attempts(connection, sealer, row.id)
    found = orjson.loads(last.report)["findings"]
    findings = [Finding(code, path) for code, path, _ in found if code in CONDITIONS]
    return tuple(map(fault_for, findings))


def _answer(
    connection: Connection, sealer: Sealer, sent: Sequence[DeliveryRow]
) -> bytes:
    """Return the first answer of a destination that is more than an acknowledgment."""
    for each in sent:
        told = answer(connection, sealer, each.id)
        if told.startswith(b"MSH") and read_header(told).message_type not in _PLAIN:
            return told
    return b""


def passed_on(told: bytes, asked: Header) -> bytes:
    """Return a destination's answer as its asker is to hear it (E80).

    Byte for byte, but MSA-2 is the asker's MSH-10 where the channel sent another one.
    """
    message = parse(told)
    msa = message.first("MSA")
    name = decode(asked.control_id.decode("latin-1"), asked.delimiters)
    if msa is not None and msa.text(2) != name:
        msa.put(2, encode(name, message.delimiters))
    return message.encode()


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
            except EngineError:  # the store is away: their time runs out
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
