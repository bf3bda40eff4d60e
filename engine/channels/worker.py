"""The worker process: claim, process, commit; plain and synchronous.

A batch takes two transactions. The first notes what is begun, so that a message that
kills the worker is found. The second holds the write lock: identity, rendering and
everything they lead to, one transaction for the whole batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.channels.finish import Desk, Finished, finish
from engine.channels.prepare import Feed, prepare
from engine.channels.prepared import Ended, Prepared
from engine.channels.store_view import StoreView
from engine.store import claims, results
from engine.store.database import Connection, Database
from engine.store.message_state import MessageState
from engine.store.patient_changes import apply
from engine.store.patients import PatientCache
from engine.store.results import Batch, Outcome

BATCH: Final = 64
"""Messages of one commit; more would keep settlement waiting for the write lock."""

_DECIDED: Final = (MessageState.PROCESSED, MessageState.HELD)


@dataclass(frozen=True, slots=True)
class Line:
    """One channel as a worker runs it: the two halves of its processing."""

    feed: Feed
    desk: Desk


@dataclass(slots=True)
class Worker:
    """Processes the messages of some channels, each in accept order.

    Attributes:
        database: the open store.
        lines: channel name to what processes it; replaced as a whole on reload.
        clock: aware UTC now.
    """

    database: Database
    lines: Mapping[str, Line]
    clock: Callable[[], datetime]
    patients: PatientCache = field(default_factory=PatientCache)

    def turn(self) -> int:
        """Process one batch of every channel; return how many messages that were."""
        return sum(self.batch(name) for name in self.lines)

    def batch(self, name: str, limit: int = BATCH) -> int:
        """Process the next messages of one channel; return how many."""
        line = self.lines[name]
        with self.database.engine() as connection:
            claimed = claims.claim(connection, self.database.sealer, name, limit)
        if not claimed:
            return 0
        prepared = [prepare(each, line.feed) for each in claimed]
        with self.database.engine() as connection:
            self._finish(connection, name, prepared)
        return len(claimed)

    def _finish(
        self, connection: Connection, name: str, prepared: list[Prepared | Ended]
    ) -> None:
        now, sealer = self.clock(), self.database.sealer
        view = StoreView(connection, sealer, self.patients)
        outcomes: list[Outcome] = []
        for each in prepared:
            finished = self._finished(each, name, view)
            outcomes.append(finished.outcome)
            view.remember(finished.outcome)
            if finished.decision and finished.outcome.state in _DECIDED:
                apply(view.index, finished.decision, now)
        view.index.flush()
        results.record(connection, sealer, Batch(name, outcomes), now)

    def _finished(self, half: Prepared | Ended, name: str, view: StoreView) -> Finished:
        if isinstance(half, Ended):
            return Finished(half.outcome)
        return finish(half, self.lines[name].desk, view)
