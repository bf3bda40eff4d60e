"""The alert rules of channels and of the node: from facts to findings. Pure.

Spec:
    channel-format.md 3.9; console.md S12 and 4 (silent-feed watch, incident grouping).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from engine.channels.alerts.facts import EMERGENCY, Facts, Finding, Place
from engine.channels.alerts.usual import HOUR, Feed, expected
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel, Destination

Holidays = Mapping[str, Collection[date]]
"""Days by the name of their calendar."""

ENOUGH: Final = 10.0
"""Messages that would usually have come: fewer than these missing tell nothing."""

SHORTEST: Final = timedelta(minutes=5)
"""No feed is silent after less than this, however busy it usually is."""

_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class NodeRules:
    """What is watched of the node itself; ``notify`` hears of it."""

    notify: tuple[str, ...] = ()
    disk_over: float = 85.0
    certificate_within: timedelta = timedelta(days=30)
    after: timedelta = timedelta(minutes=2)


def findings(
    channels: Iterable[Channel], node: NodeRules, facts: Facts, holidays: Holidays
) -> list[Finding]:
    """Return everything that is wrong now; what is behind it where that is known."""
    listed = list(channels)
    found = list(of_node(node, facts, listed))
    for channel in listed:
        for rule in channel.alerts:
            if _applies(rule, facts, holidays):
                found += of_rule(rule, channel, facts)
    deaf = [each for each in facts.missing if each.startswith("edge")]
    if not deaf:
        return found
    cause = f"process||{deaf[0]}"  # nobody listens: no wonder that nothing comes
    return [
        each._replace(cause=cause) if each.kind in {"silent", "rate"} else each
        for each in found
    ]


def _applies(rule: Alert, facts: Facts, holidays: Holidays) -> bool:
    local = facts.now.astimezone(facts.zone)
    if local.date() in holidays.get(rule.calendar, ()):
        return False
    return rule.during is None or begun(rule.during, local) is not None


def begun(during: tuple[int, int], local: datetime) -> datetime | None:
    """Return when the hours that ``local`` is in began; None outside of them."""
    begin, end = during
    minute = local.hour * 60 + local.minute
    length = (end - begin) % _DAY_MINUTES or _DAY_MINUTES
    into = (minute - begin) % _DAY_MINUTES
    if into >= length:
        return None
    midnight = datetime.combine(local.date(), time(), local.tzinfo)
    days = timedelta(days=1 if minute < begin else 0)
    return midnight - days + timedelta(minutes=begin)


# ---- rules of channels


def of_rule(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    """Return what one rule of a channel finds."""
    for name, look in _RULES.items():
        if getattr(rule, name) is not None:
            yield from look(rule, channel, facts)


def _found(
    rule: Alert, channel: Channel, kind: str, sentence: str, place: str = ""
) -> Finding:
    key = f"{kind}|{channel.name}|{place}"
    return Finding(
        key, kind, channel.name, place, sentence, rule.severity, rule.notify, rule.after
    )


def _silent(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    if channel.name in facts.resting:
        return
    if rule.silent_for == "learned":
        yield from _silent_as_learned(rule, channel, facts)
        return
    assert isinstance(rule.silent_for, timedelta)
    since = _quiet_since((channel.name, ""), rule, facts)
    if since is not None and facts.now - since > rule.silent_for:
        words = f"nothing arrived for {span(facts.now - since)}"
        yield _found(rule, channel, "silent", words)


def _quiet_since(feed: Feed, rule: Alert, facts: Facts) -> datetime | None:
    """Return since when a feed is silent, within the hours of its rule.

    The time that its channel rested is no silence.
    """
    since = facts.last.get(feed) or facts.since
    if since is None:
        return None
    since = max(since, facts.resumed.get(feed[0], since))
    if rule.during is None:
        return since
    opened = begun(rule.during, facts.now.astimezone(facts.zone))
    return since if opened is None else max(since, opened)


def _silent_as_learned(
    rule: Alert, channel: Channel, facts: Facts
) -> Iterator[Finding]:
    """Find feeds of which enough would have come; all of them, or single types."""
    whole = channel.name, ""
    if (missed := _missed(whole, rule, facts)) is not None:
        words = f"nothing arrived for {missed.quiet}{missed.usual}"
        yield _found(rule, channel, "silent", words)
        return
    types = sorted(each for each in facts.last if each[0] == channel.name and each[1])
    for feed in types:
        if (missed := _missed(feed, rule, facts)) is not None:
            words = f"{feed[1]} stopped {missed.quiet} ago while others flow"
            words += missed.usual
            yield _found(rule, channel, "silent", words, feed[1])


class _Missed(NamedTuple):
    """For how long a feed is quiet, and what is usual, in words."""

    quiet: str
    usual: str


def _missed(feed: Feed, rule: Alert, facts: Facts) -> _Missed | None:
    """Return what is told of a feed that is silent; None while all is well."""
    since = _quiet_since(feed, rule, facts)
    if since is None or facts.now - since < SHORTEST:
        return None
    since = max(since, facts.now - 24 * HOUR)
    usual = expected(feed, facts.usual, since, facts.now)
    if usual is None or usual.low < ENOUGH:
        return None
    hour = facts.now.replace(minute=0, second=0, microsecond=0)
    now = facts.usual[hour].get(feed)
    told = f"; usual now is {now.low:.0f}-{now.high:.0f} per hour" if now else ""
    return _Missed(span(facts.now - since), told)


def _rate_off(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    if channel.name in facts.resting or rule.rate_off is None:
        return
    if facts.now - facts.resumed.get(channel.name, facts.now - HOUR) < HOUR:
        return  # it rested for a part of the hour that is counted
    feed = channel.name, ""
    usual = expected(feed, facts.usual, facts.now - HOUR, facts.now)
    if usual is None or usual.median < ENOUGH:
        return
    count = facts.received.get(feed, 0)
    off = abs(count - usual.median) / usual.median * 100
    if off > rule.rate_off and not usual.low <= count <= usual.high:
        words = f"{count} messages in an hour; usual is {usual.median:.0f}"
        yield _found(rule, channel, "rate", words)


def _oldest(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    assert rule.oldest_over is not None
    for each in channel.destinations:
        place = channel.name, each.name
        since = facts.oldest.get(place)
        if since is not None and facts.now - since > rule.oldest_over:
            count = facts.waiting.get(place, 0)
            words = f"{count} waiting, the oldest for {span(facts.now - since)}"
            found = _found(rule, channel, "oldest", words, each.name)
            yield found._replace(cause=cause_of(place, each, facts))


def _errors(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    wanted = rule.errors_over
    assert wanted is not None
    begin = facts.now - wanted.within
    count = sum(
        each.amount
        for each in facts.failures
        if each.channel == channel.name and each.at >= begin
    )
    if count > wanted.count:
        words = f"{count} errors within {span(wanted.within)}"
        yield _found(rule, channel, "errors", words)


def _parked(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    count = facts.parked.get(channel.name, 0)
    if rule.parked_over is not None and count > rule.parked_over:
        yield _found(rule, channel, "parked", f"{count} persons are parked")


def _worklist(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    since = facts.doubts.get(channel.name)
    assert rule.worklist_over is not None
    if since is not None and facts.now - since > rule.worklist_over:
        words = f"the oldest mismatch entry waits for {span(facts.now - since)}"
        yield _found(rule, channel, "worklist", words)


def _certificate(rule: Alert, channel: Channel, facts: Facts) -> Iterator[Finding]:
    assert rule.certificate_within is not None
    for name in sorted(_profiles(channel)):
        ends = facts.certificates.get(name)
        if ends is not None and ends - facts.now < rule.certificate_within:
            yield _found(rule, channel, "certificate", _ending(name, ends, facts), name)


_Look = Callable[[Alert, Channel, Facts], Iterator[Finding]]
_RULES: Final[Mapping[str, _Look]] = {
    "silent_for": _silent,
    "oldest_over": _oldest,
    "errors_over": _errors,
    "parked_over": _parked,
    "rate_off": _rate_off,
    "certificate_within": _certificate,
    "worklist_over": _worklist,
}


def _profiles(channel: Channel) -> set[str]:
    """Return the TLS profiles that a channel names."""
    source = channel.source.mllp
    found = {source.tls} if source else set()
    for each in channel.destinations:
        for way in (each.mllp, each.fhir, each.http, each.cda):
            if way is not None:
                found.add(way.tls)
    return found


def _ending(name: str, ends: datetime, facts: Facts) -> str:
    if ends <= facts.now:
        return f"the certificate {name} has expired"
    return f"the certificate {name} ends in {span(ends - facts.now)}"


# ---- rules of the node


def of_node(
    rules: NodeRules, facts: Facts, channels: Iterable[Channel]
) -> Iterator[Finding]:
    """Return what is wrong with the node itself, and with whom it sends to."""

    def found(kind: str, what: str, sentence: str, *, grave: bool) -> Finding:
        severity = "critical" if grave else "warning"
        key = f"{kind}||{what}"
        given = sentence, severity, rules.notify, rules.after
        return Finding(key, kind, "", what, *given)

    for each in facts.missing:
        yield found("process", each, f"{each} does not report", grave=True)
    for who in facts.emergencies:
        words = f"{who} has emergency access to patient data"
        yield found(EMERGENCY, who, words, grave=True)._replace(after=timedelta())
    if facts.disk_percent >= rules.disk_over:
        words = f"the disk of the store is {facts.disk_percent:.0f} % full"
        yield found("disk", "", words, grave=True)
    for name, ends in sorted(facts.certificates.items()):
        if ends - facts.now < rules.certificate_within:
            grave = ends - facts.now < timedelta(days=7)
            yield found("certificate", name, _ending(name, ends, facts), grave=grave)
    for peer, places in sorted(down(channels, facts).items()):
        waiting = sum(facts.waiting.get(place, 0) for place in places)
        words = f"{peer} does not take what it is sent; {waiting} deliveries wait"
        yield found("peer", peer, words, grave=True)._replace(cause=f"peer||{peer}")


def down(channels: Iterable[Channel], facts: Facts) -> dict[str, list[Place]]:
    """Return the receivers that fail, by host and port, with the places behind them."""
    found: dict[str, list[Place]] = {}
    for channel in channels:
        for each in channel.destinations:
            place = channel.name, each.name
            if place in facts.failing:
                found.setdefault(peer_of(each) or "/".join(place), []).append(place)
    return found


def cause_of(place: Place, destination: Destination, facts: Facts) -> str:
    """Return the trouble behind a place that does not deliver, where it is known."""
    if place not in facts.failing:
        return ""
    return f"peer||{peer_of(destination) or '/'.join(place)}"


def peer_of(destination: Destination) -> str:
    """Return ``host:port`` of a receiver; empty for a folder."""
    if destination.mllp is not None:
        return f"{destination.mllp.host}:{destination.mllp.port}"
    for way in (destination.fhir, destination.http, destination.cda):
        if way is not None and way.url:
            return urlsplit(way.url).netloc.rpartition("@")[2]
    return ""


def span(length: timedelta) -> str:
    """Return a length of time in the largest unit that says enough.

    Examples:
        >>> span(timedelta(minutes=41)), span(timedelta(hours=50))
        ('41 min', '2 days')
    """
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return f"{int(length.total_seconds())} s"
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004
