"""Whether the tables of the patient index are what its events and records make of them.

What decides who is whom stands twice: in the link events and the sealed traits, and in
tables made of these, which are asked. So these need no second copy: they are made
anew here, and compared.

Spec:
    identity.md 12 and 14 (M21); faults.md F12.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Row, and_, func, or_, select

from engine.identity.blocking import block_keys
from engine.identity.index import Identifier
from engine.identity.person import fold
from engine.identity.traits import Traits, unpacked
from engine.identity.weights import Model
from engine.store import links, name_lists
from engine.store.counters import chunks
from engine.store.family_names import key_of
from engine.store.patient_changes import counted_names
from engine.store.patient_tables import (
    PersonState,
    authority,
    identifier,
    link_event,
    name_count,
    person,
    record,
)
from engine.store.patients import SqlPatientIndex

_LOST: Final = (
    select(record.c.id)
    .outerjoin(person, person.c.eid == record.c.person)
    .where(or_(person.c.eid.is_(None), person.c.state != PersonState.ACTIVE))
)
_RETIRED: Final = select(person.c.eid, person.c.state, person.c.survivor).where(
    or_(person.c.state != PersonState.ACTIVE, person.c.survivor != "")
)
_NOBODY: Final = select(person.c.eid).where(
    person.c.survivor == "",
    ~select(record.c.id).where(record.c.person == person.c.eid).exists(),
    ~select(link_event.c.id)
    .where(and_(link_event.c.source == person.c.eid, link_event.c.source != ""))
    .exists(),
)
_MOST: Final = (
    select(func.coalesce(func.max(record.c.confidential), 0))
    .where(record.c.person == person.c.eid)
    .scalar_subquery()
)
_UNSHIELDED: Final = select(person.c.eid).where(
    person.c.survivor == "", person.c.confidential != _MOST
)
_BLOCKS: Final = "SELECT 1 FROM engine.block WHERE record = ? AND key IN"
_NAMED: Final = "SELECT 1 FROM engine.family_record WHERE key = ? AND record = ?"
_LISTED: Final = {
    trait: f"SELECT 1 FROM engine.{table.name} WHERE key = ?"  # noqa: S608 - a table's name
    for trait, table in name_lists.LISTS.items()
}
_RECORDS: Final = select(
    record.c.id, record.c.person, record.c.identifying, record.c.traits
)
_COUNTS: Final = select(name_count)
_NUMBERS: Final = select(identifier, authority.c.key.label("issuer")).outerjoin(
    authority, authority.c.id == identifier.c.authority
)


def faults(patients: SqlPatientIndex, model: Model) -> Iterator[str]:
    """Yield a sentence for whatever is not as events and records make it.

    ``model`` gives the nicknames that block keys are made with.
    """
    state = fold(links.everything(patients.connection))
    yield from _persons(patients, state.survivor_of)
    yield from _records(patients, state.person_of, model)
    yield from _numbers(patients)


def _persons(
    patients: SqlPatientIndex, survivor_of: Mapping[str, str]
) -> Iterator[str]:
    ask = patients.connection.execute
    for row in ask(_LOST):
        yield f"Record {row.id} belongs to nobody in use."
    kept = {row.eid: row.survivor for row in ask(_RETIRED)}
    for eid in sorted(kept.keys() | survivor_of.keys()):
        if kept.get(eid) != survivor_of.get(eid):
            into = survivor_of.get(eid, "itself")
            yield f"Person {eid} should resolve to {into}."
    for row in ask(_NOBODY):
        yield f"Person {row.eid} never had a record."
    for row in ask(_UNSHIELDED):
        yield f"Person {row.eid} is not as confidential as the records say."


def _records(
    patients: SqlPatientIndex, person_of: Mapping[int, str], model: Model
) -> Iterator[str]:
    count, names = 0, Counter[int]()
    for row in patients.connection.execute(_RECORDS):
        count += 1
        if person_of.get(row.id) != row.person:
            yield f"Record {row.id} is not where its link events put it."
        traits = _traits(patients, row)
        if traits is None:
            yield f"Record {row.id} does not open."
            continue
        names.update(counted_names(patients, traits))
        yield from _marks(patients, row, traits, model)
    if count != len(person_of):
        yield f"{len(person_of)} records are in the list, not {count}."
    yield from _names(patients, names)


def _marks(
    patients: SqlPatientIndex,
    row: Row[*tuple[Any, ...]],
    traits: Traits,
    model: Model,
) -> Iterator[str]:
    if patients.identifying(traits) != bytes(row.identifying):
        yield f"Record {row.id} is not marked with what it says."
    if not _is_found(patients, row.id, traits, model):
        yield f"Record {row.id} lacks keys it should be found by."


def _names(patients: SqlPatientIndex, names: Mapping[int, int]) -> Iterator[str]:
    """Check how many records are counted under each name."""
    kept = {row.key: row.records for row in patients.connection.execute(_COUNTS)}
    for key in sorted(kept.keys() | names.keys()):
        if kept.get(key, 0) != names.get(key, 0):
            yield f"The count of records with the name {key} is wrong."


def _traits(patients: SqlPatientIndex, row: Row[*tuple[Any, ...]]) -> Traits | None:
    content = patients.sealer.open_undamaged(bytes(row.traits), f"record|{row.id}")
    return None if content is None else unpacked(content.decode())


def _is_found(
    patients: SqlPatientIndex, number: int, traits: Traits, model: Model
) -> bool:
    """Whether all keys lead to a record, and its names are in the lists of names."""
    if traits.isolated:
        return True
    wanted = block_keys(traits, model.formal, patients.secret)
    for some in chunks(wanted):
        marks = ", ".join("?" * len(some))
        rows = patients.fetch(f"{_BLOCKS} ({marks})", (number, *some))
        if len(rows) != len(some):
            return False
    return _is_named(patients, number, traits)


def _is_named(patients: SqlPatientIndex, number: int, traits: Traits) -> bool:
    """Whether both names of a record are listed, and the family name leads to it."""
    sealer = patients.sealer
    if traits.family:
        named = (key_of(sealer, traits.family), number)
        if not patients.fetch(_NAMED, named):
            return False
    names = {"family": traits.family, "given": traits.given}
    return all(
        patients.fetch(_LISTED[trait], (name_lists.digest_of(sealer, trait, name),))
        for trait, name in names.items()
        if name
    )


def _numbers(patients: SqlPatientIndex) -> Iterator[str]:
    """Check that each number hashes to what it is found by; an index has the rest."""
    for row in patients.connection.execute(_NUMBERS):
        key = bytes(row.key)
        value = patients.sealer.open_undamaged(
            bytes(row.value), f"identifier|{key.hex()}"
        )
        if value is None:
            yield f"Identifier {key.hex()} does not open."
            continue
        number = Identifier(row.issuer or "", row.type, value.decode())
        if patients.key_of(number) != key:
            yield f"Identifier {key.hex()} is not of this authority and type."
