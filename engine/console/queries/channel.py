"""One channel: its way from source to destinations, its queues, what was asked of it.

Spec:
    console.md S2; protocol.md (acknowledgment matrix).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.channels.format.channel import Channel, Destination, Source
from engine.console.queries.channel_hour import Hour
from engine.console.queries.overview import ChannelFigures, Process
from engine.store import queues
from engine.store.database import Connection
from engine.store.queues import Parked, Waiting
from engine.store.reports import Wanted
from engine.store.traffic import Measure
from engine.store.words import RunState


@dataclass(frozen=True, slots=True)
class Stop:
    """One node of the way; ``passed`` went out of it, ``waits`` and ``failed`` not yet.

    ``href`` leads to what stands there; ``hour`` passed in the last hour, and ``p95``
    is what it took, in words.
    """

    name: str
    says: str
    href: str = ""
    passed: int | None = None
    waits: int = 0
    failed: int = 0
    hour: int | None = None
    p95: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """The way of a message: one stop after another, then every destination."""

    stops: tuple[Stop, ...]
    ends: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants of the channel or of one destination, and who.

    ``confirmed`` once every edge has reported since: it reads wishes as it reports.
    """

    destination: str
    wanted: Wanted
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """One destination: what it has to send, and how it stands."""

    name: str
    kind: str
    place: str
    state: RunState
    waiting: Waiting | None
    failing: bool


def source_place(source: Source) -> str:
    """Return where a channel takes its messages from, in words."""
    if source.mllp is not None:
        return f"MLLP on {source.mllp.host}:{source.mllp.port}"
    if source.file is not None:
        return f"files {source.file.pattern} in {source.file.path}"
    assert source.http is not None
    if source.http.takes == "patients":
        return f"FHIR Patients at {source.http.path}/Patient"
    return f"HTTP posts to {source.http.path}"


def destination_place(found: Destination) -> str:
    """Return where a destination sends to."""
    way = getattr(found, found.kind)
    if found.mllp is not None:
        return f"{found.mllp.host}:{found.mllp.port}"
    return str(getattr(way, "url", "") or way.path)


def way_of(
    found: Channel, figures: ChannelFigures, kept: Collection[Queue], hour: Hour
) -> Way:
    """Return what a message of a channel passes, with its numbers."""
    name, took = found.name, hour.p95
    left = figures.received - figures.processed - figures.filtered
    unprocessed = max(left - figures.held - figures.error, 0)
    stops = [
        Stop("Source", source_place(found.source), "?tab=connections"),
        Stop(
            "Journal",
            "on disk before it is acknowledged",
            f"/messages?channel={name}",
            figures.received,
            unprocessed,
            hour=hour.taken,
        ),
        Stop(
            "Filter",
            _several(len(found.filter), "rule"),
            f"/messages?channel={name}&state=filtered",
            figures.received - unprocessed - figures.filtered,
            hour=max(hour.taken - hour.filtered, 0),
            p95=took("filter"),
        ),
        *(
            Stop(
                f"Edit {n}",
                f"line {step.line.rpartition(':')[2]}",
                "?tab=config",
                p95=took("edit") if n == len(found.edit) else "",
            )
            for n, step in enumerate(found.edit, 1)
        ),
        Stop(
            "Map",
            f"built-in, {_several(len(found.map), 'row')} of its own",
            "?tab=config",
            p95=took("map"),
        ),
        Stop(
            "Identity",
            "the person is looked up" if found.identity.match else "nobody looked up",
            f"/messages?channel={name}&state=held",
            figures.processed,
            figures.held,
            figures.error,
            hour=hour.processed,
            p95=took("identity"),
        ),
    ]
    ends = [
        Stop(
            each.name,
            f"{each.kind} to {each.place}",
            "?tab=queues",
            None,
            (each.waiting.ready + each.waiting.leased) if each.waiting else 0,
            each.waiting.parked if each.waiting else 0,
            hour=hour.delivered.get(each.name, 0),
            p95=took(each.name, Measure.LATENCY),
        )
        for each in kept
    ]
    return Way(tuple(stops), tuple(ends))


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def queues_of(
    connection: Connection,
    found: Channel,
    wanted: Mapping[tuple[str, str], Wanted],
    processes: Collection[Process],
) -> list[Queue]:
    """Return every destination of a channel, as it stands."""
    waiting = {
        (each.channel, each.destination): each for each in queues.waiting(connection)
    }
    failing = set(_listed(processes, "failing"))
    made = []
    for each in found.destinations:
        place = found.name, each.name
        told = wanted.get(place)
        made.append(
            Queue(
                each.name,
                each.kind,
                destination_place(each),
                told.state if told else RunState.RUNNING,
                waiting.get(place),
                "/".join(place) in failing,
            )
        )
    return made


def _listed(processes: Collection[Process], name: str) -> Iterator[str]:
    for process in processes:
        told = process.detail.get(name)
        if process.alive and isinstance(told, list):
            yield from map(str, told)


def asked_of(
    channel: str,
    wanted: Mapping[tuple[str, str], Wanted],
    processes: Collection[Process],
) -> list[Asked]:
    """Return what is wanted of a channel and its destinations, the channel first."""
    edges = [each for each in processes if each.role == "edge" and each.alive]
    return [
        Asked(
            destination,
            told,
            bool(edges) and all(each.seen_at > told.changed_at for each in edges),
        )
        for (name, destination), told in sorted(wanted.items())
        if name == channel
    ]


def parked_in(connection: Connection, channel: str) -> list[Parked]:
    """Return the persons parked at any destination of a channel."""
    return [each for each in queues.parked(connection) if each.channel == channel]


@dataclass(frozen=True, slots=True)
class Peers:
    """What the edge tells of a channel's connections."""

    node: str
    port: str
    open: int
    problem: str
    counts: Mapping[str, int]


def peers_of(channel: str, processes: Collection[Process]) -> list[Peers]:
    """Return how a channel is connected, for each living edge."""
    return [
        Peers(
            each.node,
            str(_of(each, "ports").get(channel, "")),
            int(str(_of(each, "connections").get(channel, 0))),
            str(_of(each, "problems").get(channel, "")),
            {
                _counted(name.partition("/")[2]): int(str(count))
                for name, count in _of(each, "counts").items()
                if name.startswith(f"{channel}/")
            },
        )
        for each in processes
        if each.role == "edge" and each.alive
    ]


def _counted(name: str) -> str:
    """Return what an edge counts in words: ``ack_aa`` are answers AA."""
    kind, _, code = name.partition("_")
    return f"answered {code.upper()}" if kind == "ack" else name.replace("_", " ")


def _of(process: Process, name: str) -> Mapping[str, object]:
    found = process.detail.get(name)
    return found if isinstance(found, Mapping) else {}


_POINTS: Final = {
    "accepted": "when the message is on disk, before it is processed",
    "processed": "when it was filtered, edited, mapped and its deliveries are queued",
    "delivered": "when every destination has it",
}


def contract_of(found: Channel) -> list[tuple[str, str]]:
    """Return what a sender may rely on: circumstance and answer, in sentences."""
    hl7, mllp = found.source.hl7, found.source.mllp
    taken = mllp.ack if mllp else "accepted"
    rows = [
        ("AA", f"is sent {_POINTS[taken]}."),
        ("AE", "nothing could be written to disk: the sender keeps the message."),
        ("AR", "MSH cannot be read; the bytes are kept and wait in the error queue."),
    ]
    if hl7.types:
        rows.append(("AR", f"the type is none of {', '.join(hl7.types)}."))
    if hl7.trusted:
        rows.append(("AR", "the sender is none of " + ", ".join(hl7.trusted) + "."))
    if taken != "accepted" and mllp:
        wait = int(mllp.ack_wait.total_seconds())
        rows.append(("AE", f"it failed on the way, or that took more than {wait} s."))
    again = found.source.duplicate.same_content == "acknowledge-again"
    sentence = "gets the same answer and is not processed again."
    rows.append(("again", sentence if again else "is taken as a new one."))
    return rows
