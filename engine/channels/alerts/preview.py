"""The rules of a site in words, and how often each would have fired. Pure.

Spec:
    console.md S12.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from engine.channels.alerts import replay
from engine.channels.alerts.replay import PAST, Heard, is_told
from engine.channels.alerts.rules import begun, span
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel
from engine.store.task_stays import Stay
from engine.store.traffic import Measure, Point

_FAILURES: Final = frozenset({Measure.ERROR.value, Measure.FAILED.value})


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as it is listed.

    ``fired`` is None where the past does not tell, and ``untold`` says why.
    """

    channel: str
    condition: str
    during: str
    calendar: str
    after: str
    severity: str
    notify: tuple[str, ...]
    fired: int | None
    untold: str


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the seven days before ``now``.

    ``points`` are the received and failed messages by minute, ``doubts`` the entries of
    the mismatch queue that were open, ``heard`` what some channels received for longer.
    """

    now: datetime
    zone: tzinfo
    points: Sequence[Point] = ()
    doubts: Sequence[Stay] = ()
    heard: Mapping[str, Heard] = field(default_factory=dict)

    def times(self, rule: Alert, channel: Channel) -> int | None:
        """Return how often a rule would have fired, None where this does not tell."""
        if is_told(rule) and (heard := self.heard.get(channel.name)):
            return replay.fired(rule, channel, heard, self.now, self.zone)
        points = [each for each in self.points if each.channel == channel.name]
        stays = [each for each in self.doubts if each.channel == channel.name]
        return fired(rule, points, self.now, self.zone, stays)


def rules_of(channels: Iterable[Channel], past: Past) -> list[RuleRow]:
    """Return every rule, with how often it would have fired in the last seven days."""
    return [
        RuleRow(
            channel.name,
            condition_of(rule),
            _hours(rule.during),
            rule.calendar,
            span(rule.after),
            rule.severity,
            rule.notify,
            past.times(rule, channel),
            untold(rule),
        )
        for channel in channels
        for rule in channel.alerts
    ]


def condition_of(rule: Alert) -> str:
    """Return what a rule asks for, in words."""
    for name, words in _WORDS.items():
        value = getattr(rule, name)
        if value is not None:
            return words(value)
    return ""


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "silent_for": lambda value: (
        "silent for longer than usual"
        if value == "learned"
        else f"silent for {span(value)}"
    ),
    "oldest_over": lambda value: f"a delivery older than {span(value)}",
    "errors_over": lambda value: (
        f"more than {value.count} errors within {span(value.within)}"
    ),
    "parked_over": lambda value: f"more than {value} persons parked",
    "rate_off": lambda value: f"rate off the usual by more than {value:g} %",
    "certificate_within": lambda value: f"a certificate ends within {span(value)}",
    "worklist_over": lambda value: f"a mismatch entry older than {span(value)}",
}


def _hours(during: tuple[int, int] | None) -> str:
    if during is None:
        return ""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in during)


def untold(rule: Alert) -> str:
    """Return why the past does not tell how often a rule would have fired."""
    return next(
        (why for name, why in _UNTOLD.items() if getattr(rule, name) is not None), ""
    )


_USUAL: Final = "what was usual is worked out for the chosen channel, holidays aside"
_UNTOLD: Final[Mapping[str, str]] = {
    "silent_for": _USUAL,
    "rate_off": _USUAL,
    "oldest_over": "how long deliveries waited is kept for a day only",
    "parked_over": "how many were parked at once is not kept",
    "certificate_within": "it fires once for each certificate: see System",
    "worklist_over": "the hours of the rule are not worked out backwards",
}


def fired(
    rule: Alert,
    points: Iterable[Point],
    now: datetime,
    zone: tzinfo,
    doubts: Iterable[Stay] = (),
) -> int | None:
    """Return how often a rule would have fired in the days before ``now``."""
    found = list(points)
    if isinstance(rule.silent_for, timedelta):
        times = {each.at for each in found if each.measure == Measure.RECEIVED}
        return _silences(sorted(times), rule, rule.silent_for, (now, zone))
    if rule.errors_over is not None:
        failures = [each for each in found if each.measure in _FAILURES]
        return _bursts(failures, rule.errors_over.count, rule.errors_over.within)
    if rule.worklist_over is not None and rule.during is None:
        return _overdue(doubts, rule.worklist_over + rule.after, now)
    return None


def _overdue(doubts: Iterable[Stay], limit: timedelta, now: datetime) -> int:
    """Count the times that an entry was open for longer than the limit.

    Entries that were overdue together are one time, as they are one incident.
    """
    spans = [(each.since + limit, each.until or now) for each in doubts]
    count, last = 0, now - PAST
    for begin, end in sorted(e for e in spans if max(e[0], last) < e[1]):
        count += begin > last or not count
        last = max(last, end)
    return count


def _silences(
    times: Sequence[datetime],
    rule: Alert,
    limit: timedelta,
    clock: tuple[datetime, tzinfo],
) -> int:
    """Count the gaps longer than the limit, within the hours of the rule."""
    now, zone = clock
    if not times:
        return 0
    count = 0
    for before, after in zip(times, [*times[1:], now], strict=True):
        since, until = before, after.astimezone(zone)
        if rule.during is not None:
            opened = begun(rule.during, until)
            if opened is None:
                continue
            since = max(before, opened)
        count += until - since > limit + rule.after
    return count


def _bursts(failures: Iterable[Point], most: int, within: timedelta) -> int:
    """Count the times that more than ``most`` came within a time, each once."""
    count, window = 0, list[Point]()
    for point in sorted(failures, key=lambda each: each.at):
        window = [each for each in window if point.at - each.at < within]
        window.append(point)
        if sum(each.amount for each in window) > most:
            count += 1
            window.clear()
    return count
