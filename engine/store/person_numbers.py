"""Numbers and persons: whom a number or a handle leads to, and a person's numbers.

Spec:
    identity.md 11 (ITI-9, ITI-83) and 14 (M08).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from engine.identity.enterprise_identifier import called
from engine.identity.index import Identifier
from engine.identity.traits import Kind
from engine.store.links import resolved
from engine.store.patient_tables import (
    NumberState,
    authority,
    identifier,
    person,
    record,
)
from engine.store.patients import SqlPatientIndex

TYPES: Final = (
    "MR", "PI", "PT", "PE", "PN", "EI", "MRT", "LR", "XX", "U", "NI", "NH", "HC", "JHN",
    "PHC", "MI", "WC", "SS",
)  # fmt: skip
"""Types of table 0203 tried for a number asked for without one, most usual first."""

UNNAMED: Final = "message"
"""The type of what stands for a number where a patient came without any."""


class Number(NamedTuple):
    """One number of a person; an old one still leads to them."""

    identifier: Identifier
    active: bool


_NUMBERS: Final = (
    select(identifier, authority.c.key.label("issuer"), record.c.person, record.c.kind)
    .join(record, record.c.id == identifier.c.record)
    .join(authority, authority.c.id == identifier.c.authority)
    .where(
        record.c.person.in_(bindparam("persons", expanding=True)),
        identifier.c.type != UNNAMED,
    )
    .order_by(identifier.c.state, identifier.c.record, identifier.c.key)
)
_KNOWN: Final = select(person.c.eid).where(person.c.eid == bindparam("eid"))
_CALLED: Final = select(person.c.eid).where(
    person.c.eid.between(bindparam("first"), bindparam("last"))
)
_AUTHORITIES: Final = select(authority.c.key)


def numbers_of(
    patients: SqlPatientIndex, persons: Collection[str]
) -> dict[str, list[Number]]:
    """Return the numbers of some persons, those in use first.

    Those of a record that its system removed are in use no more.
    """
    found: defaultdict[str, list[Number]] = defaultdict(list)
    for row in patients.connection.execute(_NUMBERS, {"persons": list(persons)}):
        context = f"identifier|{bytes(row.key).hex()}"
        value = patients.sealer.open(bytes(row.value), context).decode()
        number = Identifier(row.issuer, row.type, value)
        active = row.state == NumberState.ACTIVE and row.kind != Kind.REMOVED
        found[row.person].append(Number(number, active))
    for numbers in found.values():
        numbers.sort(key=lambda each: not each.active)
    return found


def persons_of(
    patients: SqlPatientIndex,
    issuer: str,
    value: str,
    types: Sequence[str] = TYPES,
    *,
    removed: bool = True,
) -> list[str]:
    """Return whom a number of an authority leads to, today's persons; mostly one.

    Numbers of records that their system removed lead there only if ``removed`` is set.
    """
    asked = [Identifier(issuer, kind, value) for kind in types]
    found = patients.known(asked).values()
    kept = (each for each in found if removed or not each.traits.removed)
    return sorted({each.person for each in kept})


def person_today(connection: Connection, eid: str) -> str:
    """Return who an enterprise identifier stands for today; ``""`` when unknown."""
    if connection.execute(_KNOWN, {"eid": eid}).first() is None:
        return ""
    return resolved(connection, eid)


def persons_called(connection: Connection, handle: str) -> list[str]:
    """Return whom a handle means, today's persons; mostly one."""
    if (meant := called(handle)) is None:
        return []
    found = connection.execute(_CALLED, meant._asdict()).scalars()
    return sorted({resolved(connection, eid) for eid in found.all()})


def authorities(connection: Connection) -> frozenset[str]:
    """Return the assigning authorities of which there are numbers."""
    return frozenset(connection.execute(_AUTHORITIES).scalars())
