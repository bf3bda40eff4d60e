"""The facts of alert rules, read from the store."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final

import orjson

from engine.channels.alerts import usual
from engine.channels.alerts.facts import GATHERED, Facts, Place
from engine.channels.alerts.past import Past, asks_silence
from engine.channels.alerts.replay import PAST, Heard
from engine.channels.alerts.settings import holidays_of
from engine.channels.alerts.usual import Feed, Usual
from engine.channels.format.channel import Channel
from engine.channels.reporting import wishes_of
from engine.settings import Settings
from engine.store import (
    queues,
    reports,
    sessions,
    task_stays,
    traffic,
    watch_notes,
    worklist,
)
from engine.store.database import Connection
from engine.store.queues import Waiting
from engine.store.reports import Report, Wanted
from engine.store.rests import rests
from engine.store.traffic import Measure, Point
from engine.store.watch_notes import Note
from engine.store.words import RunState

FRESH: Final = timedelta(seconds=15)
GONE: Final = timedelta(days=7)
"""A node that has not reported for so long is no node any more."""

MOST_LISTENED: Final = 20
"""So many channels' received messages are gone through at once, minute by minute."""

_RECEIVED: Final = (Measure.RECEIVED,)
_FAILED: Final = (Measure.ERROR, Measure.FAILED)
_UNDELIVERED: Final = frozenset({"queued", "leased"})


@dataclass(slots=True)
class Gatherer:
    """Reads facts; what is usual it keeps, as the past does not change."""

    zone: tzinfo
    _usual: dict[datetime, Mapping[Feed, Usual]] = field(default_factory=dict)

    def facts(
        self, connection: Connection, channels: Sequence[Channel], now: datetime
    ) -> Facts:
        """Return how the node stands."""
        told = reports.reports(connection)
        waiting = queues.waiting(connection)
        hour = traffic.minutes(
            connection, [Measure.RECEIVED], now - usual.HOUR, now + usual.HOUR
        )
        wanted = reports.run_states(connection)
        return Facts(
            now,
            self.zone,
            since=traffic.first_hour(connection),
            last=last_of(traffic.last_heard(connection)),
            usual=self._learned(connection, now) if _asks(channels) else {},
            received=_by_feed(hour),
            oldest={
                (each.channel, each.destination): each.oldest
                for each in waiting
                if each.oldest
            },
            waiting=_waiting(connection),
            failures=traffic.minutes(
                connection,
                [Measure.ERROR, Measure.FAILED],
                now - GATHERED,
                now + usual.HOUR,
            ),
            parked=_parked(waiting),
            doubts=worklist.oldest_by_channel(connection),
            certificates=_certificates(told),
            failing=_failing(told, now),
            resting=wishes_of(wanted, channels).silenced,
            resumed=_resumed(wanted),
            missing=missing(told, now),
            emergencies=sessions.with_glass(connection, now),
            disk_percent=_disk(told),
        )

    def _learned(
        self, connection: Connection, now: datetime
    ) -> Mapping[datetime, Mapping[Feed, Usual]]:
        begins = [begin for begin, _ in usual.pieces(now - GATHERED, now)]
        since = traffic.first_hour(connection)
        for begin in begins:
            if begin not in self._usual:
                hours = usual.same_hours(begin, self.zone)
                points = traffic.hours(connection, Measure.RECEIVED, hours)
                self._usual[begin] = usual.learn(points, hours, since)
        for old in self._usual.keys() - set(begins):
            del self._usual[old]
        return dict(self._usual)


def past_of(
    connection: Connection,
    settings: Settings,
    channels: Sequence[Channel],
    chosen: Collection[str],
    now: datetime,
) -> Past:
    """Return the last seven days; of the chosen also what was usual and what waited.

    Received messages are read of the chosen, and of some more that have rules about
    them: a busy channel has ten thousand minutes.
    """
    points: dict[str, list[Point]] = {}
    silent = (each.name for each in channels if asks_silence(each))
    listened = list(dict.fromkeys((*chosen, *silent)))[:MOST_LISTENED]
    failed = traffic.minutes(connection, _FAILED, now - PAST, now)
    heard = traffic.minutes(connection, _RECEIVED, now - PAST, now, listened)
    for point in (*failed, *heard):
        points.setdefault(point.channel, []).append(point)
    zone = settings.zone
    noted: dict[str, list[Note]] = {name: [] for name in chosen}
    for one in watch_notes.notes(connection, chosen, now - PAST):
        noted[one.channel].append(one)
    running = {each.name: each.start == "automatic" for each in channels}
    return Past(
        now,
        zone,
        points,
        listened,
        task_stays.stays(connection, now - PAST),
        rests(connection, running, now),
        {name: heard_of(connection, name, now, zone) for name in chosen},
        noted,
        holidays_of(settings, []),
        traffic.first_hour(connection),
        watch_notes.noted_since(connection),
    )


def heard_of(
    connection: Connection, channel: str, now: datetime, zone: tzinfo
) -> Heard:
    """Return what a channel received, as far as its rules look back in seven days."""
    begun = now - PAST - usual.HOUR
    looked_at = usual.pieces(now - PAST - GATHERED, now + usual.HOUR)
    hours = {at for begin, _ in looked_at for at in usual.same_hours(begin, zone)}
    return Heard(
        traffic.minutes(connection, _RECEIVED, begun, now, [channel]),
        traffic.hours(connection, Measure.RECEIVED, hours, channel),
        traffic.first_hour(connection),
    )


def _asks(channels: Iterable[Channel]) -> bool:
    """Whether a rule needs what is usual."""
    return any(
        rule.silent_for == "learned" or rule.rate_off is not None
        for channel in channels
        for rule in channel.alerts
    )


def last_of(points: Iterable[Point]) -> dict[Feed, datetime]:
    """Return when each feed was last heard, all types of a channel together as ``""``.

    Bytes that were no message are no sign of life of a feed.
    """
    found: dict[Feed, datetime] = {}
    for point in points:
        for feed in ((point.channel, point.label), (point.channel, "")):
            found[feed] = max(found.get(feed, point.last_at), point.last_at)
    return found


def _by_feed(points: Iterable[Point]) -> dict[Feed, int]:
    found: Counter[Feed] = Counter()
    for point in points:
        found[point.channel, point.label] += point.amount
        found[point.channel, ""] += point.amount
    return found


def _parked(waiting: Iterable[Waiting]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in waiting:
        found[each.channel] += each.parked
    return found


def _resumed(wanted: Mapping[Place, Wanted]) -> dict[str, datetime]:
    return {
        channel: each.changed_at
        for (channel, destination), each in wanted.items()
        if not destination and each.state is RunState.RUNNING
    }


def _waiting(connection: Connection) -> dict[Place, int]:
    found: Counter[Place] = Counter()
    for each in queues.counts(connection):
        if each.destination and each.state in _UNDELIVERED:
            found[each.channel, each.destination] += each.count
    return found


def missing(told: Iterable[Report], now: datetime) -> tuple[str, ...]:
    """Return the kinds of process of each node of which none reports."""
    seen: dict[str, datetime] = {}
    for each in told:
        if each.role in {"edge", "worker"}:
            name = f"{each.role} of {each.node}"
            seen[name] = max(seen.get(name, each.seen_at), each.seen_at)
    return tuple(name for name, at in sorted(seen.items()) if FRESH < now - at < GONE)


def _details(told: Iterable[Report], key: str) -> list[object]:
    return [orjson.loads(each.detail or "{}").get(key) for each in told]


def _certificates(told: Iterable[Report]) -> dict[str, datetime]:
    return {
        name: datetime.fromisoformat(str(at))
        for found in _details(told, "certificates")
        if isinstance(found, dict)
        for name, at in found.items()
    }


def _failing(told: Iterable[Report], now: datetime) -> frozenset[Place]:
    fresh = [each for each in told if now - each.seen_at < FRESH]
    names = [
        str(name)
        for found in _details(fresh, "failing")
        if isinstance(found, list)
        for name in found
    ]
    return frozenset(
        (head, tail) for head, _, tail in (n.partition("/") for n in names)
    )


def _disk(told: Iterable[Report]) -> float:
    found = [
        float(each.get("percent") or 0.0)
        for each in _details(told, "disk")
        if isinstance(each, dict)
    ]
    return max(found, default=0.0)
