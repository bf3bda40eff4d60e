"""The identifiers a person has, as subscribers were told of them last.

Spec:
    identity.md 11, ITI-10 notification: only when the set changed.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from engine.identity.index import Identifier
from engine.store import links
from engine.store.dialect import put
from engine.store.patient_tables import identifiers_told
from engine.store.patients import SqlPatientIndex
from engine.store.person_numbers import numbers_of
from engine.store.plain_sql import fetcher

_BEHIND: Final = (
    "SELECT min(id) FROM engine.link_event WHERE target <> '' AND id > "
    "(SELECT coalesce(max(event), -1) FROM engine.corrected WHERE channel = ?)"
)
_EVENTS: Final = (
    "SELECT e.id, e.record, e.source, e.target, e.message, r.message "
    "FROM engine.link_event AS e "
    "LEFT JOIN engine.record AS r ON r.id = e.record "
    "WHERE e.target <> '' AND e.id > "
    "(SELECT event FROM engine.corrected WHERE channel = ?) "
    "ORDER BY e.id, e.record LIMIT ?"
)
_TOLD: Final = select(identifiers_told.c.digest).where(
    identifiers_told.c.place == bindparam("at"),
    identifiers_told.c.person == bindparam("who"),
)
_FORGET: Final = delete(identifiers_told).where(
    identifiers_told.c.place == bindparam("at"),
    identifiers_told.c.person == bindparam("who"),
)


class Changed(NamedTuple):
    """A person whose identifiers an event may have changed.

    ``moved`` says that records came or went; ``message`` is the last that spoke of
    ``record``.
    """

    event: int
    person: str
    record: int
    message: int
    moved: bool


def is_behind(connection: Connection, place: str) -> bool:
    """Whether there are events that a subscriber has not gone through."""
    [[first]] = fetcher(connection)(_BEHIND, (place,))
    return first is not None


def changed(patients: SqlPatientIndex, place: str, limit: int) -> list[Changed]:
    """Return the next persons concerned, in the order of the events.

    Of an event that moved records both sides are concerned. Nobody hears of a retired
    person, who has no identifiers any more, or of a confidential one.
    """
    patients.flush()
    found: list[Changed] = []
    rows = patients.fetch(_EVENTS, (place, limit))
    for event, record, source, target, said, last in rows:
        moved = source not in {"", target}
        message = said or last or 0
        for person in (source, target) if moved else (target,):
            today = links.resolved(patients.connection, person)
            found.append(Changed(event, today, record, message, moved))
    return found


def of_persons(
    patients: SqlPatientIndex, persons: Sequence[str]
) -> dict[str, list[Identifier]]:
    """Return the identifiers in use of those persons who are not confidential."""
    open_ones = set(persons) - links.confidential(patients.connection, persons)
    listed = numbers_of(patients, open_ones) if open_ones else {}
    return {
        person: [each.identifier for each in numbers if each.active]
        for person, numbers in listed.items()
    }


def learn(
    patients: SqlPatientIndex,
    place: str,
    person: str,
    numbers: Collection[Identifier],
    *,
    surely: bool,
) -> bool:
    """Remember a set of identifiers; return whether the subscriber has to hear of it.

    One identifier alone that was never told is news only ``surely``, after a move.
    """
    connection, where = patients.connection, {"at": place, "who": person}
    before = connection.execute(_TOLD, where).scalar()
    if not numbers:
        if before is not None:
            connection.execute(_FORGET, where)
        return False
    text = "\n".join(sorted("|".join(each) for each in numbers))
    digest = patients.sealer.blind(f"identifiers|{text}")
    if before is None and len(numbers) == 1 and not surely:
        return False
    if before is not None and bytes(before) == digest:
        return False
    row: dict[str, object] = {"place": place, "person": person, "digest": digest}
    put(connection, identifiers_told, [row], replace=("digest",))
    return True
