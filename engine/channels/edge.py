"""The edge process: every socket, the journal writer, the deliver loop."""

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import orjson
import structlog
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import (
    IReactorFDSet,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread, deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from engine.channels.arguments import read_arguments
from engine.channels.awaiting import Ended, Outcomes, endings
from engine.channels.bell_reader import BellReader
from engine.channels.certificates import profiles_of
from engine.channels.clock import Ulids, utc_now
from engine.channels.collector import collect_rarely
from engine.channels.counting import EdgeCounts
from engine.channels.deliver import DeliverLoop
from engine.channels.dial import Dialer
from engine.channels.disk import DiskGuard, is_broken, not_started, protect_data
from engine.channels.edited import EditedCopies
from engine.channels.format.channel import Channel
from engine.channels.housekeeping import Housekeeping
from engine.channels.intakes import Intakes
from engine.channels.journal_writer import JournalWriter, Written
from engine.channels.listeners import free_places
from engine.channels.logs import configure_logs, latest
from engine.channels.opening import open_when_there
from engine.channels.outbox import Outbox, Outcome, Round
from engine.channels.queries.answering import Answering
from engine.channels.reporting import Reporter, Wishes, wishes_of
from engine.channels.route import Route, heard_by_one
from engine.channels.routes import (
    Surroundings,
    addresses_of,
    allowed_places,
    routes_of,
)
from engine.channels.site_files import SiteFiles
from engine.channels.sources.http import web_of
from engine.channels.supervised import supervisor
from engine.channels.tls import Identities
from engine.channels.tls_watch import Watch
from engine.channels.twisted_logs import follow_twisted
from engine.channels.wake import Ringer
from engine.errors import EngineError
from engine.failpoint import arm, reach
from engine.settings import Settings
from engine.store.database import Database
from engine.store.key_file import load_or_create_key
from engine.store.reports import Wanted
from engine.store.sequences import thaw
from engine.store.traffic import Key

REPORT_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 8.0
FLUSH_SECONDS: Final = 0.05
NOT_STARTED: Final = 1

_log = structlog.get_logger()


class Edge:
    """One node's edge: takes messages in, sends documents out.

    Args:
        settings: of the node.
        database: opened for the edge.
        reactor: the one that runs.
        load: reads the channels, at the start and again on SIGHUP.
        bells: folder of the wake-up sockets; None runs without them.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        reactor: ReactorBase,
        load: Callable[[], Sequence[Channel]],
        bells: Path | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._reactor = reactor
        self._clock = cast("IReactorTime", reactor)
        self._load = load
        self._channels = load()
        self._counts = EdgeCounts()
        self._wishes = Wishes()
        self._routes: dict[tuple[str, str], Route] = {}
        self._identities = Identities(profiles_of(settings.tls, settings.folder))
        self._watch = Watch(self._identities)
        self._reporter = Reporter(database, settings.node_name, utc_now)
        self._parent = supervisor() if bells else 0
        self._thread = ThreadPool(1, 1, name="store")
        self._housekeeping = Housekeeping(database, utc_now)
        self._guard = DiskGuard(protect_data, database.reserve())
        self._writer = JournalWriter(
            database,
            reactor.callFromThread,
            self._committed,
            self._housekeeping.run,
            self._guard,
        )
        self._outbox = Outbox(database, settings.node_name, utc_now)
        self._edited = EditedCopies(
            database, settings.node_name, self._in_store, self._writer
        )
        self.intakes = self._make_intakes()
        self.deliveries = DeliverLoop(
            self, reactor, utc_now, random.random, self._counts.note_delivery
        )
        self._reporting = LoopingCall(self._report)
        self._reporting.clock = reactor
        self._workers = Ringer(bells, "worker")
        self._hearing = BellReader(bells, self.deliveries.wake) if bells else None

    def _make_intakes(self) -> Intakes:
        return Intakes(
            self._writer,
            self._reactor,
            utc_now,
            Ulids(),
            self._counts.note,
            deferToThread,
            free_places(),
            self._identities,
            Outcomes(self._endings, cast("IReactorTime", self._reactor)),
            self._unsolicited,
            web_of(self._settings, cast("IReactorTCP", self._reactor)),
            self._roots(),
        )

    def _endings(
        self, asked: Sequence[tuple[int, bool]]
    ) -> Deferred[dict[tuple[int, bool], Ended]]:
        return self._in_store(endings, self._database, asked)

    def _unsolicited(self, answer: bytes) -> bool:
        """Show an acknowledgment that came to a listener to whoever waits for it."""
        return heard_by_one(self._routes.values(), answer)

    def _roots(self) -> tuple[str, ...]:
        return tuple(map(str, self._settings.allowed_folders))

    # ---- start and end

    def start(self) -> None:
        """Recover, then open the listeners and begin to deliver."""
        self._guard.look()
        recovered = self._outbox.recover()
        wanted = self._reporter.exchange("{}")
        self._wishes = wishes_of(wanted, self._channels)
        self.deliveries.pause(self._wishes.paused)
        self._writer.start()
        self._thread.start()
        if self._hearing is not None:
            cast("IReactorFDSet", self._reactor).addReader(self._hearing)
        reach("listeners.before-open")
        self._follow()
        reach("listeners.open")
        self._reporting.start(REPORT_SECONDS, now=True)
        self._reactor.addSystemEventTrigger("before", "shutdown", self.stop)
        _log.info("edge_started", recovered=recovered, ports=self.intakes.ports())

    def stop(self) -> Deferred[object]:
        """Answer what was taken, settle what is being sent, then end."""
        reach("stop.begun")
        if self._reporting.running:
            self._reporting.stop()
        ways = [self.intakes.stop(), self.deliveries.stop()]
        ended: Deferred[object] = DeferredList(ways, consumeErrors=True)  # type: ignore[assignment,arg-type]
        ended.addTimeout(DRAIN_SECONDS, self._reactor)
        return ended.addBoth(self._stopped)

    def _stopped(self, result: object) -> Deferred[object]:
        reach("stop.drained")
        drained = not isinstance(result, Failure)
        _log.info("edge_stopped", drained=drained, in_hand=self.deliveries.in_hand)
        ended: Deferred[object] = deferToThread(self._writer.stop)
        return ended.addBoth(self._last_report).addBoth(self._flush)

    def _last_report(self, result: object) -> Deferred[object]:
        """Write what was counted since the last report."""
        del result
        counted = self._counts.traffic.take()
        return self._in_store(self._reporter.exchange, self._detail(), counted)

    def _flush(self, result: object) -> Deferred[object]:
        """Let the last answers leave: they are on their way to the sockets."""
        del result
        reach("stop.journal-ended")
        pause: Deferred[object] = deferLater(self._clock, FLUSH_SECONDS)
        return pause.addBoth(self._close)

    def _close(self, result: object) -> object:
        self._thread.stop()
        self._workers.close()
        if self._hearing is not None:
            cast("IReactorFDSet", self._reactor).removeReader(self._hearing)
            self._hearing.close()
        self._database.close()
        return result

    # ---- channels

    def reload(self) -> None:
        """Read the configuration again; one fault anywhere, and nothing changes."""
        done: Deferred[Sequence[Channel]] = deferToThread(self._load)
        done.addCallbacks(self._reloaded, self._not_reloaded)

    def _reloaded(self, channels: Sequence[Channel]) -> None:
        reach("config.read")
        self._channels = channels
        self._follow()
        reach("config.applied")
        _log.info("reloaded", channels=len(channels))

    def _not_reloaded(self, failure: Failure) -> None:
        faults = getattr(failure.value, "faults", ())
        _log.error("reload_refused", reason=str(failure.value), faults=faults)

    def _follow(self) -> None:
        """Put the present channels in force."""
        silenced = self._wishes.silenced
        running = [each for each in self._channels if each.name not in silenced]
        self._housekeeping.remember = max(
            (each.source.duplicate.within for each in self._channels),
            default=self._housekeeping.remember,
        )
        self._routes = routes_of(self._channels, self._surroundings(), self._routes)
        if silenced:
            self._in_store(self._thaw, silenced).addErrback(self._report_failed)
        reach("config.routes-made")
        self.intakes.follow(running)
        self.deliveries.follow(self._routes)

    def _thaw(self, silenced: Collection[str]) -> None:
        """Stopping a channel is how a person lets its frozen links go on (E68)."""
        with self._database.journal() as connection:
            for name in silenced:
                thaw(connection, name)

    def _surroundings(self) -> Surroundings:
        allowed = allowed_places(self._channels, self._settings.outbound_allowed)
        dialer = Dialer(
            cast("IReactorTCP", self._reactor),
            lambda host, port: deferToThread(addresses_of, host, port),
            frozenset(allowed),
        )
        return Surroundings(
            dialer,
            self._reactor,
            deferToThread,
            self._identities,
            cast("dict[str, dict[str, str]]", dict(self._settings.credentials)),
            self._roots(),
        )

    # ---- the store

    def run(self, work: Round) -> Deferred[Outcome]:
        """Run one round of the deliver loop in the store's thread."""
        done: Deferred[Outcome] = self._in_store(self._outbox.run, work)
        return done.addCallback(self._counts.settled, work.settlements, utc_now)

    def _in_store(self, call: Callable[..., object], *arguments: object) -> Deferred:  # type: ignore[type-arg]
        return deferToThreadPool(
            self._reactor, self._thread, self._guarded, call, *arguments
        )

    def _guarded(self, call: Callable[..., object], *arguments: object) -> object:
        try:
            return call(*arguments)
        except (EngineError, OSError) as error:
            self._guard.failed(error)
            raise

    def _committed(self, written: Written) -> None:
        self._counts.committed(written)
        self._workers.ring()

    # ---- reporting

    def _report(self) -> Deferred[None]:
        if self._parent and os.getppid() != self._parent:
            _log.error("supervisor_gone")
            self._reactor.callLater(0, self._reactor.stop)
        counted = self._counts.traffic.take()
        done: Deferred[Mapping[tuple[str, str], Wanted]] = self._in_store(
            self._exchange, self._detail(), counted
        )
        return done.addCallbacks(
            self._heed, self._report_failed, errbackArgs=(counted,)
        )

    def _exchange(
        self, detail: str, counted: Mapping[Key, int]
    ) -> Mapping[tuple[str, str], Wanted]:
        """Look at files and report, in the store's thread: all of it may wait."""
        self._guard.look()
        self._watch.look(utc_now())
        return self._reporter.exchange(detail, counted)

    def _heed(self, wanted: Mapping[tuple[str, str], Wanted]) -> None:
        """Open and close what persons want, and try again where opening failed."""
        wishes = wishes_of(wanted, self._channels)
        changed = wishes.silenced != self._wishes.silenced
        self._wishes = wishes
        self.deliveries.pause(wishes.paused)
        self._edited.look(self._channels)
        if changed or self.intakes.problems:
            self._follow()

    def _report_failed(
        self, failure: Failure, counted: Mapping[Key, int] | None = None
    ) -> None:
        self._counts.traffic.put_back(counted or {})
        _log.error("report_failed", error=getattr(failure.type, "__name__", "unknown"))

    def _detail(self) -> str:
        return orjson.dumps(
            {
                "ports": self.intakes.ports(),
                "connections": self.intakes.connections(),
                "problems": self.intakes.problems,
                "in_hand": self.deliveries.in_hand,
                "failing": ["/".join(place) for place in self.deliveries.alarmed()],
                "certificates": self._watch.ends,
                "disk": {"percent": self._guard.percent, "full": self._guard.is_full},
                "tls_problems": self._identities.problems,
                "counts": self._counts.told(),
                "log": latest(),
            }
        ).decode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the edge until it is told to stop; return the exit code."""
    asked = read_arguments(arguments)
    configure_logs()
    arm(os.environ)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        files = SiteFiles(asked.config, asked.environment)
        settings = files.site.settings
        configure_logs(settings.log_level, settings.log_format)
        key = load_or_create_key(settings.key_file)
        database = open_when_there(settings.store_url, key, "edge")
        return _run(files, database, asked.bells)
    except (EngineError, OSError) as error:
        return not_started(error)


def _run(files: SiteFiles, database: Database, bells: Path | None) -> int:
    from twisted.internet import reactor as installed

    reactor = cast("ReactorBase", installed)
    reactor.seconds = time.monotonic  # timers keep their length when the clock is set
    follow_twisted()
    edge = Edge(files.site.settings, database, reactor, files.read, bells)
    answering = Answering(database, lambda: files.site, utc_now, Ulids())
    edge.intakes.answering = lambda *asked: deferToThread(answering.answer, *asked)
    reactor.callWhenRunning(_start, edge)
    reactor.callWhenRunning(collect_rarely)
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(edge.reload))
    reactor.run()
    return 0


def _start(edge: Edge) -> None:
    """Start, or end: an edge that could not is deaf, and a new life may not be."""
    try:
        edge.start()
    except Exception as error:  # noqa: BLE001 - whatever it was, nobody listens
        if is_broken(error):
            protect_data()
        _log.critical("edge_not_started", reason=str(error))
        os._exit(NOT_STARTED)


if __name__ == "__main__":
    sys.exit(main())
