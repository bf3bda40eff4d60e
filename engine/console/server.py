"""The console process: uvicorn around the application, and its report to the store."""

import asyncio
import os
import resource
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import FrameType
from typing import Final

import orjson
import structlog
import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from engine.channels.alerts.watch import Watch
from engine.channels.arguments import read_arguments
from engine.channels.clock import utc_now
from engine.channels.collector import collect_rarely
from engine.channels.format.load import Site, load_site
from engine.channels.logs import configure_logs, latest
from engine.channels.opening import open_when_there
from engine.channels.processing.corrections import forms_of
from engine.channels.queries.directory import directory_of
from engine.channels.reporting import follow_keys
from engine.channels.supervised import supervisor
from engine.channels.trials import Trials
from engine.console.binding import address
from engine.console.metrics import Metrics, registry_of
from engine.console.node_settings import expect_usable
from engine.console.scrape import listen, metrics_address
from engine.console.site import create_app
from engine.console.surroundings import Surroundings
from engine.errors import ConfigurationError, EngineError
from engine.settings import Settings
from engine.store.database import Database
from engine.store.key_file import load_or_create_key
from engine.store.reports import Report, report

REPORT_SECONDS: Final = 2.0
STOP_SECONDS: Final = 5
WRONG_CONFIGURATION: Final = 3
CANNOT_LISTEN: Final = 1
NICER: Final = 5
"""How far behind edge and workers it stands: acknowledgments come before pages."""

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_log = structlog.get_logger()


def _tls(settings: Settings) -> dict[str, object]:
    """Return uvicorn's options for the certificate of ``console.tls``."""
    if not settings.console_tls:
        return {}
    profile = settings.tls.get(settings.console_tls)
    if not isinstance(profile, dict) or not {"certificate", "key"} <= set(profile):
        sentence = f"tls.{settings.console_tls} needs certificate and key"
        raise ConfigurationError(f"console.tls: {sentence}")
    return {
        "ssl_certfile": settings.folder / str(profile["certificate"]),
        "ssl_keyfile": settings.folder / str(profile["key"]),
        "ssl_ciphers": CIPHERS,
        "ssl_version": ssl.PROTOCOL_TLS_SERVER,
    }


class Upkeep:
    """What the console does by itself: it reports, and follows its surroundings."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node
        self._started_at = utc_now()
        self._parent = supervisor()
        self._asked = False

    def ask_to_reload(self, number: int, frame: FrameType | None) -> None:
        """Hear SIGHUP."""
        del number, frame
        self._asked = True

    def report(self) -> None:
        """Write one report; it waits for the disk."""
        place = (self._node, "console", "console", os.getpid())
        detail = orjson.dumps({"log": latest()}).decode()
        sent = Report(*place, self._started_at, utc_now(), detail)
        with self._database.engine() as connection:
            follow_keys(self._database, connection)
            report(connection, sent)

    async def run(self, end: Callable[[], None], reload: Callable[[], None]) -> None:
        """Go on until cancelled; end the server when the supervisor is gone."""
        while True:
            if os.getppid() != self._parent:
                _log.error("supervisor_gone")
                end()
            try:
                await run_in_threadpool(self.report)
                if self._asked:
                    self._asked = False
                    await run_in_threadpool(reload)
            except ConfigurationError as error:
                _log.error("reload_refused", reason=str(error), faults=error.faults)
            except EngineError as error:
                _log.error("report_failed", error=type(error).__name__)
            await asyncio.sleep(REPORT_SECONDS)


def serve(
    here: Surroundings,
    place: tuple[str, int],
    upkeep: Upkeep,
    load: Callable[[], Surroundings],
) -> int:
    """Answer requests until told to stop; return the exit code."""
    settings, app = here.settings, create_app(here)
    host, port = place
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,  # its words repeat requests; ours do not
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.console_proxy),
        forwarded_allow_ips=settings.console_proxy or None,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws="none",
        **_tls(settings),  # type: ignore[arg-type]  # as uvicorn names them
    )
    server = uvicorn.Server(config)
    app.state.pulse.ending = lambda: server.should_exit

    def reload() -> None:
        app.state.surroundings = load()
        _log.info("reloaded")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        end = partial(setattr, server, "should_exit", True)
        task = asyncio.create_task(upkeep.run(end, reload))
        _log.info("console_started", host=host, port=port)
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.router.lifespan_context = lifespan
    try:
        server.run()
    except SystemExit:  # the port is taken: the supervisor tries again
        _log.error("console_cannot_listen", host=host, port=port)
        return CANNOT_LISTEN
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the console until it is told to stop; return the exit code."""
    asked = read_arguments(arguments)
    configure_logs()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def load() -> Site:
        return load_site(asked.config, asked.environment)

    try:
        site = load()
        settings = site.settings
        configure_logs(settings.log_level, settings.log_format)
        expect_usable(settings)
        place = address(settings)
        if place is None:
            return 0
        metrics_place = metrics_address(settings)
        key = load_or_create_key(settings.key_file)
        database = open_when_there(settings.store_url, key, "console")
        watch = Watch(database, f"{settings.node_name}/console", utc_now, site)
    except ConfigurationError as error:
        _log.error("not_started", reason=str(error), faults=error.faults)
        return WRONG_CONFIGURATION
    trials = Trials(asked.config, asked.environment or "")
    upkeep = Upkeep(database, settings.node_name)
    signal.signal(signal.SIGHUP, upkeep.ask_to_reload)

    def here_of(loaded: Site) -> Surroundings:
        directory, forms = directory_of(loaded), forms_of(loaded.channels)
        tags = {each.name: each.tags for each in loaded.channels}
        return Surroundings(
            settings, database, directory, utc_now, forms, loaded, trials, tags=tags
        )

    def follow() -> Surroundings:
        loaded = load()
        watch.follow(loaded)
        return here_of(loaded)

    watch.start()
    if metrics_place is not None:
        listen(
            metrics_place, registry_of(Metrics(database, lambda: watch.site, utc_now))
        )
    try:
        return serve(here_of(site), place, upkeep, follow)
    finally:
        trials.close()
        watch.stop()
        database.close()


if __name__ == "__main__":
    os.nice(NICER)
    collect_rarely()
    sys.exit(main())
