"""What alert rules look at, as values: read once, judged without the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from engine.channels.alerts.usual import Feed, Usual
from engine.store.traffic import Point

Place = tuple[str, str]
"""A channel and a destination of it."""

EMERGENCY: Final = "emergency"
"""The kind of incident that emergency access is."""

GATHERED: Final = timedelta(hours=24)
"""Errors and usual hours further back are no alert rule's business."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How the node stands at ``now``.

    Attributes:
        since: when counting began; before that nothing is known.
        last: when each feed was last heard.
        usual: by the beginning of the hour, what is usual of each feed then.
        received: messages of each feed in the last hour.
        oldest: since when each place has something undelivered, and ``waiting`` how
            many entries.
        failures: errors and failed deliveries by minute.
        parked: lanes of persons that are parked, by channel.
        doubts: since when a channel's oldest mismatch entry is open.
        certificates: when each TLS profile's certificate ends.
        failing: places whose receiver has failed for long.
        resting: channels that shall take nothing now.
        resumed: when a channel that runs was last told to.
        missing: processes that do not report, as ``role name``.
        emergencies: who has emergency access to patient data.
        disk_percent: how full the fullest disk of the store is.
    """

    now: datetime
    zone: tzinfo
    since: datetime | None = None
    last: Mapping[Feed, datetime] = field(default_factory=dict)
    usual: Mapping[datetime, Mapping[Feed, Usual]] = field(default_factory=dict)
    received: Mapping[Feed, int] = field(default_factory=dict)
    oldest: Mapping[Place, datetime] = field(default_factory=dict)
    waiting: Mapping[Place, int] = field(default_factory=dict)
    failures: Sequence[Point] = ()
    parked: Mapping[str, int] = field(default_factory=dict)
    doubts: Mapping[str, datetime] = field(default_factory=dict)
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    failing: frozenset[Place] = frozenset()
    resting: frozenset[str] = frozenset()
    resumed: Mapping[str, datetime] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    emergencies: Sequence[str] = ()
    disk_percent: float = 0.0


class Finding(NamedTuple):
    """A rule that finds something wrong now.

    ``key`` is the same as long as it is the same trouble. ``cause`` is a trouble that
    is behind it, and behind others perhaps: they become one incident.
    """

    key: str
    kind: str
    channel: str
    place: str
    sentence: str
    severity: str
    notify: tuple[str, ...]
    after: timedelta
    cause: str = ""
