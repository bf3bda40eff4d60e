"""The watch: looks at the facts now and then, opens and ends incidents, tells people.

On several nodes one of them does it at a time: it holds the lease of the watch.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Final

import structlog

from engine.channels.alerts.facts import Facts
from engine.channels.alerts.gather import Gatherer
from engine.channels.alerts.incidents import Step, follow, grouped, spared
from engine.channels.alerts.notify import tell
from engine.channels.alerts.rules import findings
from engine.channels.alerts.settings import AlertSettings, alert_settings
from engine.channels.format.load import Site
from engine.errors import EngineError
from engine.store import incidents, leases, watch_notes
from engine.store.database import Connection, Database
from engine.store.incidents import Notice, Window
from engine.store.watch_notes import Noted, Standing

EVERY_SECONDS: Final = 15.0
LEASE: Final = timedelta(seconds=60)
_log = structlog.get_logger()


@dataclass(slots=True)
class Watch:
    """Evaluates the alert rules of a site against its store."""

    database: Database
    owner: str
    now: Callable[[], datetime]
    site: Site
    _settings: AlertSettings = field(init=False)
    _gatherer: Gatherer = field(init=False)
    _ended: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.follow(self.site)

    def follow(self, site: Site) -> None:
        """Go by this configuration from the next look on."""
        self._settings = alert_settings(site.settings)
        self._gatherer = Gatherer(site.settings.zone)
        self.site = site

    def turn(self) -> None:
        """Look once, and tell what is to be told.

        Raises:
            EngineError: the store is away, or refused.
        """
        now = self.now()
        with self.database.engine() as connection:
            until = now + LEASE
            if leases.acquire(connection, "alerts", self.owner, now, until) is None:
                return
        with self.database.reading() as connection:
            facts = self._gatherer.facts(connection, self.site.channels, now)
            known = incidents.unfinished(connection)
            open_windows = _begun(incidents.windows(connection, now), now)
        rules, holidays = self._settings.rules, self._settings.holidays
        found = findings(self.site.channels, rules, facts, holidays)
        steps = follow(known, grouped(spared(found, open_windows)), now)
        with self.database.engine() as connection:
            watch_notes.note(connection, _standing(facts), now)
            if steps:
                _keep(connection, steps, now)
        self.tell()

    def tell(self) -> None:
        """Tell what is due; a target that refuses is followed by the next one."""
        with self.database.reading() as connection:
            due = incidents.due_notices(connection, self.now())
        for notice in due:
            settled = tell(notice, self._settings, self.now())
            with self.database.engine() as connection:
                incidents.settle_notice(connection, settled)

    # ---- the thread

    def start(self) -> None:
        """Look again and again, in a thread of its own, until `stop`."""
        Thread(target=self._run, name="alerts", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def _run(self) -> None:
        try:
            while not self._ended.wait(EVERY_SECONDS):
                try:
                    self.turn()
                except EngineError as error:
                    _log.error("alerts_not_looked_at", reason=str(error))
        except BaseException as error:
            # A watch that ended unseen would be silence: have the process begun anew.
            _log.error("alerts_broke", error=type(error).__name__)
            os.kill(os.getpid(), signal.SIGTERM)
            raise


def _standing(facts: Facts) -> Standing:
    """Return what is noted of places: where something waits, and persons are parked."""
    ages = {
        (Noted.OLDEST, *place): int((facts.now - since).total_seconds())
        for place, since in facts.oldest.items()
    }
    parked = {(Noted.PARKED, each, ""): n for each, n in facts.parked.items() if n}
    return {key: age for key, age in ages.items() if age >= EVERY_SECONDS} | parked


def _begun(windows: list[Window], now: datetime) -> list[Window]:
    return [each for each in windows if each.begins_at <= now]


def _keep(connection: Connection, steps: list[Step], now: datetime) -> None:
    """Write incidents and what is to be told of them together."""
    numbers = incidents.keep(connection, [step.incident for step in steps])
    notices = [
        Notice(
            number,
            step.told,
            contact,
            step.incident.sentence,
            step.incident.severity,
            now,
        )
        for number, step in zip(numbers, steps, strict=True)
        if step.told and not _is_snoozed(step, now)
        for contact in step.incident.notify
    ]
    incidents.queue_notices(connection, notices)
    for step in steps:
        if step.told:
            one = step.incident
            _log.info(f"incident_{step.told.replace(' ', '_')}", kind=one.kind)


def _is_snoozed(step: Step, now: datetime) -> bool:
    until = step.incident.snoozed_until
    return until is not None and until > now
