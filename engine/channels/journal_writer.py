"""Group commit: the one thread that writes the journal.

It takes whatever waits, commits once, and then the answers go out; while it syncs, the
next group gathers. No timer: a lone message never waits for company.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, perf_counter
from typing import Final, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from engine.channels.disk import DiskGuard
from engine.errors import EngineError, JournalError
from engine.failpoint import reach
from engine.store.database import Database
from engine.store.journal import Appended, Arrival, append

MAX_GROUP: Final = 256
IDLE_SECONDS: Final = 1.0
BUSY_SECONDS: Final = 5.0
"""So long a feed that never rests keeps the writer from what it does between groups."""

Waiting = tuple[Sequence[Arrival], Deferred[list[Appended]]]
CallFromThread = Callable[..., object]
"""Run a function with its arguments in the reactor's thread."""


class Written(NamedTuple):
    """A group on disk: what came, what became of it, how long the transaction took."""

    arrivals: list[Arrival]
    appended: list[Appended]
    seconds: float


class JournalWriter:
    """Appends arrivals in groups, in the order they were given.

    Args:
        database: opened for the edge.
        call_from_thread: the way back into the reactor.
        committed: told each group that is on disk, in the reactor's thread.
        between: called in the writer's own thread when nothing waits, and now and then
            where something always does.
        guard: told why a write failed; says when nothing can be stored.
    """

    _log = Logger()

    def __init__(
        self,
        database: Database,
        call_from_thread: CallFromThread,
        committed: Callable[[Written], None],
        between: Callable[[], None],
        guard: DiskGuard,
    ) -> None:
        self._database = database
        self._call_from_thread = call_from_thread
        self._committed = committed
        self._between = between
        self._rested = monotonic()
        self._guard = guard
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end; returns when the last commit is done."""
        self._queue.put(None)
        self._thread.join()

    def append(self, arrival: Arrival) -> Deferred[Appended]:
        """Return what became of the arrival, once it is on disk.

        Raises:
            JournalError: (as failure of the Deferred) it is not.
        """
        return self.append_all([arrival]).addCallback(lambda appended: appended[0])

    def append_all(self, arrivals: Sequence[Arrival]) -> Deferred[list[Appended]]:
        """Return what became of arrivals that are on disk together, or not at all.

        Raises:
            JournalError: (as failure of the Deferred) none of them is.
        """
        done: Deferred[list[Appended]] = Deferred()
        self._queue.put((arrivals, done))
        return done

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._next_group()
            if group:
                self._try(self._write, group)
            if going and self._may_rest(group):
                self._try(lambda _: self._between(), [])

    def _try(self, act: Callable[[list[Waiting]], None], group: list[Waiting]) -> None:
        try:
            act(group)
        except Exception as error:  # noqa: BLE001 - the thread goes on
            self._guard.failed(error)
            self._call_from_thread(self._failed, group, error)

    def _may_rest(self, group: list[Waiting]) -> bool:
        now = monotonic()
        if group and now - self._rested < BUSY_SECONDS:
            return False
        self._rested = now
        return True

    def _next_group(self) -> tuple[list[Waiting], bool]:
        """Return everything that waits, perhaps nothing; False when it was the last."""
        group: list[Waiting] = []
        size = 0
        try:
            waiting = self._queue.get(timeout=IDLE_SECONDS)
        except Empty:
            return group, True
        while waiting is not None:
            group.append(waiting)
            size += len(waiting[0])
            if size >= MAX_GROUP:
                return group, True
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _write(self, group: list[Waiting]) -> None:
        if self._guard.is_full:  # what is left is for clearing the disk
            raise JournalError("the disk is full")
        arrivals = [arrival for some, _ in group for arrival in some]
        reach("journal.group-taken")
        began = perf_counter()
        with self._database.journal() as connection:
            appended = append(connection, self._database.sealer, arrivals)
            reach("journal.before-commit")
        reach("journal.committed")
        written = Written(arrivals, appended, perf_counter() - began)
        self._call_from_thread(self._answer, group, written)

    def _answer(self, group: list[Waiting], written: Written) -> None:
        self._committed(written)
        results = iter(written.appended)
        for arrivals, done in group:
            done.callback(list(islice(results, len(arrivals))))

    def _failed(self, group: list[Waiting], error: Exception) -> None:
        if not (group and isinstance(error, EngineError)):  # a defect, or housekeeping
            self._log.error("journal writer: {kind}", kind=type(error).__name__)
        for _, done in group:
            done.errback(JournalError(f"not stored: {type(error).__name__}"))
