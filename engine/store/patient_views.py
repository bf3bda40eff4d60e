"""What people and the command line ask the index: persons, comparisons, checks.

Spec:
    identity.md 9, 10 and 12; cli.md, ``interop mpi``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from engine.errors import IllegalTransitionError
from engine.identity.blocking import block_keys
from engine.identity.explanation import Line, explain, headline
from engine.identity.index import Identifier, SourceRecord
from engine.identity.matching import Match, counted, match
from engine.identity.person import fold
from engine.identity.survivorship import GoldenRecord, SourceValues, golden
from engine.identity.weights import Model
from engine.store import links
from engine.store.patient_tables import (
    PersonState,
    authority,
    block,
    identifier,
    person,
    record,
)
from engine.store.patients import SqlPatientIndex
from engine.store.tasks import Evidence
from engine.store.worklist import Task


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person: today's golden record and the records behind it."""

    eid: str
    retired: tuple[str, ...]
    golden: GoldenRecord
    records: tuple[SourceValues, ...]


class Faults(NamedTuple):
    """What `verify` found: records checked, and what is wrong, by record or person."""

    records: int
    sentences: tuple[str, ...]


# -- persons ---------------------------------------------------------------------------


def view(
    patients: SqlPatientIndex, eid: str, ranks: Sequence[str] = ()
) -> PersonView | None:
    """Return the person an enterprise identifier stands for; None when unknown."""
    connection = patients.connection
    known = select(person.c.eid).where(person.c.eid == eid)
    if connection.execute(known).first() is None:
        return None
    eid = links.resolved(connection, eid)
    sources = _sources(patients, eid)
    return PersonView(eid, _retired(connection, eid), golden(sources, ranks), sources)


def _retired(connection: Connection, eid: str) -> tuple[str, ...]:
    """Return the identifiers that resolve to a person, however far back."""
    found: list[str] = []
    near = [eid]
    while near:
        statement = select(person.c.eid).where(person.c.survivor.in_(near))
        near = sorted(connection.execute(statement).scalars())
        found += near
    return tuple(found)


def _sources(patients: SqlPatientIndex, eid: str) -> tuple[SourceValues, ...]:
    members = patients.members(eid)
    numbers = [each.number for each in members]
    statement = select(record.c.id, record.c.message).where(record.c.id.in_(numbers))
    rows = patients.connection.execute(statement)
    said = {row.id: row.message for row in rows}
    named = identifiers_of(patients, numbers)
    return tuple(
        SourceValues(
            each.number,
            each.authority,
            each.traits,
            each.updated,
            said[each.number],
            named.get(each.number, ()),
        )
        for each in members
    )


def identifiers_of(
    patients: SqlPatientIndex, numbers: Sequence[int]
) -> dict[int, tuple[Identifier, ...]]:
    """Return the identifiers that lead to each record, those in use first."""
    statement = (
        select(identifier, authority.c.key.label("issuer"))
        .join(authority, authority.c.id == identifier.c.authority)
        .where(identifier.c.record.in_(numbers))
        .order_by(identifier.c.record, identifier.c.state, identifier.c.key)
    )
    rows = patients.connection.execute(statement).all()
    return {
        number: tuple(
            Identifier(
                row.issuer,
                row.type,
                patients.sealer.open(row.value, f"identifier|{row.key.hex()}").decode(),
            )
            for row in group
        )
        for number, group in groupby(rows, key=lambda row: row.record)
    }


def compare(
    patients: SqlPatientIndex, one: int, other: int, model: Model
) -> tuple[Match, tuple[Line, ...]]:
    """Return how two records compare, with a line for each trait.

    Raises:
        IllegalTransitionError: one of them is not known.
    """
    left, right = patients.record(one), patients.record(other)
    if left is None or right is None:
        raise IllegalTransitionError(f"records {one} and {other} are not both known")
    counts = counted(left.traits, patients, model)
    found = match(left.traits, right, counts, model)
    return found, explain(left.traits, found, model)


@dataclass(frozen=True, slots=True)
class Explained:
    """One candidate of a task, as the doubt saw it: a headline and a line a trait."""

    record: int
    person: str
    bits: float
    headline: str
    lines: tuple[Line, ...]


def explained(found: Task, model: Model) -> list[Explained]:
    """Return why each candidate of a task is one, from the task's own evidence.

    A candidate that was never compared (an identifier claimed twice) has no lines.
    """
    evidence = Evidence.read(found.evidence)
    return [
        Explained(
            each.record.number,
            each.record.person,
            each.bits,
            headline(lines := explain(evidence.traits, each, model)),
            lines,
        )
        for each in evidence.matches
    ]


# -- verify ----------------------------------------------------------------------------


def verify(patients: SqlPatientIndex, model: Model) -> Faults:
    """Return whether the tables are the fold of the events and every key is there."""
    state = fold(links.everything(patients.connection))
    sentences: list[str] = []
    survivors = {row.eid: row for row in patients.connection.execute(select(person))}
    count = 0
    for each in patients.everyone():
        count += 1
        sentences += _faults_of(patients, each, state.person_of, model)
        holder = survivors.get(each.person)
        if holder is None or holder.state != PersonState.ACTIVE:
            sentences.append(f"Record {each.number} belongs to nobody in use.")
    sentences += [
        f"Person {eid} should resolve to {state.survivor_of.get(eid, 'itself')}."
        for eid, row in survivors.items()
        if row.survivor != state.survivor_of.get(eid, "")
    ]
    if count != len(state.person_of):
        sentences.append(
            f"{len(state.person_of)} records are in the list, not {count}."
        )
    return Faults(count, tuple(sentences))


def _faults_of(
    patients: SqlPatientIndex,
    each: SourceRecord,
    person_of: Mapping[int, str],
    model: Model,
) -> list[str]:
    sentences = []
    if person_of.get(each.number) != each.person:
        sentences.append(f"Record {each.number} is not where its link events put it.")
    wanted = set(block_keys(each.traits, model.formal, patients.secret))
    statement = select(func.count()).where(
        block.c.record == each.number, block.c.key.in_(wanted)
    )
    if patients.connection.execute(statement).scalar() != len(wanted):
        sentences.append(f"Record {each.number} lacks block keys.")
    return sentences
