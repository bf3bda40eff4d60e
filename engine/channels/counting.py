"""What the processes count as they go: for their reports, and for the traffic table.

Labels are names of the configuration and fixed words alone. A message type is what a
sender wrote, so only what the standard knows is told apart.

Spec:
    cli.md 7.1.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from engine.channels.content import REMARKS
from engine.channels.journal_writer import Written
from engine.channels.outbox import Outcome as Round
from engine.channels.processing.finish import Finished
from engine.channels.processing.prepared import Ended, Prepared
from engine.channels.verdict import UNSOLICITED
from engine.store.delivery_state import Event
from engine.store.message_state import MessageState
from engine.store.results import Outcome
from engine.store.settlement import Settlement
from engine.store.traffic import Counts, Measure
from engine.transforms.fhir.plan import ANY_EVENT, NEAREST, PLANS

OTHER: Final = "other"
_TYPES: Final = frozenset(
    {*(known.partition("^")[0] for known in PLANS), *ANY_EVENT, *NEAREST}
    | {"ACK", "QBP", "QRY", "QSB", "QCN", "RSP", "RTB", "ORR", "MFK", "NMD", "ORL"}
)
_EVENT: Final = re.compile(r"[A-Z][A-Z0-9]\d", re.ASCII)
_LOCAL: Final = re.compile(r"Z[A-Z0-9]{2}", re.ASCII)
_AS_TRAFFIC: Final = {
    **{
        f"ack_{code}": (Measure.ACKNOWLEDGED, code)
        for code in ("AA", "AE", "AR", "CA", "CE", "CR")
    },
    **dict.fromkeys(
        ("interframe_bytes", "commit_block", UNSOLICITED),
        (Measure.DISCARDED_BYTES, ""),
    ),
    "duplicates_suppressed": (Measure.DUPLICATE, ""),
}
"""The events of a channel that metrics tell: the measure of each, and its label."""


@lru_cache(maxsize=4096)
def type_label(message_type: str, trigger_event: str) -> str:
    """Return a message type as metrics tell it apart.

    Examples:
        >>> type_label("ADT", "A01"), type_label("ORU", ""), type_label("ZLB", "Z01")
        ('ADT^A01', 'ORU', 'ZLB^Z01')
        >>> type_label("DOE", "JANE")
        'other'
    """
    if message_type not in _TYPES and not _LOCAL.fullmatch(message_type):
        return OTHER
    known = _EVENT.fullmatch(trigger_event) or _LOCAL.fullmatch(trigger_event)
    return f"{message_type}^{trigger_event}" if known else message_type


@dataclass(slots=True)
class EdgeCounts:
    """Counts for the reactor's thread, where everything the edge does comes together.

    ``notes`` are events by channel and name, for the report of the process.
    """

    traffic: Counts = field(default_factory=Counts)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, channel: str, event: str, count: int) -> None:
        """Count an event of a channel."""
        self.notes[channel, event] += count
        told = _AS_TRAFFIC.get(event)
        if told is not None:
            measure, label = told
            self.traffic.add(measure, channel, label=label, count=count)

    def note_delivery(self, event: str, count: int) -> None:
        """Count an event of the deliver loop."""
        self.notes["", event] += count

    def committed(self, written: Written) -> None:
        """Count a group that is on disk."""
        self.notes["", "journal_commits"] += 1
        self.notes["", "journal_messages"] += len(written.appended)
        self.traffic.observe(Measure.COMMIT, written.seconds)
        new = Counter(
            (arrival.channel, arrival.message_type, arrival.trigger_event)
            for arrival, one in zip(written.arrivals, written.appended, strict=True)
            if not one.duplicate
        )
        for (channel, *kind), count in new.items():
            self.traffic.add(
                Measure.RECEIVED, channel, label=type_label(*kind), count=count
            )

    def settled(
        self,
        outcome: Round,
        settlements: Sequence[Settlement],
        clock: Callable[[], datetime],
    ) -> Round:
        """Count how attempts ended, but for those that were taken over; pass it on."""
        stale, now = frozenset(outcome.stale), clock()
        for one in settlements:
            if one.leased.id not in stale:
                self._count(one, now)
        return outcome

    def _count(self, one: Settlement, now: datetime) -> None:
        place = one.leased.channel, one.leased.destination
        accepted = one.event is Event.ACCEPT
        if not accepted and not one.class_:
            return  # given back unsent
        result = Measure.DELIVERED.value if accepted else one.class_
        self.traffic.add(Measure.ATTEMPT, *place, result)
        if accepted:
            self.traffic.add(Measure.DELIVERED, *place)
            if one.leased.received_at is not None:
                took = (now - one.leased.received_at).total_seconds()
                self.traffic.observe(Measure.LATENCY, took, *place)
        elif one.event is Event.PARK:
            self.traffic.add(Measure.FAILED, *place, one.class_)
            self.traffic.add(Measure.BROKEN_PROMISE, one.leased.channel)

    def told(self) -> dict[str, int]:
        """Return the notes by name, as a report has them."""
        return {
            f"{channel}/{event}" if channel else event: count
            for (channel, event), count in sorted(self.notes.items())
        }


def count_finished(
    counts: Counts, channel: str, half: Prepared | Ended, finished: Finished
) -> None:
    """Count what became of one message, in the process that worked on it."""
    outcome = finished.outcome
    _count_end(counts, channel, outcome)
    for miss in outcome.misses:
        counts.add(Measure.TABLE_MISS, channel, label=miss.table)
    if finished.decision is not None:
        counts.add(Measure.IDENTITY, channel, label=str(finished.decision.outcome))
    prepared = half.prepared if isinstance(half, Ended) else half
    if prepared is not None:
        for stage, seconds in prepared.laps.items():
            counts.observe(Measure.STAGE, seconds, channel, str(stage))


def _count_end(counts: Counts, channel: str, outcome: Outcome) -> None:
    failure = outcome.failure
    match outcome.state:
        case MessageState.FILTERED:
            counts.add(Measure.FILTERED, channel, label=outcome.reason)
        case MessageState.PROCESSED:
            counts.add(Measure.PROCESSED, channel)
        case MessageState.HELD:
            counts.add(Measure.HELD, channel)
        case MessageState.ERROR if failure is not None:
            counts.add(Measure.ERROR, channel, str(failure.stage), failure.code)
            if failure.class_ != "frame":
                counts.add(Measure.BROKEN_PROMISE, channel)
        case _:
            pass


def remarks(half: Prepared | Ended) -> Collection[str]:
    """Return what only processing remarks of a message; the edge counts its own."""
    prepared = half.prepared if isinstance(half, Ended) else half
    if prepared is None:
        return ()
    found = {*prepared.message.findings, *prepared.context.findings}
    return {finding.code for finding in found} - {*REMARKS}
