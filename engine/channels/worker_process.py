"""The worker process: the loop around a worker, its signals, reports and reload."""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

import orjson
import structlog

from engine.channels.arguments import Arguments, read_arguments
from engine.channels.clock import utc_now
from engine.channels.collector import Collector
from engine.channels.disk import is_broken, not_started, protect_data
from engine.channels.live_files import keep_if_possible, read, read_again
from engine.channels.logs import configure_logs, latest
from engine.channels.opening import open_when_there
from engine.channels.processing.assemble import Line, lines_of
from engine.channels.reporting import Reporter
from engine.channels.supervised import supervisor
from engine.channels.wake import Bell, Ringer
from engine.channels.worker import Worker
from engine.errors import ConfigurationError, EngineError
from engine.failpoint import arm, reach
from engine.store import claims
from engine.store.key_file import load_or_create_key
from engine.store.reserve import Reserve
from engine.store.words import RunState

IDLE_SECONDS: Final = 0.5
REPORT_SECONDS: Final = 2.0
_log = structlog.get_logger()


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
        parent, collector = supervisor(), Collector()
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
