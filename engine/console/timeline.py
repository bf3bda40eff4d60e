"""A message's stages on one line of time: bars for those who see, words for all.

Spec:
    console.md S4 (timeline).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from engine.store.queues import DeliveryRow
from engine.store.search import AttemptRow, MessageRow

WIDTH: Final = 240
HEIGHT: Final = 16
_DRAWING: Final = Markup(
    '<svg class="bar {}" viewBox="0 0 {} {}" aria-hidden="true">'
    '<rect x="{}" y="2" width="{}" height="12"/></svg>'
)
_COLOURS: Final = {
    "error": "error",
    "failed": "error",
    "held": "warn",
    "queued": "warn",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage: when it began, how long it took, how it ended, and a note.

    ``until`` is None while it goes on.
    """

    name: str
    since: datetime
    until: datetime | None
    state: str
    note: str = ""
    drawing: Markup = field(default_factory=Markup)

    def milliseconds(self, now: datetime) -> float:
        """Return how long it took, or has taken so far; clocks may differ."""
        return max(((self.until or now) - self.since) / timedelta(milliseconds=1), 0)


def timeline(
    found: MessageRow,
    attempts: Sequence[AttemptRow],
    deliveries: Sequence[DeliveryRow],
    now: datetime,
) -> list[Bar]:
    """Return the stages of a message in the order they began, drawn to one scale."""
    bars = sorted(
        [*_processing(found, attempts), *map(_delivery, deliveries)],
        key=lambda each: each.since,
    )
    ends = [each.until or now for each in bars]
    begin, end = found.received_at, max([*ends, found.received_at])
    scale = WIDTH / max((end - begin) / timedelta(milliseconds=1), 1.0)
    return [_drawn(each, begin, scale, now) for each in bars]


def _processing(found: MessageRow, attempts: Sequence[AttemptRow]) -> Iterator[Bar]:
    """Yield the wait before the first attempt, then each attempt."""
    if not attempts:
        yield Bar("waits for a worker", found.received_at, None, str(found.state))
        return
    first = _began(attempts[0])
    yield Bar("waited", found.received_at, max(first, found.received_at), "received")
    for each in attempts:
        name = f"attempt {each.attempt}: filter to render"
        note = each.stage and f"ended at {each.stage}"
        yield Bar(name, _began(each), each.processed_at, str(each.state), note)


def _began(attempt: AttemptRow) -> datetime:
    return attempt.processed_at - timedelta(microseconds=attempt.duration_us)


def _delivery(row: DeliveryRow) -> Bar:
    tries = f"{row.attempts} tries" if row.attempts > 1 else ""
    note = ", ".join(filter(None, (tries, row.code, row.sentence)))
    name = f"delivery {row.id} to {row.destination}"
    return Bar(name, row.queued_at, row.settled_at, str(row.state), note)


def _drawn(bar: Bar, begin: datetime, scale: float, now: datetime) -> Bar:
    at = (bar.since - begin) / timedelta(milliseconds=1) * scale
    width = max(bar.milliseconds(now) * scale, 2)
    at = min(max(at, 0), WIDTH - 2)
    drawing = _DRAWING.format(
        _COLOURS.get(bar.state, ""),
        *(WIDTH, HEIGHT, round(at, 1), round(min(width, WIDTH - at), 1)),
    )
    return Bar(bar.name, bar.since, bar.until, bar.state, bar.note, drawing)
