"""How often a rule about what is usual would have fired: the past gone through again.

Every few minutes of the last days are looked at as the watch would have looked at them.
Pure.

Spec:
    console.md S12 (preview).
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from engine.channels.alerts import usual
from engine.channels.alerts.facts import GATHERED, Facts
from engine.channels.alerts.rules import of_rule
from engine.channels.alerts.stretches import Stretch
from engine.channels.alerts.usual import HOUR, Feed, Usual
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel
from engine.store.traffic import Point

PAST: Final = timedelta(days=7)
"""How far back the preview of rules looks."""
STEP: Final = timedelta(minutes=5)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Heard:
    """What one channel received: by minute of late, by hour for weeks.

    ``since`` is when counting began; before that nothing is known.
    """

    minutes: Sequence[Point]
    hours: Sequence[Point]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a channel heard, when a rule ``applies``, and when the channel rested."""

    heard: Heard
    applies: Sequence[Stretch]
    rested: Sequence[Stretch] = ()


def is_told(rule: Alert) -> bool:
    """Whether a rule is about what is usual: its past is gone through."""
    return rule.silent_for == "learned" or rule.rate_off is not None


def fired(
    rule: Alert, channel: Channel, known: Known, now: datetime, zone: tzinfo
) -> int:
    """Return how often a rule would have fired in the days before ``now``.

    As one time counts what goes on from one look to the next, for as long as the rule
    wants it held.
    """
    count, began, told = 0, None, False
    for look in _looks(known.heard, now - PAST, now, zone):
        applies = any(begin <= look.now < end for begin, end in known.applies)
        facts = _with_rests(look, channel.name, known.rested)
        if not applies or not any(of_rule(rule, channel, facts)):
            began, told = None, False
            continue
        began = began or facts.now
        if not told and facts.now - began >= rule.after:
            count, told = count + 1, True
    return count


def _with_rests(facts: Facts, channel: str, rested: Sequence[Stretch]) -> Facts:
    """Return how it stood, with whether the channel rested then and until when."""
    if any(begin <= facts.now < end for begin, end in rested):
        return replace(facts, resting=frozenset({channel}))
    ended = [end for _, end in rested if end <= facts.now]
    return replace(facts, resumed={channel: max(ended)}) if ended else facts


def _looks(
    heard: Heard, since: datetime, until: datetime, zone: tzinfo
) -> Iterator[Facts]:
    """Yield how the channel stood, from look to look."""
    last = _last_before(heard.hours, since)
    learned = _learned(heard, since - GATHERED, until, zone)
    coming = deque(sorted(heard.minutes, key=lambda each: each.at))
    recent = deque[Point]()
    received: Counter[Feed] = Counter()
    at = since
    while at <= until:
        while coming and coming[0].at + _MINUTE <= at:
            recent.append(point := coming.popleft())
            for feed in _feeds(point):
                last[feed] = max(last.get(feed, point.last_at), point.last_at)
                received[feed] += point.amount
        while recent and recent[0].at < at - HOUR:
            point = recent.popleft()
            received.subtract(dict.fromkeys(_feeds(point), point.amount))
        yield Facts(at, zone, heard.since, dict(last), learned, dict(received))
        at += STEP


def _feeds(point: Point) -> tuple[Feed, Feed]:
    return (point.channel, point.label), (point.channel, "")


def _last_before(hours: Sequence[Point], at: datetime) -> dict[Feed, datetime]:
    """Return when each feed was heard in the hours that were over by then."""
    found: dict[Feed, datetime] = {}
    for point in hours:
        if point.last_at <= at:
            for feed in _feeds(point):
                found[feed] = max(found.get(feed, point.last_at), point.last_at)
    return found


def _learned(
    heard: Heard, since: datetime, until: datetime, zone: tzinfo
) -> Mapping[datetime, Mapping[Feed, Usual]]:
    """Return what was usual in each hour, by what was known then."""
    counted: dict[datetime, list[Point]] = {}
    for point in heard.hours:
        counted.setdefault(point.at, []).append(point)
    found: dict[datetime, Mapping[Feed, Usual]] = {}
    for begin, _ in usual.pieces(since, until + HOUR):
        weeks = usual.same_hours(begin, zone)
        points = [point for week in weeks for point in counted.get(week, ())]
        found[begin] = usual.learn(points, weeks, heard.since)
    return found
