"""What Prometheus reads: every metric of the engine, in one table.

Labels hold names of the configuration and fixed words, never anything of a message.

Spec:
    cli.md 7.1.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from typing_extensions import override

from engine.channels.alerts import usual
from engine.channels.format.cda_site import engine_version
from engine.channels.format.load import Site
from engine.console.queries.overview import Process, processes
from engine.store import queues, reports, traffic, worklist
from engine.store.database import Connection, Database
from engine.store.traffic import BOUNDS, SUM, Measure, Point

Kind = Literal["counter", "gauge", "histogram", "info"]
Family = (
    CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily
)
Sample = tuple[tuple[str, ...], float]


class Metric(NamedTuple):
    """One metric as documented: a counter's name goes out with ``_total`` behind it."""

    kind: Kind
    labels: tuple[str, ...]
    help: str


_PLACE: Final = ("channel", "destination")
METRICS: Final[Mapping[str, Metric]] = {
    "interop_messages_received": Metric(
        "counter", ("channel", "type"), "Messages journalled, repetitions left out."
    ),
    "interop_messages_filtered": Metric(
        "counter", ("channel", "rule"), "Messages that a rule dropped."
    ),
    "interop_messages_errors": Metric(
        "counter",
        ("channel", "stage", "cause"),
        "Messages that could not be done.",
    ),
    "interop_deliveries_delivered": Metric(
        "counter", _PLACE, "Documents that a receiver took."
    ),
    "interop_deliveries_failed": Metric(
        "counter", (*_PLACE, "class"), "Documents that entered the error queue."
    ),
    "interop_delivery_attempts": Metric(
        "counter", (*_PLACE, "result"), "Attempts to deliver, by how they ended."
    ),
    "interop_acks_sent": Metric(
        "counter", ("channel", "code"), "Acknowledgments sent, by code."
    ),
    "interop_accepted_then_failed": Metric(
        "counter", ("channel",), "Told AA, and failed later."
    ),
    "interop_duplicates_suppressed": Metric(
        "counter", ("channel",), "Messages that came again."
    ),
    "interop_queue_entries": Metric(
        "gauge", (*_PLACE, "state"), "Messages (without destination) and deliveries."
    ),
    "interop_queue_oldest_seconds": Metric(
        "gauge", _PLACE, "Age of the oldest undelivered delivery."
    ),
    "interop_parked_persons": Metric(
        "gauge", _PLACE, "Persons whose deliveries wait behind a failure."
    ),
    "interop_stage_duration_seconds": Metric(
        "histogram", ("channel", "stage"), "Time a message spends in a stage."
    ),
    "interop_receive_to_delivered_seconds": Metric(
        "histogram", _PLACE, "From received to delivered."
    ),
    "interop_journal_commit_seconds": Metric(
        "histogram", (), "Time of one journal transaction."
    ),
    "interop_last_message_timestamp_seconds": Metric(
        "gauge", ("channel", "type"), "When the last message came."
    ),
    "interop_expected_messages_per_hour": Metric(
        "gauge", ("channel", "type"), "Usual for this hour of the week; learned."
    ),
    "interop_mllp_connections": Metric("gauge", ("channel",), "Peers connected."),
    "interop_mllp_discarded_bytes": Metric(
        "counter", ("channel",), "Bytes that were no message."
    ),
    "interop_table_misses": Metric(
        "counter", ("channel", "table"), "Codes a table did not have."
    ),
    "interop_mpi_decisions": Metric(
        "counter", ("outcome",), "Decisions about who a message is about."
    ),
    "interop_mpi_tasks_open": Metric("gauge", ("category",), "Open doubts."),
    "interop_mpi_task_oldest_seconds": Metric(
        "gauge", ("category",), "Age of the oldest open doubt."
    ),
    "interop_channel_state": Metric(
        "gauge", ("channel", "state"), "1 for the present state."
    ),
    "interop_channel_revision": Metric(
        "info", ("channel", "revision", "commit"), "Which revision runs."
    ),
    "interop_certificate_expiry_timestamp_seconds": Metric(
        "gauge", ("name",), "When a certificate ends."
    ),
    "interop_store_bytes": Metric("gauge", (), "Size of the store."),
    "interop_store_free_bytes": Metric("gauge", (), "Space left for it."),
    "interop_build": Metric("info", ("version", "python", "store"), "What runs here."),
}

_COUNTED: Final[Mapping[Measure, tuple[str, tuple[str, ...]]]] = {
    Measure.RECEIVED: ("interop_messages_received", ("channel", "label")),
    Measure.FILTERED: ("interop_messages_filtered", ("channel", "label")),
    Measure.ERROR: ("interop_messages_errors", ("channel", "place", "label")),
    Measure.DELIVERED: ("interop_deliveries_delivered", ("channel", "place")),
    Measure.FAILED: ("interop_deliveries_failed", ("channel", "place", "label")),
    Measure.ATTEMPT: ("interop_delivery_attempts", ("channel", "place", "label")),
    Measure.ACKNOWLEDGED: ("interop_acks_sent", ("channel", "label")),
    Measure.BROKEN_PROMISE: ("interop_accepted_then_failed", ("channel",)),
    Measure.DUPLICATE: ("interop_duplicates_suppressed", ("channel",)),
    Measure.DISCARDED_BYTES: ("interop_mllp_discarded_bytes", ("channel",)),
    Measure.TABLE_MISS: ("interop_table_misses", ("channel", "label")),
    Measure.IDENTITY: ("interop_mpi_decisions", ("label",)),
    Measure.STAGE: ("interop_stage_duration_seconds", ("channel", "place")),
    Measure.LATENCY: ("interop_receive_to_delivered_seconds", ("channel", "place")),
    Measure.COMMIT: ("interop_journal_commit_seconds", ()),
}
"""What of the traffic each metric is, and which of its columns are the labels."""

STATES: Final = ("running", "paused", "stopped", "silent")


@dataclass(frozen=True, eq=False)
class Metrics(Collector):
    """Reads the store each time it is asked: there is nothing to be kept in step."""

    database: Database
    site: Callable[[], Site | None]
    now: Callable[[], datetime]

    @override
    def collect(self) -> Iterator[Family]:
        """Return every metric with its samples."""
        with self.database.reading() as connection:
            totals = traffic.totals(connection)
            gauges = dict(self._gauges(connection, totals))
            size, free = self.database.space(connection)
        gauges["interop_store_bytes"] = [((), size)]
        if free is not None:
            gauges["interop_store_free_bytes"] = [((), free)]
        yield from _counters(totals)
        for name, samples in gauges.items():
            family = _gauge_or_info(name)
            for labels, value in samples:
                _add(family, labels, value)
            yield family

    def _gauges(
        self, connection: Connection, totals: list[Point]
    ) -> Iterator[tuple[str, list[Sample]]]:
        now = self.now()
        found = processes(connection, now)
        yield "interop_queue_entries", _entries(connection)
        waiting = queues.waiting(connection)
        yield (
            "interop_queue_oldest_seconds",
            [
                ((each.channel, each.destination), (now - each.oldest).total_seconds())
                for each in waiting
                if each.oldest
            ],
        )
        yield (
            "interop_parked_persons",
            [((each.channel, each.destination), each.parked) for each in waiting],
        )
        yield (
            "interop_last_message_timestamp_seconds",
            [
                ((each.channel, each.label), each.last_at.timestamp())
                for each in totals
                if each.measure == Measure.RECEIVED
            ],
        )
        site = self.site()
        if site is not None:
            yield from _of_site(connection, site, now)
        yield "interop_mllp_connections", _connections(found)
        tasks = worklist.open_since(connection)
        yield "interop_mpi_tasks_open", [((c,), n) for c, (n, _) in tasks.items()]
        yield (
            "interop_mpi_task_oldest_seconds",
            [((c,), (now - at).total_seconds()) for c, (_, at) in tasks.items()],
        )
        yield "interop_certificate_expiry_timestamp_seconds", _certificates(found)
        told = (engine_version(), platform.python_version(), self.database.kind)
        yield "interop_build", [(told, 1)]


def exposition(
    database: Database,
    site: Site | None,
    now: Callable[[], datetime],
    accept: str = "",
) -> tuple[bytes, str]:
    """Return all metrics and their media type, in the form that ``accept`` asks for."""
    encode, media_type = choose_encoder(accept)
    return encode(registry_of(Metrics(database, lambda: site, now))), media_type


def registry_of(metrics: Metrics) -> CollectorRegistry:
    """Return a registry with these metrics alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return registry


def _gauge_or_info(name: str) -> GaugeMetricFamily | InfoMetricFamily:
    metric = METRICS[name]
    if metric.kind == "info":
        return InfoMetricFamily(name, metric.help, labels=[])
    return GaugeMetricFamily(name, metric.help, labels=metric.labels)


def _add(
    family: GaugeMetricFamily | InfoMetricFamily, labels: tuple[str, ...], value: float
) -> None:
    if isinstance(family, InfoMetricFamily):
        named = METRICS[family.name].labels
        family.add_metric([], dict(zip(named, labels, strict=True)))
    else:
        family.add_metric(labels, value)


def _counters(totals: Iterable[Point]) -> Iterator[Family]:
    """Return the counters and histograms: those that never happened, too."""
    found: dict[Measure, dict[tuple[str, ...], dict[str, int]]] = {
        measure: {} for measure in _COUNTED
    }
    for point in totals:
        measure = Measure(point.measure)
        if measure in _COUNTED:
            _, columns = _COUNTED[measure]
            labels = tuple(str(getattr(point, each)) for each in columns)
            key = point.label if measure in BOUNDS else ""
            counts = found[measure].setdefault(labels, {})
            counts[key] = counts.get(key, 0) + point.amount
    for measure, series in found.items():
        name = _COUNTED[measure][0]
        yield (
            _histogram(name, measure, series)
            if measure in BOUNDS
            else _counter(name, series)
        )


def _counter(
    name: str, series: Mapping[tuple[str, ...], Mapping[str, int]]
) -> CounterMetricFamily:
    metric = METRICS[name]
    family = CounterMetricFamily(name, metric.help, labels=metric.labels)
    for labels, counts in series.items():
        family.add_metric(labels, sum(counts.values()))
    return family


def _histogram(
    name: str,
    measure: Measure,
    series: Mapping[tuple[str, ...], Mapping[str, int]],
) -> HistogramMetricFamily:
    metric = METRICS[name]
    family = HistogramMetricFamily(name, metric.help, labels=metric.labels)
    for labels, counts in series.items():
        below, buckets = 0, []
        for bound in (*(f"{each:g}" for each in BOUNDS[measure]), "+Inf"):
            below += counts.get(bound, 0)
            buckets.append((bound, below))
        family.add_metric(labels, buckets, counts.get(SUM, 0) / 1_000_000)
    return family


def _of_site(
    connection: Connection, site: Site, now: datetime
) -> Iterator[tuple[str, list[Sample]]]:
    yield "interop_expected_messages_per_hour", _expected(connection, site, now)
    yield "interop_channel_state", _states(connection, site)
    revisions: list[Sample] = [
        ((each.name, each.revision, ""), 1) for each in site.channels
    ]
    yield "interop_channel_revision", revisions


def _entries(connection: Connection) -> list[Sample]:
    shown = {"message": ("held", "error"), "delivery": ("queued", "leased", "failed")}
    found: list[Sample] = [
        ((each.channel, each.destination, each.state), each.count)
        for each in queues.counts(connection)
        if each.state in shown.get(each.subject, ())
    ]
    found += [
        ((each.channel, "", "received"), each.waiting)
        for each in queues.intake(connection)
    ]
    return found


def _expected(connection: Connection, site: Site, now: datetime) -> list[Sample]:
    begins = usual.same_hours(now, site.settings.zone)
    points = traffic.hours(connection, Measure.RECEIVED, begins)
    learned = usual.learn(points, begins, traffic.first_hour(connection))
    return [(feed, each.median) for feed, each in sorted(learned.items()) if feed[1]]


def _connections(found: Iterable[Process]) -> list[Sample]:
    totals: dict[str, float] = {}
    for process in found:
        told = process.detail.get("connections")
        if process.alive and isinstance(told, Mapping):
            for channel, count in told.items():
                totals[channel] = totals.get(channel, 0) + count
    return [((channel,), count) for channel, count in totals.items()]


def _certificates(found: Iterable[Process]) -> list[Sample]:
    ends: dict[str, float] = {}
    for process in found:
        told = process.detail.get("certificates")
        if isinstance(told, Mapping):
            for name, at in told.items():
                ends[name] = datetime.fromisoformat(str(at)).timestamp()
    return [((name,), at) for name, at in ends.items()]


def _states(connection: Connection, site: Site) -> list[Sample]:
    wanted = reports.run_states(connection)
    found: list[Sample] = []
    for channel in site.channels:
        told = wanted.get((channel.name, ""))
        by_itself = "running" if channel.start == "automatic" else "stopped"
        state = str(told.state) if told else by_itself
        found += [((channel.name, each), float(each == state)) for each in STATES]
    return found
