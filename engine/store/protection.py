"""Who is confidential, as their sources say.

Spec:
    identity.md 14, M20.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, update

from engine.identity.decision import Decision
from engine.store import links
from engine.store.audit import Act, write
from engine.store.patient_tables import record
from engine.store.patients import SqlPatientIndex

ENGINE: Final = "engine"
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


def _shield(patients: SqlPatientIndex, person: str) -> None:
    patients.flush()
    links.shield(patients.connection, [person])
