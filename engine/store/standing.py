"""What makes a person's Patient: their records, and who was merged into them."""

from typing import Final, NamedTuple

from engine.identity.index import Identifier, SourceRecord
from engine.identity.survivorship import SourceValues
from engine.identity.traits import Kind
from engine.store.patient_tables import NumberState
from engine.store.patients import MEMBERS, SqlPatientIndex

_RECORDS: Final = (
    "SELECT id, '', kind FROM engine.record WHERE person = ? UNION ALL "
    "SELECT 0, eid, '' FROM engine.person WHERE survivor = ? AND survivor <> ''"
)


class Standing(NamedTuple):
    """One person as of now, what the transaction holds back included.

    ``absorbed`` are the persons merged into this one directly, ``old`` the numbers of
    its records that are no longer in use, ``removed`` the records of which their system
    says that there is no such patient. ``members`` are given when there are several
    records: one alone has nobody to agree with.
    """

    numbers: tuple[int, ...]
    absorbed: tuple[str, ...] = ()
    members: tuple[SourceValues, ...] = ()
    old: frozenset[Identifier] = frozenset()
    removed: frozenset[int] = frozenset()


def standing(patients: SqlPatientIndex, person: str, joining: int = 0) -> Standing:
    """Return how a person stands; without records for one nobody has registered.

    ``joining`` is a record that is about to belong to the person, if it does not yet.
    """
    found = patients.fetch(_RECORDS, (person, person))
    new = patients.buffer.members(person)
    numbers = [row[0] for row in found if row[0]] + [each.number for each in new]
    absorbed = tuple(sorted(row[1] for row in found if not row[0]))
    removed = {row[0] for row in found if row[2] == Kind.REMOVED}
    removed |= {each.number for each in new if each.traits.removed}
    if len({*numbers, joining} - {0}) < 2:  # noqa: PLR2004 - one alone
        return Standing(tuple(numbers), absorbed, removed=frozenset(removed))
    members = [*map(patients.read, patients.fetch(MEMBERS, (person,))), *new]
    sources = tuple(map(_source, members))
    old = _old(patients, numbers)
    return Standing(tuple(numbers), absorbed, sources, old, frozenset(removed))


def _source(member: SourceRecord) -> SourceValues:
    return SourceValues(member.number, member.authority, member.traits, member.updated)


def _old(patients: SqlPatientIndex, numbers: list[int]) -> frozenset[Identifier]:
    """Return the identifiers of some records that are no longer in use."""
    marks = ", ".join("?" * len(numbers))
    rows = patients.fetch(
        "SELECT i.key, i.authority, i.type, i.value FROM engine.identifier AS i "  # noqa: S608 - only marks are written in
        f"JOIN engine.record AS r ON r.id = i.record WHERE i.record IN ({marks}) "
        f"AND (i.state = '{NumberState.OLD.value}' OR r.kind = '{Kind.REMOVED.value}')",
        numbers,
    )
    return frozenset(
        Identifier(
            patients.authority_key(authority),
            kind,
            patients.sealer.open(
                bytes(value), f"identifier|{bytes(key).hex()}"
            ).decode(),
        )
        for key, authority, kind, value in rows
    )
