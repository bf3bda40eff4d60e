"""The worker process: claim, process, commit; plain and synchronous.

A batch takes two transactions. The first notes what is begun, so that a message that
kills the worker is found. The second holds the write lock: identity, rendering and
everything they lead to, one transaction for the whole batch. When another process waits
for the lock, the batch is committed as far as it is, and the rest follows.
"""

import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import FrameType
from typing import Final

import orjson
import structlog

from engine.channels.arguments import Arguments, read_arguments
from engine.channels.clock import utc_now
from engine.channels.collector import Collector
from engine.channels.counting import count_finished, remarks
from engine.channels.disk import is_broken, not_started, protect_data
from engine.channels.live_files import keep_if_possible, read, read_again
from engine.channels.logs import configure_logs, latest
from engine.channels.opening import open_when_there
from engine.channels.owed import is_owed, make_owed
from engine.channels.processing.assemble import Line, lines_of
from engine.channels.processing.finish import Finished, finish
from engine.channels.processing.joining import look_for_late, settle_earlier
from engine.channels.processing.prepare import prepare
from engine.channels.processing.prepared import Ended, Prepared
from engine.channels.processing.store_view import Memory, StoreView
from engine.channels.processing.summaries import order_rounds
from engine.channels.reporting import Reporter
from engine.channels.wake import Bell, Ringer
from engine.errors import ConfigurationError, EngineError, StoreError
from engine.failpoint import arm, reach
from engine.store import claims, corrections, leases, results
from engine.store.database import Connection, Database
from engine.store.key_file import load_or_create_key
from engine.store.leases import Lease
from engine.store.message_state import MessageState
from engine.store.patient_changes import apply
from engine.store.reserve import Reserve
from engine.store.results import Batch, Outcome
from engine.store.traffic import Counts
from engine.store.words import RunState

BATCH: Final = 64
"""Messages of one claim, and of one commit while nobody waits for the write lock."""
SMALLEST_PIECE: Final = 4
IDLE_SECONDS: Final = 0.5
REPORT_SECONDS: Final = 2.0
LEASE: Final = timedelta(seconds=15)
RENEW: Final = timedelta(seconds=5)
LOOK: Final = timedelta(seconds=2)
"""How often it is seen whether a fragment waits too long for its next one."""

_DECIDED: Final = (MessageState.PROCESSED, MessageState.HELD)
_log = structlog.get_logger()


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
        line, sealer = self.lines[name], self.database.sealer
        reach("claim.before")
        begun, claimed = self._begun.pop(name, ()), list[claims.Claimed]()
        try:
            with self.database.engine() as connection:
                lease = self._lease(connection, name)
                if lease is None:
                    return 0
                claims.give_back(connection, name, *begun)
                corrections.begin(connection, name)
                claimed = claims.claim(connection, sealer, name, limit)
                if claimed:
                    reach("claim.noted")
        except EngineError:  # it may have been committed all the same
            self._leases.pop(name, None)
            self._begun[name] = (*begun, [replace(each, data=b"") for each in claimed])
            raise
        if not claimed:
            return self._corrected(name, lease)
        reach("claim.committed")
        prepared = [prepare(each, line.feed, sealer.pseudonym) for each in claimed]
        reach("transform.prepared")
        done = 0
        try:
            while done < len(prepared):
                done += self._commit(lease, name, prepared[done:])
        except EngineError as error:
            self._memory = Memory()  # it holds what was not written
            if isinstance(error, StoreError):
                self._begun[name] = (claimed[done:],)
            raise
        return done

    def _commit(self, lease: Lease, name: str, rest: list[Prepared | Ended]) -> int:
        """Finish what there is time for in one transaction; return how many."""
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
        self._correct(connection, name, now)
        view = StoreView(connection, sealer, self._memory)
        view.fetch([each for each in prepared if isinstance(each, Prepared)])
        outcomes: list[Outcome] = []
        self._done = []
        for each in prepared:
            self.flags.update((name, code) for code in remarks(each))
            finished = self._finished(each, name, view)
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

    def _finished(self, half: Prepared | Ended, name: str, view: StoreView) -> Finished:
        if isinstance(half, Ended):
            return Finished(half.outcome)
        return finish(half, self.lines[name].desk, view)


@dataclass(slots=True)
class Process:
    """The loop around a worker: wake-ups, signals, reports, reload."""

    worker: Worker
    reporter: Reporter
    reload: Callable[[], Mapping[str, Line]]
    bell: Bell | None
    edge: Ringer
    reserve: Reserve | None = None
    stopping: bool = False
    reloading: bool = False
    _reported: float = 0.0

    def run(self) -> None:
        """Work until told to stop, or until the supervisor is gone."""
        parent, collector = os.getppid(), Collector()
        while not self.stopping and (self.bell is None or os.getppid() == parent):
            if self._step():
                self.edge.ring()
                collector.after_batch()
            else:
                collector.at_rest()
                self._wait()
        collector.close()
        self.stopping = True
        self._step()

    def _step(self) -> bool:
        """Do one round; tell whether there was work, or wait for a store away.

        The last one, when we are to stop, reports and nothing else.
        """
        if self.reloading:
            self._reload()
        try:
            self._report()
            return not self.stopping and not self._is_full() and self.worker.turn() > 0
        except EngineError as error:
            if is_broken(error):
                raise
            _log.error("store_away", reason=str(error))
            return False

    def _is_full(self) -> bool:
        """Whether the disk is full: what is left is for clearing it."""
        return self.reserve is not None and self.reserve.is_spent

    def _wait(self) -> None:
        if self.bell is not None:
            self.bell.wait(IDLE_SECONDS)
        else:
            time.sleep(IDLE_SECONDS)

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Finish the batch in hand, then end."""
        self.stopping = True

    def ask_reload(self, _number: int, _frame: FrameType | None) -> None:
        """Read the configuration again before the next batch."""
        self.reloading = True

    def _reload(self) -> None:
        self.reloading = False
        try:
            lines = self.reload()
            reach("config.worker-read")
            self.worker.lines = lines
            reach("config.worker-applied")
        except ConfigurationError as error:
            _log.error("reload_refused", reason=str(error), faults=error.faults)
        else:
            _log.info("reloaded", channels=len(self.worker.lines))

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS and not self.stopping:
            return
        self._reported = now
        flags = {
            f"{channel}/flag_{code}": count
            for (channel, code), count in sorted(self.worker.flags.items())
        }
        done = self.worker.processed
        told = {"processed": done, "counts": flags, "log": latest()}
        detail = orjson.dumps(told).decode()
        counted = self.worker.counts.take()
        try:
            wanted = self.reporter.exchange(detail, counted)
        except EngineError:
            self.worker.counts.put_back(counted)
            raise
        self.worker.silenced = frozenset(
            channel
            for (channel, destination), told in wanted.items()
            if not destination and told.state is RunState.STOPPED
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one worker until it is told to stop; return the exit code."""
    asked = read_arguments(arguments)
    configure_logs()
    arm(os.environ)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        return _run(asked)
    except (EngineError, OSError) as error:
        return not_started(error)


def _run(asked: Arguments) -> int:
    found = read(asked.config, asked.environment)
    settings = found.site.settings
    configure_logs(settings.log_level, settings.log_format)
    key = load_or_create_key(settings.key_file)
    database = open_when_there(settings.store_url, key, "worker")
    if asked.fresh:
        with database.engine() as connection:
            claims.forget_starts(connection)
    keep_if_possible(database, found, "read at a start")
    name = asked.name or "worker"
    owner = f"{settings.node_name}/{name}"
    process = Process(
        Worker(database, lines_of(found.site), utc_now, owner),
        Reporter(database, settings.node_name, utc_now, "worker", name),
        lambda: lines_of(read_again(asked.config, asked.environment, database)),
        Bell(asked.bells, name) if asked.bells else None,
        Ringer(asked.bells, "edge"),
        database.reserve(),
    )
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    signal.signal(signal.SIGHUP, process.ask_reload)
    _log.info("worker_started", name=name, channels=len(process.worker.lines))
    try:
        process.run()
    except Exception as error:
        if is_broken(error):
            protect_data()
        raise
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
