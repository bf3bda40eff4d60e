"""What the edge tells the store of itself, and what persons want of it in return."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.channels.format.channel import Channel
from engine.store.database import Database
from engine.store.reports import Report, Wanted, report, run_states
from engine.store.settlement import expire
from engine.store.words import RunState


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
    started_at: datetime
    now: Callable[[], datetime]

    def exchange(self, detail: str) -> Mapping[tuple[str, str], Wanted]:
        """Report that this process lives; return what is wanted.

        What another node had in hand and let go of is queued again on the way.
        """
        now = self.now()
        sent = Report(
            self.node, "edge", "edge", os.getpid(), self.started_at, now, detail
        )
        with self.database.engine() as connection:
            report(connection, sent)
            expire(connection, now)
            return run_states(connection)


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
