"""From findings to incidents: one for each trouble, with a begin and an end. Pure.

Spec:
    console.md 4 (incident grouping) and S12.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from engine.channels.alerts.facts import Finding
from engine.store.incidents import Incident, Window

_RANK: Final = {"critical": 0, "warning": 1}


class Step(NamedTuple):
    """An incident as it stands from now on, and what is ``told`` of it.

    That is nothing, ``begins``, ``ends``, or ``goes on`` where a snooze is over.
    """

    incident: Incident
    told: str = ""


def grouped(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Return the findings by what is behind them, the gravest of each first."""
    found: dict[str, list[Finding]] = {}
    for each in findings:
        found.setdefault(each.cause or each.key, []).append(each)
    for key, group in found.items():
        group.sort(key=lambda one: (one.key != key, _RANK.get(one.severity, 1)))
    return found


def spared(findings: Iterable[Finding], windows: Iterable[Window]) -> list[Finding]:
    """Return the findings that no window covers; one of ``""`` covers all."""
    covered = {window.channel for window in windows}
    if "" in covered:
        return []
    return [
        each for each in findings if not each.channel or each.channel not in covered
    ]


def follow(
    known: Sequence[Incident],
    groups: Mapping[str, list[Finding]],
    now: datetime,
) -> list[Step]:
    """Return how incidents go on; those that stay as they are, are left out.

    A trouble must hold for its ``after`` before the incident opens, and be gone for as
    long before it ends: what flaps is one incident. One that never opened is forgotten.
    """
    steps = [_next(each, groups.get(each.key), now) for each in known]
    running = {each.key for each in known}
    for key, group in groups.items():
        if key not in running:
            steps.append(_opened(_new(key, group, now), now))
    return [step for step in steps if step is not None]


def _new(key: str, group: list[Finding], now: datetime) -> Incident:
    first = group[0]
    seconds = int(min(each.after for each in group).total_seconds())
    return Incident(
        key=key,
        kind=first.kind,
        channel=first.channel,
        place=first.place,
        severity=first.severity,
        sentence=_sentence(group),
        notify=_contacts(group),
        parts=len(group),
        after_seconds=seconds,
        begun_at=now,
        held_at=now,
    )


def _next(known: Incident, group: list[Finding] | None, now: datetime) -> Step | None:
    if group is None:
        return _absent(known, now)
    held = replace(
        known,
        held_at=now,
        severity=group[0].severity,
        sentence=_sentence(group),
        notify=tuple(dict.fromkeys((*known.notify, *_contacts(group)))),
        parts=max(known.parts, len(group)),
    )
    if known.opened_at is None:
        return _opened(held, now)
    if known.snoozed_until is not None and known.snoozed_until <= now:
        return Step(replace(held, snoozed_until=None), "goes on")
    return Step(held)


def _opened(incident: Incident, now: datetime) -> Step:
    if (now - incident.begun_at).total_seconds() < incident.after_seconds:
        return Step(incident)
    return Step(replace(incident, opened_at=now), "begins")


def _absent(known: Incident, now: datetime) -> Step | None:
    if known.opened_at is None:
        return Step(replace(known, ended_at=now))
    if (now - known.held_at).total_seconds() < known.after_seconds:
        return None
    return Step(replace(known, ended_at=now), "ends")


def _sentence(group: Sequence[Finding]) -> str:
    first, more = group[0], len(group) - 1
    where = "/".join(filter(None, (first.channel, first.place)))
    text = f"{where}: {first.sentence}" if first.channel else first.sentence
    if not more:
        return text
    return f"{text}; and {more} more" if more > 1 else f"{text}; and one more"


def _contacts(group: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in group for name in each.notify))
