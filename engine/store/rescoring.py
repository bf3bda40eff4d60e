"""Open doubts compared anew, once it has changed who is concerned, or what counts.

What a doubt was at its creation stays in its evidence; the score of today is what the
queue shows. No doubt is closed by it: the decision may be taken back.

Spec:
    identity.md 11, worklist; console.md S6, rules.
"""

from collections.abc import Iterable

from sqlalchemy import func, select, update

from engine.identity.index import SourceRecord
from engine.identity.matching import counted, likeness
from engine.identity.placeholders import meant
from engine.identity.registration import Category
from engine.identity.weights import Model
from engine.store import worklist
from engine.store.moves import person_of
from engine.store.patient_tables import record, task, task_candidate
from engine.store.patients import SqlPatientIndex

_LIKENESS = frozenset({Category.DUPLICATE, Category.OVERLAP})


def rescore(patients: SqlPatientIndex, persons: Iterable[str], model: Model) -> int:
    """Score the open doubts about some persons again; return how many there are."""
    connection = patients.connection
    wanted = select(record.c.id).where(record.c.person.in_(set(persons)))
    numbers = list(connection.execute(wanted).scalars())
    found = [
        each
        for each in worklist.about(connection, numbers)
        if each.category in _LIKENESS and each.record
    ]
    for each in found:
        _score(patients, each, model)
    return len(found)


def _score(patients: SqlPatientIndex, found: worklist.Task, model: Model) -> None:
    person = person_of(patients.connection, found.record)
    own = patients.members(person)
    for each in found.candidates:
        if each.person == person:
            continue
        bits = max(_bits(patients, one, each.person, model) for one in own)
        patients.connection.execute(
            update(task_candidate)
            .where(
                task_candidate.c.task == found.id,
                task_candidate.c.record == each.record,
            )
            .values(millibits=round(bits * 1000))
        )
    best = select(func.max(task_candidate.c.millibits)).where(
        task_candidate.c.task == found.id
    )
    patients.connection.execute(
        update(task)
        .where(task.c.id == found.id)
        .values(millibits=func.coalesce(best.scalar_subquery(), 0))
    )


def _bits(
    patients: SqlPatientIndex, one: SourceRecord, person: str, model: Model
) -> float:
    traits = meant(one.traits, patients)
    counts = counted(traits, patients, model)
    return likeness(traits, patients.members(person), counts, model).bits
