"""What people and the command line ask the index: persons and comparisons.

Spec:
    identity.md 9 and 10; cli.md, ``interop mpi``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from engine.errors import IllegalTransitionError
from engine.identity.explanation import Line, explain, headline
from engine.identity.index import Identifier
from engine.identity.matching import Match, counted, match
from engine.identity.survivorship import GoldenRecord, SourceValues, golden
from engine.identity.weights import Model
from engine.store import links
from engine.store.patient_tables import (
    authority,
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
    return PersonView(
        eid, retired_into(connection, eid), golden(sources, ranks), sources
    )


def retired_into(connection: Connection, eid: str) -> tuple[str, ...]:
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
