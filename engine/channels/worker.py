"""The worker: claim, process, commit; plain and synchronous.

A batch takes two transactions. The first notes what is begun, so that a message that
kills the worker is found. The second holds the write lock: identity, rendering and
everything they lead to, one transaction for the whole batch. When another process waits
for the lock, the batch is committed as far as it is, and the rest follows.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.channels.counting import count_finished, remarks
from engine.channels.disk import is_broken
from engine.channels.owed import is_owed, make_owed
from engine.channels.processing.assemble import Line
from engine.channels.processing.by_hand import held_for
from engine.channels.processing.finish import Finished, finish
from engine.channels.processing.joining import look_for_late, settle_earlier
from engine.channels.processing.prepare import prepare
from engine.channels.processing.prepared import Ended, Prepared
from engine.channels.processing.store_view import Memory, StoreView
from engine.channels.processing.summaries import order_rounds
from engine.errors import EngineError, StoreError
from engine.failpoint import reach
from engine.store import claims, corrections, holding, leases, results
from engine.store.database import Connection, Database
from engine.store.holding import Asked
from engine.store.leases import Lease
from engine.store.message_state import MessageState
from engine.store.patient_changes import apply
from engine.store.results import Batch, Outcome
from engine.store.traffic import Counts

BATCH: Final = 64
"""Messages of one claim, and of one commit while nobody waits for the write lock."""
SMALLEST_PIECE: Final = 4
LEASE: Final = timedelta(seconds=15)
RENEW: Final = timedelta(seconds=5)
LOOK: Final = timedelta(seconds=2)
"""How often it is seen whether a fragment waits too long for its next one."""

_DECIDED: Final = (MessageState.PROCESSED, MessageState.HELD)


@dataclass(slots=True)
class Worker:
    """Processes the messages of the channels it can get hold of, in accept order.

    Attributes:
        database: the open store.
        lines: channel name to what processes it; replaced as a whole on reload.
        clock: aware UTC now.
        owner: unique name of this worker; it holds the leases.
        silenced: channels that shall not be processed now.
        flags: how often a channel's messages got a remark that only processing makes.
        counts: what is counted of the traffic, for the next report.
        timer: seconds, for how long the write lock is held.
    """

    database: Database
    lines: Mapping[str, Line]
    clock: Callable[[], datetime]
    owner: str = "worker"
    silenced: frozenset[str] = frozenset()
    processed: int = 0
    flags: Counter[tuple[str, str]] = field(default_factory=Counter)
    counts: Counts = field(default_factory=Counts)
    timer: Callable[[], float] = time.monotonic
    _memory: Memory = field(default_factory=Memory)
    _piece: int = BATCH
    _begun: dict[str, tuple[list[claims.Claimed], ...]] = field(default_factory=dict)
    _leases: dict[str, tuple[Lease, datetime]] = field(default_factory=dict)
    _looked_at: datetime | None = None
    _done: list[tuple[Prepared | Ended, Finished]] = field(default_factory=list)

    def turn(self) -> int:
        """Process one batch of every channel; return how many messages that were.

        Raises:
            EngineError: the store refused one of them; the others had their turn, but
                for a disk that may have dropped what it could not write.
        """
        self._look_for_late_fragments()
        done, troubles = 0, list[EngineError]()
        for name in self.lines:
            try:
                done += 0 if name in self.silenced else self.batch(name)
            except EngineError as error:
                if is_broken(error):
                    raise
                troubles.append(error)
        self.processed += done
        if troubles:
            raise troubles[0]
        return done

    def batch(self, name: str, limit: int = BATCH) -> int:
        """Process the next messages of one channel; return how many."""
        reach("claim.before")
        lease, claimed = self._claim(name, limit)
        if lease is None or not claimed:
            return 0 if lease is None else self._corrected(name, lease)
        reach("claim.committed")
        line, sealer = self.lines[name], self.database.sealer
        prepared = [prepare(each, line.feed, sealer.pseudonym) for each in claimed]
        reach("transform.prepared")
        done = 0
        try:
            while rest := prepared[done:]:
                taken = self._commit(lease, name, rest)
                if not taken:
                    self._begun[name] = (claimed[done:],)
                    break
                done += taken
        except EngineError as error:
            self._memory = Memory()  # it holds what was not written
            if isinstance(error, StoreError):
                self._begun[name] = (claimed[done:],)
            raise
        return done

    def _claim(
        self, name: str, limit: int
    ) -> tuple[Lease | None, list[claims.Claimed]]:
        """Begin the next messages of a channel, if we have hold of it."""
        begun, claimed = self._begun.pop(name, ()), list[claims.Claimed]()
        try:
            with self.database.engine() as connection:
                lease = self._lease(connection, name)
                if lease is None:
                    return None, []
                claims.give_back(connection, name, *begun)
                corrections.begin(connection, name)
                claimed = claims.claim(connection, self.database.sealer, name, limit)
                if claimed:
                    reach("claim.noted")
        except EngineError:  # it may have been committed all the same
            self._leases.pop(name, None)
            self._begun[name] = (*begun, [replace(each, data=b"") for each in claimed])
            raise
        return lease, claimed

    def _commit(self, lease: Lease, name: str, rest: list[Prepared | Ended]) -> int:
        """Finish what there is time for in one transaction; return how many.

        None of them where an earlier one came back meanwhile and goes first.
        """
        asked = self.timer()
        piece = rest[: self._piece]
        with self.database.engine() as connection:
            waited = self.timer() - asked
            done = self._finish(connection, lease, name, piece, waited)
        reach("results.committed")
        for half, finished in self._done:
            count_finished(self.counts, name, half, finished)
        self._done = []
        # What is looked up for a piece that ends early was looked up in vain.
        fits = max(done, SMALLEST_PIECE) if done < len(piece) else self._piece * 2
        self._piece = min(fits, BATCH)
        return done

    def _lease(self, connection: Connection, name: str) -> Lease | None:
        """Return our hold on a channel, renewed when it is due; None: another's."""
        now = self.clock()
        held = self._leases.get(name)
        if held is not None and now - held[1] < RENEW:
            return held[0]
        key, until = f"channel|{name}", now + LEASE
        lease = leases.acquire(connection, key, self.owner, now, until)
        if lease is None:
            self._leases.pop(name, None)
        else:
            self._leases[name] = lease, now
        return lease

    def _finish(
        self,
        connection: Connection,
        lease: Lease,
        name: str,
        prepared: list[Prepared | Ended],
        least: float,
    ) -> int:
        """Finish messages in order, and return how many there was time for.

        While another process waits for the lock we keep it for ``least`` seconds, as
        long as we waited ourselves: so neither starves, on a fast disk or a slow one.
        """
        now, sealer = self.clock(), self.database.sealer
        model, began = self.lines[name].desk.model, self.timer()
        holding.alone(connection, name)
        if claims.are_overtaking(connection, name, {one.number for one in prepared}):
            self._done = []
            return 0
        asked = holding.asked(connection, name)
        self._correct(connection, name, now)
        view = StoreView(connection, sealer, self._memory)
        view.fetch([each for each in prepared if isinstance(each, Prepared)])
        outcomes: list[Outcome] = []
        self._done = []
        for each in prepared:
            self.flags.update((name, code) for code in remarks(each))
            finished = self._finished(each, name, view, asked)
            self._done.append((each, finished))
            outcomes.append(finished.outcome)
            view.remember(finished.outcome)
            if finished.decision and finished.outcome.state in _DECIDED:
                apply(view.index, finished.decision, now, model)
            if self.timer() - began >= least and self.database.is_wanted():
                break
        reach("transform.finished")
        view.index.flush()
        reach("results.persons-written")
        results.record(connection, sealer, Batch(name, outcomes, lease=lease), now)
        if asked:
            holding.carried_out(connection, [each.message_id for each in outcomes])
        settle_earlier(connection, sealer, prepared[: len(outcomes)], now)
        self._correct(connection, name, now)
        return len(outcomes)

    def _corrected(self, name: str, lease: Lease) -> int:
        """Queue the corrections of a channel without messages; return how many."""
        with self.database.reading() as connection:
            if not is_owed(connection, self.lines[name]):
                return 0
        with self.database.engine() as connection:
            held = leases.is_held(connection, lease)
            return self._correct(connection, name, self.clock()) if held else 0

    def _correct(self, connection: Connection, name: str, now: datetime) -> int:
        """Queue what no message causes, before what comes after it."""
        view = StoreView(connection, self.database.sealer, self._memory)
        return make_owed(self.lines[name], view, now)

    def _look_for_late_fragments(self) -> None:
        """E70: a fragment that waits too long for its next one is looked at again."""
        now = self.clock()
        if self._looked_at is not None and now - self._looked_at < LOOK:
            return
        self._looked_at = now
        look_for_late(self.database, self.lines, now)
        order_rounds(self.database, self.lines, now)

    def _finished(
        self, half: Prepared | Ended, name: str, view: StoreView, asked: Asked
    ) -> Finished:
        if half.number in asked:
            actor = asked[half.number]
            return Finished(held_for(actor, half, self.lines[name].feed.channel))
        if isinstance(half, Ended):
            return Finished(half.outcome)
        return finish(half, self.lines[name].desk, view)
