"""The rules of a site in words, and how often each would have fired. Pure.

Spec:
    console.md S12.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from engine.channels.alerts.rules import begun, span
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel
from engine.store.traffic import Measure, Point

PAST: Final = timedelta(days=7)
_FAILURES: Final = frozenset({Measure.ERROR.value, Measure.FAILED.value})


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as it is listed; ``fired`` is None where the past does not tell."""

    channel: str
    condition: str
    during: str
    calendar: str
    after: str
    severity: str
    notify: tuple[str, ...]
    fired: int | None


def rules_of(
    channels: Iterable[Channel], past: Sequence[Point], now: datetime, zone: tzinfo
) -> list[RuleRow]:
    """Return every rule, with how often it would have fired in the last seven days.

    ``past`` are the received and failed messages of these days, by minute.
    """
    by_channel: dict[str, list[Point]] = {}
    for point in past:
        by_channel.setdefault(point.channel, []).append(point)
    return [
        RuleRow(
            channel.name,
            condition_of(rule),
            _hours(rule.during),
            rule.calendar,
            span(rule.after),
            rule.severity,
            rule.notify,
            fired(rule, by_channel.get(channel.name, []), now, zone),
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


def fired(
    rule: Alert, points: Iterable[Point], now: datetime, zone: tzinfo
) -> int | None:
    """Return how often a rule would have fired in the days before ``now``."""
    found = list(points)
    if isinstance(rule.silent_for, timedelta):
        times = {each.at for each in found if each.measure == Measure.RECEIVED}
        return _silences(sorted(times), rule, rule.silent_for, (now, zone))
    if rule.errors_over is not None:
        failures = [each for each in found if each.measure in _FAILURES]
        return _bursts(failures, rule.errors_over.count, rule.errors_over.within)
    return None


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
