"""Stretches of time: when a rule applies, when something held, and when both. Pure.

A stretch is where it begins and ends, in UTC; its end is not in it.

Spec:
    channel-format.md 3.9 (``during``, ``calendar``).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from engine.channels.format.alerts import Alert

Stretch = tuple[datetime, datetime]
_DAY: Final = 24 * 60
_NONE: Final = timedelta()


def applying(
    rule: Alert, holidays: Collection[date], within: Stretch, zone: tzinfo
) -> list[Stretch]:
    """Return when a rule applies: in its hours by the clock on the wall, on no holiday.

    Hours over midnight are those of two days.
    """
    hours = _of_a_day(rule.during)
    since, until = (each.astimezone(zone).date() for each in within)
    days = (since + timedelta(days=n) for n in range((until - since).days + 1))
    found = [
        (_at(day, begin, zone), _at(day, end, zone))
        for day in days
        if day not in holidays
        for begin, end in hours
    ]
    return both(joined(found), [within])


def _of_a_day(during: tuple[int, int] | None) -> list[tuple[int, int]]:
    if during is None or during[0] == during[1]:
        return [(0, _DAY)]
    begin, end = during
    return [(begin, end)] if begin < end else [(0, end), (begin, _DAY)]


def _at(day: date, minute: int, zone: tzinfo) -> datetime:
    midnight = datetime.combine(day, time(), zone)
    return (midnight + timedelta(minutes=minute)).astimezone(UTC)


def joined(found: Iterable[Stretch], gap: timedelta = _NONE) -> list[Stretch]:
    """Return stretches as one where they touch, or no more than ``gap`` is between."""
    whole: list[Stretch] = []
    for begin, end in sorted(found):
        if whole and begin - whole[-1][1] <= gap:
            whole[-1] = whole[-1][0], max(whole[-1][1], end)
        elif begin < end:
            whole.append((begin, end))
    return whole


def both(some: Sequence[Stretch], others: Sequence[Stretch]) -> list[Stretch]:
    """Return when one of some and one of the others is on."""
    return [
        (max(begin, first), min(end, last))
        for begin, end in some
        for first, last in others
        if max(begin, first) < min(end, last)
    ]


def without(some: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """Return what is left of some stretches where the others are taken out."""
    left = list(some)
    for first, last in joined(others):
        left = [piece for each in left for piece in _cut(each, first, last)]
    return left


def _cut(one: Stretch, first: datetime, last: datetime) -> Iterator[Stretch]:
    begin, end = one
    for piece in ((begin, min(end, first)), (max(begin, last), end)):
        if piece[0] < piece[1]:
            yield piece


def times(held: Iterable[Stretch], after: timedelta) -> int:
    """Count the incidents of what held: each for longer than ``after``.

    What was gone for no longer than that in between, is one.
    """
    return len(joined((e for e in held if e[1] - e[0] > after), after))
