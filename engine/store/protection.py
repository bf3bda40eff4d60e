"""Who is confidential, as their sources say, and what is kept about them.

Spec:
    identity.md 14, M20.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, or_, select, update

from engine.identity.decision import Decision
from engine.store import links
from engine.store.audit import Act, write
from engine.store.patient_tables import person, record, task, task_candidate
from engine.store.patients import SqlPatientIndex
from engine.store.tables import message

ENGINE: Final = "engine"
_ABOUT_PROTECTED: Final = (
    select(task.c.id)
    .distinct()
    .outerjoin(task_candidate, task_candidate.c.task == task.c.id)
    .join(
        record,
        or_(record.c.id == task.c.record, record.c.id == task_candidate.c.record),
    )
    .join(person, person.c.eid == record.c.person)
    .where(task.c.id.in_(bindparam("tasks", expanding=True)), person.c.confidential > 0)
)
_FOUND: Final = select(message.c.id, message.c.person).where(
    message.c.id.in_(bindparam("messages", expanding=True)), message.c.person != ""
)
_ASKED: Final = select(task.c.message, task.c.id).where(
    task.c.message.in_(bindparam("messages", expanding=True))
)
_PROTECT: Final = (
    update(record)
    .where(record.c.id == bindparam("number"))
    .values(confidential=bindparam("told"))
)


def keep(patients: SqlPatientIndex, decision: Decision, now: datetime) -> None:
    """Keep what the message says of confidentiality; a late word lifts nothing.

    Protection begins even with a message that is held. It ends with none of those.
    """
    registration, record = decision.registration, decision.record
    told = registration.confidential
    if record is None:
        if told and decision.change is not None:
            _shield(patients, decision.change.person)
        return
    late = registration.happened < record.updated or decision.held
    if told is None or told == record.confidential or (late and not told):
        return
    patients.flush()
    where = {"number": record.number, "told": int(told)}
    patients.connection.execute(_PROTECT, where)
    _shield(patients, record.person)
    word = "confidential" if told else "no longer confidential"
    act = Act(now, ENGINE, "protect", f"record {record.number}", word)
    write(patients.connection, patients.sealer, [act])


def shielded(connection: Connection, tasks: Collection[int]) -> frozenset[int]:
    """Return which of some tasks of the mismatch queue are about somebody confidential.

    One such person among those that a doubt is about is enough.
    """
    if not tasks:
        return frozenset()
    found = connection.execute(_ABOUT_PROTECTED, {"tasks": list(tasks)})
    return frozenset(found.scalars())


def concerned(connection: Connection, messages: Collection[int]) -> frozenset[int]:
    """Return which of some messages were found to be about somebody confidential.

    The person of a message counts as they are today, and the doubts it raised; one that
    was not processed is in no answer.
    """
    asked = {"messages": list(messages)}
    persons = {row.id: row.person for row in connection.execute(_FOUND, asked)}
    today = {eid: links.resolved(connection, eid) for eid in set(persons.values())}
    hidden = links.confidential(connection, today.values())
    raised = {row.id: row.message for row in connection.execute(_ASKED, asked)}
    covered = shielded(connection, raised)
    return frozenset(
        number for number, eid in persons.items() if today[eid] in hidden
    ).union(raised[each] for each in covered)


def _shield(patients: SqlPatientIndex, person: str) -> None:
    patients.flush()
    links.shield(patients.connection, [person])
