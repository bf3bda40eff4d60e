"""Five rules that suit most sites, each to be written into a channel's file.

Spec:
    console.md S12 (empty); channel-format.md 3.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.channels.alerts.past import Past
from engine.channels.alerts.preview import condition_of, remark, untold
from engine.channels.format.alerts import Alert, ErrorRate
from engine.channels.format.channel import Channel
from engine.channels.format.load import Site, load_site
from engine.channels.list_entries import with_entry
from engine.channels.revisions import Rewritten, rewrite
from engine.errors import ConfigurationError
from engine.settings import Settings
from engine.store.audit import Order
from engine.store.database import Database

_MINUTES: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One rule: its key and value as they are written, and what it is for."""

    key: str
    value: str
    rule: Alert
    meaning: str


SUGGESTED: Final = (
    Suggestion(
        "silent-for",
        "learned",
        Alert(silent_for="learned"),
        "nothing comes, and that is not usual for this hour of the week",
    ),
    Suggestion(
        "oldest-over",
        "10m",
        Alert(oldest_over=_MINUTES),
        "a delivery waits for longer than this",
    ),
    Suggestion(
        "errors-over",
        "{count: 5, within: 10m}",
        Alert(errors_over=ErrorRate(count=5, within=_MINUTES)),
        "several messages or deliveries fail shortly after one another",
    ),
    Suggestion(
        "parked-over",
        "5",
        Alert(parked_over=5),
        "more persons than this wait behind a failure",
    ),
    Suggestion(
        "worklist-over",
        "4h",
        Alert(worklist_over=timedelta(hours=4)),
        "a doubt about who somebody is stays undecided for longer than this",
    ),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A rule that a channel does not have; the last three as in `preview.RuleRow`."""

    key: str
    text: str
    condition: str
    fired: int | None
    untold: str
    remark: str


def offers(channel: Channel, written: str, past: Past) -> list[Offer]:
    """Return the rules of which a channel has none of the kind.

    ``written`` is what its file says by now, which may not run yet.
    """
    return [
        Offer(
            each.key,
            "\n".join(["alerts:", *(f"  {line}" for line in _entry(each, ""))]),
            condition_of(each.rule),
            past.times(each.rule, channel),
            untold(each.rule, past),
            remark(each.rule, past),
        )
        for each in SUGGESTED
        if f"- {each.key}:" not in written
        and not any(_has(rule, each) for rule in channel.alerts)
    ]


def add(
    database: Database,
    settings: Settings,
    place: tuple[str, str],
    contact: str,
    order: Order,
) -> Rewritten:
    """Write one of the rules into a channel's file, and let the engine read it.

    Args:
        database: where the history of files is kept.
        settings: of the node.
        place: the channel, and the key of the rule.
        contact: of the settings; empty where nobody is to be told.
        order: who asks, and when.

    Raises:
        ConfigurationError: there is no such rule or contact, the channel has one of the
            kind, or its file cannot be written so; nothing was changed.
    """
    channel, key = place
    found = next((each for each in SUGGESTED if each.key == key), None)
    if found is None:
        raise ConfigurationError(f"there is no rule {key!r} to add")
    if contact and contact not in settings.contacts:
        raise ConfigurationError(f"there is no contact {contact!r}")
    before = load_site(settings.folder, settings.environment).channel(channel).alerts
    if any(_has(each, found) for each in before):
        raise ConfigurationError(f"{channel} has a rule {key} already")

    def change(now: bytes) -> bytes:
        return with_entry(now.decode(), "alerts", _entry(found, contact)).encode()

    def accepts(site: Site) -> None:
        if site.channel(channel).alerts[:-1] != before:
            sentence = f"the rules of {channel} stand in a shared part: write it there"
            raise ConfigurationError(sentence)

    return rewrite(database, settings, channel, change, ("alerts.add", order), accepts)


def _entry(found: Suggestion, contact: str) -> Sequence[str]:
    lines = [f"# {found.meaning}", f"- {found.key}: {found.value}"]
    return [*lines, f"  notify: [{contact}]"] if contact else lines


def _has(rule: Alert, found: Suggestion) -> bool:
    return getattr(rule, found.key.replace("-", "_")) is not None
