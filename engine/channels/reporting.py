"""What the edge tells the store of itself, and what persons want of it in return."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

import structlog

from engine.channels.clock import utc_now
from engine.channels.format.channel import Channel
from engine.errors import ConfigurationError
from engine.store import traffic
from engine.store.database import Connection, Database
from engine.store.reports import Report, Wanted, report, run_states
from engine.store.settlement import expire
from engine.store.traffic import Key
from engine.store.words import RunState

_log = structlog.get_logger()

NOTHING: Final[Mapping[Key, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What shall rest: channels that take nothing, destinations that get nothing."""

    silenced: frozenset[str] = frozenset()
    paused: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Reporter:
    """Exchanges a report for wishes; everything here waits for the disk."""

    database: Database
    node: str
    now: Callable[[], datetime]
    role: str = "edge"
    name: str = "edge"
    started_at: datetime = field(default_factory=utc_now)

    def exchange(
        self, detail: str, counted: Mapping[Key, int] = NOTHING
    ) -> Mapping[tuple[str, str], Wanted]:
        """Report that this process lives and what it counted; return what is wanted.

        The edge also queues again what another node had in hand and let go of, and
        forgets old counts.
        """
        now = self.now()
        sent = Report(
            self.node, self.role, self.name, os.getpid(), self.started_at, now, detail
        )
        with self.database.engine() as connection:
            follow_keys(self.database, connection)
            report(connection, sent)
            traffic.write(connection, counted, now)
            if self.role == "edge":
                expire(connection, now)
                traffic.prune(connection, now)
            return run_states(connection)


def follow_keys(database: Database, connection: Connection) -> None:
    """Seal with the newest key of the store; with the one before while it is missing.

    What others seal with it is not readable here until then, so the log says so.
    """
    try:
        database.follow_keys(connection)
    except ConfigurationError as error:
        _log.error("key_missing", reason=str(error))


def wishes_of(
    wanted: Mapping[tuple[str, str], Wanted], channels: Iterable[Channel]
) -> Wishes:
    """Return what shall rest. A stopped channel delivers nothing either."""
    silenced, paused = set(), set()
    for channel in channels:
        told = wanted.get((channel.name, ""))
        by_itself = channel.start == "automatic"
        state = told.state if told else RunState.RUNNING if by_itself else None
        if state is not RunState.RUNNING:
            silenced.add(channel.name)
        for each in channel.destinations:
            place = channel.name, each.name
            own = wanted.get(place)
            held = own is not None and own.state is not RunState.RUNNING
            if held or state is RunState.STOPPED:
                paused.add(place)
    return Wishes(frozenset(silenced), frozenset(paused))
