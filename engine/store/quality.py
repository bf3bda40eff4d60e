"""How good the data of each source are: rates as AHIMA defines them, completeness, age.

Spec:
    identity.md 13, metrics.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, exists, select

from engine.hl7 import parse
from engine.identity.decision import Reason, Ruling
from engine.identity.person import LinkKind
from engine.identity.placeholders import NUMBERS
from engine.identity.registration import Category
from engine.identity.traits import ISOLATED, Kind
from engine.identity.validity import usable
from engine.store import journal
from engine.store.patient_tables import (
    TaskState,
    authority,
    decision,
    link_event,
    record,
    task,
    task_candidate,
)
from engine.store.patients import SqlPatientIndex
from engine.store.placeholders import by_source

TRAITS: Final = (
    *("family", "given", "birth", "sex", "ssn", "street", "zip5", "phone", "email"),
)
"""The traits whose completeness is counted."""

_REGISTERED: Final = (
    select(authority.c.key, link_event.c.at)
    .select_from(link_event)
    .join(record, record.c.id == link_event.c.record)
    .join(authority, authority.c.id == record.c.authority)
    .where(
        link_event.c.source == "",
        link_event.c.kind == LinkKind.LINK.value,
        link_event.c.at >= bindparam("since"),
        link_event.c.at < bindparam("until"),
    )
)
_ASKED: Final = (
    select(
        authority.c.key,
        task.c.id,
        task.c.category,
        task.c.state,
        task.c.decision,
        task.c.record,
        task.c.opened_at,
    )
    .join(record, record.c.id == task.c.record)
    .join(authority, authority.c.id == record.c.authority)
)
_OTHERS: Final = select(task_candidate.c.task, task_candidate.c.record).join(
    task, task.c.id == task_candidate.c.task
)
_TOLD: Final = (
    select(authority.c.key, link_event.c.at)
    .select_from(link_event)
    .join(record, record.c.id == link_event.c.record)
    .join(authority, authority.c.id == record.c.authority)
    .where(
        link_event.c.kind == LinkKind.MERGE.value,
        link_event.c.reason == Reason.TOLD.value,
        link_event.c.at >= bindparam("since"),
        link_event.c.at < bindparam("until"),
    )
)
_EMPTY: Final = (
    select(authority.c.key)
    .select_from(decision)
    .join(record, record.c.id == decision.c.record)
    .join(authority, authority.c.id == record.c.authority)
    .where(decision.c.reasons == Reason.PLACEHOLDER_DATA.value)
)


_NEWEST: Final = (
    select(authority.c.key, decision.c.message)
    .join(record, record.c.id == decision.c.record)
    .join(authority, authority.c.id == record.c.authority)
    .order_by(decision.c.message.desc(), decision.c.record)
)
_named = record.alias("named")
_UNIDENTIFIED: Final = (
    select(record.c.person, record.c.id, authority.c.key, link_event.c.at)
    .join(authority, authority.c.id == record.c.authority)
    .join(
        link_event,
        (link_event.c.record == record.c.id) & (link_event.c.id == record.c.id),
    )
    .where(
        record.c.kind == Kind.UNIDENTIFIED.value,
        link_event.c.at < bindparam("before"),
        ~exists().where(
            _named.c.person == record.c.person,
            _named.c.kind.not_in(sorted(ISOLATED)),
        ),
    )
    .order_by(record.c.id)
)
"""A record's first link event has the record's own number."""


@dataclass(slots=True)
class SourceQuality:
    """One assigning authority: counts over a period, shares over all its records.

    ``duplicates`` are records that an open doubt calls a possible duplicate within the
    authority, ``confirmed`` those found to be one; ``learned`` counts by trait those
    with a value that was learned to mean nobody. ``registrations``, ``doubts`` and
    ``confirmed`` are by day as well (``YYYY-MM-DD``).
    """

    source: str
    records: int = 0
    duplicates: int = 0
    overlays: int = 0
    placeholders: int = 0
    registrations: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    confirmed: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    oldest_task: datetime | None = None
    learned: Counter[str] = field(default_factory=Counter)

    @property
    def duplicate_rate(self) -> float:
        """Records in possible duplicate pairs, of all records."""
        return _share(self.duplicates, self.records)

    @property
    def creation_rate(self) -> float:
        """Duplicates confirmed in the period, of its registrations."""
        return _share(self.confirmed.total(), self.registrations.total())

    @property
    def overlay_rate(self) -> float:
        """Overlays found, of all records."""
        return _share(self.overlays, self.records)

    @property
    def placeholder_share(self) -> float:
        """Records that say too little, or only stand for somebody, of all records."""
        return _share(self.placeholders, self.records)

    def completeness(self) -> dict[str, float]:
        """Return the share of records that have each trait."""
        return {trait: _share(self.present[trait], self.records) for trait in TRAITS}

    def learned_share(self) -> dict[str, float]:
        """Return the share of records with a learned placeholder in each trait."""
        return {trait: _share(self.learned[trait], self.records) for trait in NUMBERS}

    def days(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield each day with its registrations, doubts and confirmed duplicates."""
        for day in sorted({*self.registrations, *self.doubts, *self.confirmed}):
            yield day, self.registrations[day], self.doubts[day], self.confirmed[day]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def quality(
    patients: SqlPatientIndex, since: datetime, until: datetime
) -> list[SourceQuality]:
    """Return the quality of each source; it reads every record once."""
    found: dict[str, SourceQuality] = {}
    sources = _Sources(found)
    _count_records(patients, sources)
    connection = patients.connection
    where = {"since": since, "until": until}
    for key, at in connection.execute(_REGISTERED, where):
        sources[key].registrations[_day(at)] += 1
    for key, at in connection.execute(_TOLD, where):
        sources[key].confirmed[_day(at)] += 1
    for key in connection.execute(_EMPTY).scalars():
        sources[key].placeholders += 1
    for key, learned in by_source(connection).items():
        sources[key].learned = learned
    _count_tasks(connection, sources, since, until)
    return [found[key] for key in sorted(found)]


def validity(patients: SqlPatientIndex, messages: int) -> dict[str, dict[str, float]]:
    """Return by source, of each trait, the share of values sent that are of use.

    It reads the newest messages that registered one patient and are still kept.
    """
    sent: defaultdict[str, Counter[str]] = defaultdict(Counter)
    good: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows = patients.connection.execute(_NEWEST.limit(messages)).all()
    for source, number in rows:
        data = journal.content(patients.connection, patients.sealer, number)
        pids = parse(data).all("PID") if data else []
        if len(pids) == 1:
            found = usable(pids[0])
            sent[source].update(found)
            good[source].update(trait for trait, is_good in found.items() if is_good)
    return {
        source: {trait: _share(good[source][trait], each[trait]) for trait in each}
        for source, each in sorted(sent.items())
    }


class Unidentified(NamedTuple):
    """A patient of whom it is not known who they are, and since when."""

    person: str
    record: int
    authority: str
    since: datetime


def unidentified(connection: Connection, before: datetime) -> list[Unidentified]:
    """Return who was registered without a name before some instant, oldest first.

    Whoever has another record that says who they are is identified.
    """
    rows = connection.execute(_UNIDENTIFIED, {"before": before})
    return [Unidentified(*row) for row in rows]


class _Sources:
    """Sources by name, made when they are first counted."""

    def __init__(self, found: dict[str, SourceQuality]) -> None:
        self._found = found

    def __getitem__(self, key: str) -> SourceQuality:
        return self._found.setdefault(key, SourceQuality(key))


def _count_records(patients: SqlPatientIndex, sources: _Sources) -> None:
    stand_ins = {Kind.UNIDENTIFIED, Kind.UNNAMED, Kind.TEST}
    for each in patients.everyone():
        if each.traits.removed:
            continue
        source = sources[each.authority]
        source.records += 1
        source.placeholders += each.traits.kind in stand_ins
        source.present.update(t for t in TRAITS if getattr(each.traits, t))


def _count_tasks(
    connection: Connection, sources: _Sources, since: datetime, until: datetime
) -> None:
    candidates: defaultdict[int, set[int]] = defaultdict(set)
    for number, other in connection.execute(_OTHERS):
        candidates[number].add(other)
    doubtful: defaultdict[str, set[int]] = defaultdict(set)
    for key, number, category, state, word, own, at in connection.execute(_ASKED):
        source, inside = sources[key], since <= at < until
        if state == TaskState.OPEN:
            source.oldest_task = min(at, source.oldest_task or at)
        if category == Category.OVERLAY:
            source.overlays += 1
        if category == Category.DUPLICATE and state == TaskState.OPEN:
            doubtful[key] |= {own, *candidates[number]}
        source.doubts[_day(at)] += inside
        if inside and category == Category.DUPLICATE and word == Ruling.SAME:
            source.confirmed[_day(at)] += 1
    for key, records in doubtful.items():
        sources[key].duplicates = len(records)


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d")
