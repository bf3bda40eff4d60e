"""Channels, processes and queues at a glance.

Spec:
    console.md S1; cli.md 3 (status).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from engine.console.ages import duration
from engine.console.pace import Pace, PaceReader
from engine.console.permissions import Caller
from engine.store import error_queue, queues, reports, search, worklist
from engine.store.database import Connection
from engine.store.error_queue import Group
from engine.store.queues import Waiting
from engine.store.reports import Report

ALIVE: Final = timedelta(seconds=5)
HOUR: Final = timedelta(hours=1)
WARN_DAYS: Final = 60
DISK_PERCENT: Final = 80


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """One channel: what it took, what became of it, what waits and since when.

    ``parked`` counts lanes, of a person each, that wait behind a failure.
    """

    channel: str
    state: str
    note: str = ""
    received: int = 0
    processed: int = 0
    filtered: int = 0
    held: int = 0
    error: int = 0
    delivered: int = 0
    waiting: int = 0
    failed: int = 0
    oldest: datetime | None = None
    last: datetime | None = None
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one node and what it last said of itself."""

    node: str
    role: str
    name: str
    pid: int
    alive: bool
    seen_at: datetime
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """What needs a person: how many entries of a kind, and the oldest."""

    kind: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that changes by itself, as of one read; ``newest`` is a message.

    ``doubts`` is the mismatch queue: None for those who see some channels only.
    """

    at: datetime
    channels: list[ChannelFigures]
    groups: list[Group]
    doubts: Need | None
    processes: list[Process]
    last_hour: int
    lanes: list[Waiting]
    newest: int
    pace: Pace = field(default_factory=Pace)

    @property
    def needs(self) -> list[Need]:
        """What waits for a person: the error queue and the mismatch queue."""
        oldest = min((each.oldest for each in self.groups), default=None)
        errors = Need("error queue", sum(each.open for each in self.groups), oldest)
        return [errors] if self.doubts is None else [errors, self.doubts]

    @property
    def parked(self) -> int:
        """How many lanes wait for a person."""
        return sum(each.parked for each in self.lanes)

    @property
    def ready(self) -> int:
        """How many lanes go on by themselves."""
        return sum(each.ready for each in self.lanes)


def figures(
    connection: Connection, now: datetime, paces: PaceReader | None = None
) -> Figures:
    """Return what every page that stands open shows of the present.

    ``paces`` is who read the pace before, and need not read all of it again.
    """
    lanes = queues.waiting(connection)
    return Figures(
        now,
        channels(connection, lanes),
        error_queue.groups(connection),
        _doubts(connection),
        processes(connection, now),
        search.count_since(connection, now - HOUR),
        lanes,
        search.newest(connection),
        (paces or PaceReader()).read(connection, now),
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What heals by itself at a place: ``lanes`` wait, when the next one is tried.

    ``drains`` says in words how long all takes that the channel has to send.
    """

    lanes: int
    next_due: datetime | None
    drains: str


def outlook(found: Figures, channel: str, destination: str) -> Outlook | None:
    """Return what waits at a destination, or at all of a channel; None for nothing."""
    lanes = [
        each
        for each in found.lanes
        if each.channel == channel and destination in {"", each.destination}
    ]
    count = sum(each.ready + each.leased for each in lanes)
    if not count:
        return None
    due = [each.next_due for each in lanes if each.next_due is not None]
    waiting = next((e.waiting for e in found.channels if e.channel == channel), 0)
    return Outlook(count, min(due, default=None), drains(found.pace, channel, waiting))


def drains(pace: Pace, channel: str, waiting: int) -> str:
    """Say how long what waits takes at the pace of late."""
    left = pace.drains(channel, waiting)
    return "nothing goes out" if left is None else f"drains in {duration(left)}"


def visible(found: Figures, who: Caller) -> Figures:
    """Return the figures of the channels that a caller may see, and no sum beyond.

    What spans channels, such as doubts about persons, is for those who see all.
    """
    if who.channels is None:
        return found
    return replace(
        found,
        channels=[each for each in found.channels if who.sees(each.channel)],
        groups=[each for each in found.groups if who.sees(each.channel)],
        doubts=None,
        processes=[replace(each, detail={}) for each in found.processes],
        last_hour=sum(map(found.pace.hour, who.channels)),
        lanes=[each for each in found.lanes if who.sees(each.channel)],
        pace=Pace(
            None,
            {n: each for n, each in found.pace.minutes.items() if who.sees(n)},
            {n: each for n, each in found.pace.usual.items() if who.sees(n)},
            {n: each for n, each in found.pace.sent.items() if who.sees(n)},
        ),
    )


def channels(
    connection: Connection, lanes: Sequence[Waiting] | None = None
) -> list[ChannelFigures]:
    """Return one row for each channel that took or made anything."""
    tally: dict[str, Counter[str]] = {}
    for one in queues.counts(connection):
        tally.setdefault(one.channel, Counter())[one.state] += one.count
    oldest: dict[str, datetime] = {}
    parked: Counter[str] = Counter()
    for each in queues.waiting(connection) if lanes is None else lanes:
        parked[each.channel] += each.parked
        if each.oldest:
            before = oldest.get(each.channel, each.oldest)
            oldest[each.channel] = min(each.oldest, before)
    taken = {each.channel: each for each in queues.intake(connection)}
    wanted = reports.run_states(connection)
    rows = []
    for name in sorted({*tally, *taken}):
        states, took = tally.get(name, Counter()), taken.get(name)
        stood = wanted.get((name, ""))
        rows.append(
            ChannelFigures(
                name,
                str(stood.state) if stood else "running",
                f"by {stood.changed_by}" if stood and stood.state != "running" else "",
                took.messages if took else 0,
                states["processed"],
                states["filtered"],
                states["held"],
                states["error"],
                states["delivered"],
                states["queued"] + states["leased"],
                states["failed"],
                oldest.get(name),
                took.last_at if took else None,
                parked[name],
            )
        )
    return rows


def processes(connection: Connection, now: datetime) -> list[Process]:
    """Return the latest report of every process, and whether it is fresh."""
    return [_process(each, now) for each in reports.reports(connection)]


def _process(told: Report, now: datetime) -> Process:
    alive = now - told.seen_at < ALIVE
    detail = orjson.loads(told.detail or "{}")
    place = (told.node, told.role, told.name, told.pid)
    return Process(*place, alive, told.seen_at, detail)


def warnings(found: list[Process], now: datetime) -> list[str]:
    """Return what living processes say a person should see to, in sentences."""
    told: list[str] = []
    for process in found:
        if process.alive:
            told += _warnings_of(process.detail, now)
    return told


def _warnings_of(detail: Mapping[str, object], now: datetime) -> list[str]:
    told = []
    for name, text in _mapping(detail, "certificates").items():
        left = (datetime.fromisoformat(str(text)) - now).days
        if left <= WARN_DAYS:
            told.append(f"certificate of tls profile {name}: {left} days left")
    disk = _mapping(detail, "disk")
    percent = disk.get("percent", 0.0)
    if disk.get("full"):
        told.append("the disk is full: no message is taken until there is space")
    elif isinstance(percent, float | int) and percent >= DISK_PERCENT:
        told.append(f"the disk is {percent} % full")
    told += map(str, _mapping(detail, "tls_problems").values())
    failing = detail.get("failing")
    if isinstance(failing, list):
        told += [f"{place} has failed for long" for place in failing]
    return [*told, *map(str, _mapping(detail, "problems").values())]


def _mapping(detail: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = detail.get(name)
    return found if isinstance(found, Mapping) else {}


def _doubts(connection: Connection) -> Need:
    tasks = sum(worklist.open_counts(connection).values())
    return Need("mismatch queue", tasks, worklist.oldest_open(connection))
