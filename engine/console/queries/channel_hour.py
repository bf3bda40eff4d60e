"""The last hour of one channel: what passed, and how long each part of its way took.

Spec:
    console.md S2.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from engine.console.ages import seconds
from engine.store import traffic
from engine.store.database import Connection
from engine.store.traffic import Measure, Point

HOUR: Final = timedelta(hours=1)
SHARE: Final = 0.95
_COUNTED: Final = (
    *(Measure.RECEIVED, Measure.FILTERED, Measure.PROCESSED, Measure.DELIVERED),
)
_TIMED: Final = (Measure.STAGE, Measure.LATENCY)


@dataclass(frozen=True, slots=True)
class Hour:
    """What passed in the last hour; ``delivered`` goes by destination.

    ``took`` are durations, by measure and stage or destination.
    """

    taken: int = 0
    filtered: int = 0
    processed: int = 0
    delivered: Mapping[str, int] = field(default_factory=dict)
    took: Mapping[tuple[str, str], Sequence[Point]] = field(default_factory=dict)

    def p95(self, place: str, measure: Measure = Measure.STAGE) -> str:
        """Return how long a stage took at most, 95 times in 100; "" where unknown."""
        found = traffic.quantile(self.took.get((measure, place), ()), SHARE)
        return "" if found is None else seconds(found)


def hour_of(connection: Connection, channel: str, now: datetime) -> Hour:
    """Return the last hour of a channel."""
    measures = (*_COUNTED, *_TIMED)
    counted: Counter[tuple[str, str]] = Counter()
    took: dict[tuple[str, str], list[Point]] = {}
    for point in traffic.summed(connection, measures, now - HOUR, now, channel):
        if point.measure in _TIMED:
            took.setdefault((point.measure, point.place), []).append(point)
        place = point.place if point.measure == Measure.DELIVERED else ""
        counted[point.measure, place] += point.amount
    return Hour(
        counted[Measure.RECEIVED, ""],
        counted[Measure.FILTERED, ""],
        counted[Measure.PROCESSED, ""],
        {place: n for (kind, place), n in counted.items() if kind == Measure.DELIVERED},
        took,
    )
