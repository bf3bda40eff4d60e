"""What is known of the last days, and how often rules would have fired in them. Pure.

What a rule asks for was so in some stretches of time; those in which the rule applied,
by the calendars of today, and long enough, are counted.

Spec:
    console.md S12 (preview).
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from engine.channels.alerts import replay
from engine.channels.alerts.replay import PAST, Heard
from engine.channels.alerts.rules import Holidays, begun
from engine.channels.alerts.stretches import (
    Stretch,
    applying,
    both,
    joined,
    times,
    without,
)
from engine.channels.format.alerts import Alert, ErrorRate
from engine.channels.format.channel import Channel
from engine.store.rests import Rest
from engine.store.task_stays import Stay
from engine.store.traffic import Measure, Point
from engine.store.watch_notes import Note, Noted

_FAILURES: Final = frozenset({Measure.ERROR.value, Measure.FAILED.value})
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the seven days before ``now``.

    ``points`` are the failed messages by channel and minute, and the received ones of
    the channels in ``listened`` (None for all), counted since ``since``; ``doubts`` the
    entries of the mismatch queue that were open, ``rested`` when channels were paused
    or stopped. Of some channels it is known what they ``heard`` for longer, and what
    the watch ``noted`` of their queues since ``noted_since``.
    """

    now: datetime
    zone: tzinfo
    points: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    listened: Collection[str] | None = None
    doubts: Sequence[Stay] = ()
    rested: Mapping[str, Sequence[Rest]] = field(default_factory=dict)
    heard: Mapping[str, Heard] = field(default_factory=dict)
    noted: Mapping[str, Sequence[Note]] = field(default_factory=dict)
    holidays: Holidays = field(default_factory=dict)
    since: datetime | None = None
    noted_since: datetime | None = None

    def times(self, rule: Alert, channel: Channel) -> int | None:
        """Return how often a rule would have fired, None where this does not tell."""
        name = channel.name
        if replay.is_told(rule):
            heard, rested = self.heard.get(name), self.rested.get(name, ())
            if heard is None:
                return None
            known = replay.Known(heard, self._applies(rule), rested)
            return replay.fired(rule, channel, known, self.now, self.zone)
        held = self._held(rule, name)
        if held is None:
            return None
        return times(both(joined(held), self._applies(rule)), rule.after)

    def _applies(self, rule: Alert) -> list[Stretch]:
        holidays = self.holidays.get(rule.calendar, ())
        return applying(rule, holidays, (self.now - PAST, self.now), self.zone)

    def _held(self, rule: Alert, channel: str) -> Iterable[Stretch] | None:
        """Return when what a rule asks for was so; None where nothing tells."""
        if isinstance(rule.silent_for, timedelta):
            if self.listened is not None and channel not in self.listened:
                return None
            return self._silent(rule, rule.silent_for, channel)
        if rule.errors_over is not None:
            return _bursts(self._points(channel, _FAILURES), rule.errors_over)
        if rule.worklist_over is not None:
            return self._overdue(rule.worklist_over, channel)
        if asks_notes(rule) and self.noted_since is not None and channel in self.noted:
            return _noted(rule, self.noted[channel])
        return None

    def _points(self, channel: str, measures: Iterable[str]) -> list[Point]:
        known = self.points.get(channel, ())
        found = [each for each in known if each.measure in measures]
        return sorted(found, key=lambda each: each.at)

    def _overdue(self, limit: timedelta, channel: str) -> Iterator[Stretch]:
        for each in self.doubts:
            if each.channel == channel:
                yield each.since + limit, each.until or self.now

    def _silent(self, rule: Alert, limit: timedelta, channel: str) -> Iterator[Stretch]:
        """Yield when nothing had come for so long, in hours in which it counted."""
        rested = self.rested.get(channel, ())
        pieces = without(self._applies(rule), rested)
        for before, after in self._gaps(channel, limit):
            for begin, end in pieces:
                opened = rule.during and begun(rule.during, begin.astimezone(self.zone))
                resumed = [last for _, last in rested if last <= begin]
                since = max([before, *resumed, *([opened] if opened else [])])
                yield max(since + limit, begin), min(after, end)

    def _gaps(self, channel: str, limit: timedelta) -> list[Stretch]:
        """Return when nothing came for longer than the limit."""
        heard = [each.at for each in self._points(channel, {Measure.RECEIVED.value})]
        counted = [] if self.since is None else [max(self.since, self.now - PAST)]
        bounds = sorted([*counted, *heard])
        return [e for e in pairwise([*bounds, self.now]) if e[1] - e[0] > limit]


def asks_notes(rule: Alert) -> bool:
    """Whether a rule is about what the watch notes."""
    return rule.oldest_over is not None or rule.parked_over is not None


def asks_silence(channel: Channel) -> bool:
    """Whether a channel has a rule about a silence of a fixed time."""
    return any(isinstance(rule.silent_for, timedelta) for rule in channel.alerts)


def asks_closer(channel: Channel) -> bool:
    """Whether a rule of a channel needs more than what is known of every channel."""
    return any(replay.is_told(rule) or asks_notes(rule) for rule in channel.alerts)


def _noted(rule: Alert, notes: Iterable[Note]) -> Iterator[Stretch]:
    """Yield the minutes in which it stood as the rule asks; ``oldest-over`` in seconds.

    Any destination is enough.
    """
    if rule.oldest_over is not None:
        what, limit = Noted.OLDEST, rule.oldest_over.total_seconds()
    else:
        what, limit = Noted.PARKED, rule.parked_over or 0
    for each in notes:
        if each.what == what and each.amount > limit:
            yield each.at, each.at + _MINUTE


def _bursts(failures: Iterable[Point], wanted: ErrorRate) -> Iterator[Stretch]:
    """Yield when more failures were within the time than the rule wants."""
    window, count = deque[Point](), 0
    for point in failures:
        window.append(point)
        count += point.amount
        while point.at - window[0].at >= wanted.within:
            count -= window.popleft().amount
        if count > wanted.count:
            yield point.at, _falls(window, count - wanted.count) + wanted.within


def _falls(window: Iterable[Point], surplus: int) -> datetime:
    """Return when the failure came without which there are not too many."""
    for point in window:
        surplus -= point.amount
        if surplus <= 0:
            break
    return point.at
