"""The rules of a site in words, and how often each would have fired. Pure.

Spec:
    console.md S12.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from engine.channels.alerts.past import Past, asks_notes
from engine.channels.alerts.replay import PAST
from engine.channels.alerts.rules import span
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as it is listed.

    ``fired`` is None where the past does not tell, and ``untold`` says why; ``remark``
    is what else is to be known of the figure.
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
    remark: str


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
            untold(rule, past),
            remark(rule, past),
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


def untold(rule: Alert, past: Past) -> str:
    """Return why the past does not tell how often a rule would have fired."""
    if asks_notes(rule) and past.noted_since is None:
        return "nothing is noted yet; while the engine runs, it is each minute"
    if isinstance(rule.silent_for, timedelta):
        return "of so many channels, the chosen one's messages are gone through"
    return next(
        (why for name, why in _UNTOLD.items() if getattr(rule, name) is not None), ""
    )


_CHOSEN: Final = "what was usual is worked out for the chosen channel"
_NOTED: Final = "what was noted is told of the chosen channel"
_UNTOLD: Final[Mapping[str, str]] = {
    "silent_for": _CHOSEN,
    "rate_off": _CHOSEN,
    "oldest_over": _NOTED,
    "parked_over": _NOTED,
    "certificate_within": "it fires once for each certificate: see System",
}


def remark(rule: Alert, past: Past) -> str:
    """Return by what a figure is to be read: today's holidays, or fewer days."""
    found = []
    if rule.calendar:
        found.append(f"by the holidays of {rule.calendar} as they are now")
    since = past.noted_since
    if asks_notes(rule) and since is not None and since > past.now - PAST:
        local = since.astimezone(past.zone)
        found.append(f"noted since {local:%Y-%m-%d %H:%M}")
    return "; ".join(found)
