"""Link events: who belongs to whom. The rows of `record` and `person` are their fold.

Spec:
    identity.md 8.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from engine.errors import IllegalTransitionError
from engine.identity.person import (
    LinkEvent,
    LinkKind,
    Membership,
    inverse,
    merged,
    moved,
    pair_of,
)
from engine.store.counters import chunks
from engine.store.dialect import put
from engine.store.patient_tables import (
    PersonState,
    different,
    link_event,
    person,
    record,
)
from engine.store.patients import SqlPatientIndex
from engine.store.plain_sql import fetcher
from engine.store.schema import Found

_APPEND: Final = insert(link_event)
_MOVE: Final = (
    update(record)
    .where(record.c.id.in_(bindparam("ids", expanding=True)))
    .values(person=bindparam("target"))
)
_SURVIVOR: Final = select(person.c.survivor).where(person.c.eid == bindparam("eid"))
_RECORDS: Final = select(record.c.id, record.c.person).where(
    record.c.person.in_(bindparam("persons", expanding=True))
)
_PERSON_OF: Final = select(record.c.person).where(record.c.id == bindparam("id"))
_EVENT: Final = select(link_event).where(link_event.c.id == bindparam("id"))
_EVENTS_OF: Final = (
    select(link_event)
    .where(link_event.c.record.in_(bindparam("records", expanding=True)))
    .order_by(link_event.c.id, link_event.c.record)
)
_LATER: Final = (
    select(link_event)
    .where(
        link_event.c.id > bindparam("id"),
        or_(
            link_event.c.undoes == bindparam("id"),
            link_event.c.record.in_(bindparam("records", expanding=True)),
        ),
    )
    .order_by(link_event.c.id, link_event.c.record)
)
_OF_TASK: Final = (
    select(link_event)
    .where(link_event.c.task == bindparam("task"), link_event.c.task > 0)
    .order_by(link_event.c.id, link_event.c.record)
)
_UNDONE: Final = select(link_event.c.undoes).where(
    link_event.c.undoes.in_(bindparam("ids", expanding=True)), link_event.c.undoes > 0
)
_ALL: Final = select(link_event).order_by(link_event.c.id, link_event.c.record)
_CONFIDENTIAL: Final = "SELECT eid FROM engine.person WHERE confidential > 0 AND eid IN"
_SHIELD: Final = (
    update(person)
    .where(person.c.eid.in_(bindparam("eids", expanding=True)))
    .values(
        confidential=select(func.coalesce(func.max(record.c.confidential), 0))
        .where(record.c.person == person.c.eid)
        .scalar_subquery()
    )
)
_IDENTIFYING: Final = select(record.c.id, record.c.identifying).where(
    record.c.id.in_(bindparam("ids", expanding=True))
)


def append(patients: SqlPatientIndex, event: LinkEvent) -> LinkEvent:
    """Number and write an event, and what it makes of records, persons and pairs."""
    event = replace(event, number=patients.next_number())
    patients.connection.execute(
        _APPEND, [row_of(event, each) for each in event.records or (0,)]
    )
    if event.kind in {LinkKind.DIFFERENT, LinkKind.WITHDRAW}:
        _pair(patients, event)
    elif event.source != event.target:
        _membership(patients.connection, event)
    return event


def merge(
    patients: SqlPatientIndex, source: str, target: str, event: LinkEvent
) -> LinkEvent:
    """Retire one person into another; both sides may be retired already."""
    connection = patients.connection
    source, target = resolved(connection, source), resolved(connection, target)
    records = () if source == target else tuple(_records(connection, [source]))
    return append(patients, merged(source, target, records, event))


def move(
    patients: SqlPatientIndex, records: Sequence[int], target: str, event: LinkEvent
) -> LinkEvent:
    """Move records of one person to another, or to a new one (``unlink``, ``split``).

    Raises:
        IllegalTransitionError: see `engine.identity.person.moved`.
    """
    connection = patients.connection
    state = membership(connection, _owners(connection, records))
    return append(patients, moved(state, records, resolved(connection, target), event))


def undo(patients: SqlPatientIndex, number: int, event: LinkEvent) -> LinkEvent:
    """Append the inverse of an event.

    Raises:
        IllegalTransitionError: no such event, or nothing is left to take back.
    """
    connection = patients.connection
    undone = find(connection, number)
    holder = resolved(connection, undone.target)
    state = membership(connection, [holder, undone.source, undone.target])
    reach = {*undone.records, *state.records_of(holder)}
    rows = connection.execute(_LATER, {"id": number, "records": list(reach)})
    return append(patients, inverse(state, undone, _events(rows), event))


# -- reading ---------------------------------------------------------------------------


def resolved(connection: Connection, eid: str) -> str:
    """Return the person that an enterprise identifier stands for today."""
    while survivor := connection.execute(_SURVIVOR, {"eid": eid}).scalar():
        eid = survivor
    return eid


def membership(connection: Connection, persons: Iterable[str]) -> Membership:
    """Return the state as far as these persons and their survivors go."""
    survivors: dict[str, str] = {}
    reached = dict.fromkeys(filter(None, persons))
    for first in tuple(reached):
        eid = first
        while survivor := connection.execute(_SURVIVOR, {"eid": eid}).scalar():
            survivors[eid] = survivor
            reached[survivor] = None
            eid = survivor
    return Membership(_records(connection, list(reached)), survivors)


def find(connection: Connection, number: int) -> LinkEvent:
    """Return one event.

    Raises:
        IllegalTransitionError: there is none with this number.
    """
    for event in _events(connection.execute(_EVENT, {"id": number})):
        return event
    raise IllegalTransitionError(f"there is no link event {number}")


def history(connection: Connection, records: Sequence[int]) -> list[LinkEvent]:
    """Return the events of some records, oldest first; merges only with these."""
    rows = connection.execute(_EVENTS_OF, {"records": list(records)})
    return list(_events(rows))


def standing(connection: Connection, task: int) -> list[LinkEvent]:
    """Return the events that answered a task and were not taken back, oldest first."""
    found = list(_events(connection.execute(_OF_TASK, {"task": task})))
    numbers = [each.number for each in found]
    undone = set(connection.execute(_UNDONE, {"ids": numbers}).scalars())
    return [each for each in found if not each.undoes and each.number not in undone]


def everything(connection: Connection) -> Iterator[LinkEvent]:
    """Return every event, oldest first, to be folded."""
    return _events(connection.execute(_ALL))


def merge_into(connection: Connection, retired: str) -> LinkEvent:
    """Return the merge by which a person retired.

    Raises:
        IllegalTransitionError: the person is not retired.
    """
    statement = (
        select(link_event.c.id)
        .where(link_event.c.source == retired, link_event.c.kind == LinkKind.MERGE)
        .order_by(link_event.c.id.desc())
        .limit(1)
    )
    number = connection.execute(statement).scalar()
    if number is None:
        raise IllegalTransitionError(f"person {retired} was never merged")
    return find(connection, number)


def brought_by(connection: Connection, record: int, into: str) -> LinkEvent | None:
    """Return the last event that brought a record into a person from another one."""
    return next(
        (
            find(connection, event.number)
            for event in reversed(history(connection, [record]))
            if event.target == into and event.source not in {"", into}
        ),
        None,
    )


def _records(connection: Connection, persons: list[str]) -> dict[int, str]:
    rows = connection.execute(_RECORDS, {"persons": persons})
    return {row.id: row.person for row in rows}


def _owners(connection: Connection, records: Sequence[int]) -> set[str]:
    owners = (connection.execute(_PERSON_OF, {"id": each}).scalar() for each in records)
    return {owner for owner in owners if owner}


def _events(rows: Iterable[Found]) -> Iterator[LinkEvent]:
    for _, found in groupby(rows, key=lambda row: row.id):
        group = list(found)
        first = group[0]
        yield LinkEvent(
            first.id,
            first.at,
            first.actor,
            LinkKind(first.kind),
            tuple(row.record for row in group if row.record),
            first.source,
            first.target,
            first.reason,
            first.message,
            first.task,
            first.via,
            first.undoes,
            first.model,
        )


# -- writing ---------------------------------------------------------------------------


def row_of(event: LinkEvent, number: int) -> dict[str, object]:
    """Return the row of an event for one of its records."""
    return {
        "id": event.number,
        "record": number,
        "at": event.time,
        "actor": event.actor,
        "kind": event.kind,
        "source": event.source,
        "target": event.target,
        "reason": event.reason,
        "message": event.message,
        "task": event.task,
        "via": event.via,
        "undoes": event.undoes,
        "model": event.model,
    }


def person_row(eid: str, survivor: str = "") -> dict[str, object]:
    """Return a person's row, retired where there is a survivor."""
    state = PersonState.RETIRED if survivor else PersonState.ACTIVE
    return {"eid": eid, "state": state, "survivor": survivor, "confidential": 0}


def confidential(connection: Connection, persons: Iterable[str]) -> frozenset[str]:
    """Return which of some persons are confidential."""
    fetch, found = fetcher(connection), set[str]()
    for some in chunks(persons):
        marks = ", ".join("?" * len(some))
        found.update(eid for (eid,) in fetch(f"{_CONFIDENTIAL} ({marks})", some))
    return frozenset(found)


def shield(connection: Connection, persons: Iterable[str]) -> None:
    """Have persons confidential who have a confidential record, and no others."""
    connection.execute(_SHIELD, {"eids": [each for each in persons if each]})


def _membership(connection: Connection, event: LinkEvent) -> None:
    if event.records:
        connection.execute(_MOVE, {"ids": list(event.records), "target": event.target})
    rows = [person_row(event.target)]
    if event.kind is LinkKind.MERGE:
        rows.append(person_row(event.source, event.target))
    put(connection, person, rows, replace=("state", "survivor"))
    retires = event.kind is LinkKind.MERGE
    shield(connection, (event.target, "" if retires else event.source))


def _pair(patients: SqlPatientIndex, event: LinkEvent) -> None:
    low, high = pair_of(*event.records)
    if event.kind is LinkKind.WITHDRAW:
        patients.connection.execute(
            delete(different).where(different.c.low == low, different.c.high == high)
        )
        return
    found = patients.connection.execute(_IDENTIFYING, {"ids": [low, high]})
    now = {row.id: row.identifying for row in found}
    if len(now) != 2:  # noqa: PLR2004 - a pair
        raise IllegalTransitionError(f"records {low} and {high} are not both known")
    row = {
        "low": low,
        "high": high,
        "low_identifying": now[low],
        "high_identifying": now[high],
    }
    put(
        patients.connection,
        different,
        [row],
        replace=("low_identifying", "high_identifying"),
    )


def at(now: datetime, actor: str, kind: LinkKind, reason: str) -> LinkEvent:
    """Return an event to be filled in."""
    return LinkEvent(0, now, actor, kind, (), reason=reason)
