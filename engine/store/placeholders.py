"""Numbers of patients that were learned to stand for nobody, and what follows from it.

Spec:
    identity.md 2, "placeholders are learned too"; 12; 14 (M15).
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from engine.identity.decision import Decision
from engine.identity.weights import Model
from engine.store import audit
from engine.store.dialect import put
from engine.store.patient_tables import authority, block, placeholder, record
from engine.store.patients import SqlPatientIndex
from engine.store.rescoring import rescore

ENGINE: Final = "engine"
_LEARNED: Final = (
    select(placeholder, record.c.person, record.c.confidential)
    .join(record, record.c.id == placeholder.c.record)
    .order_by(placeholder.c.since.desc(), placeholder.c.key)
)
_HAVING: Final = select(placeholder.c.trait, authority.c.key, func.count())
_BEARERS: Final = (
    select(placeholder.c.key, func.count(record.c.person.distinct()))
    .join(block, block.c.key == placeholder.c.key)
    .join(record, record.c.id == block.c.record)
    .group_by(placeholder.c.key)
)


@dataclass(frozen=True, slots=True)
class Learned:
    """A value that counts for nobody any more.

    ``record`` is the one it was learned from, ``person`` whose that is, empty where
    that is confidential; ``seen`` is how many persons had the value at ``since``, when
    it was learned, ``persons`` how many have it today.
    """

    trait: str
    record: int
    person: str
    seen: int
    persons: int
    since: datetime


def learn(
    patients: SqlPatientIndex,
    decision: Decision,
    number: int,
    now: datetime,
    model: Model,
) -> None:
    """Keep the placeholders a decision came upon, and score the open doubts anew.

    Links that stand are left alone: people, or better evidence, may have made them.

    Args:
        patients: on the transaction that writes the decision.
        decision: whose candidates showed it.
        number: its record.
        now: when it is learned.
        model: what open doubts about its bearers are scored by.
    """
    if not decision.learned:
        return
    patients.flush()
    rows = [
        {
            "key": each.key,
            "trait": each.trait,
            "record": number,
            "seen": each.seen,
            "since": now,
        }
        for each in decision.learned
    ]
    put(patients.connection, placeholder, rows)
    acts = [
        audit.Act(
            now,
            ENGINE,
            "learn placeholder",
            f"record {number}",
            f"{each.seen} persons have this {each.trait}",
        )
        for each in decision.learned
    ]
    audit.write(patients.connection, patients.sealer, acts)
    keys = [each.key for each in decision.learned]
    rescore(patients, _bearers(patients.connection, keys), model)


def _bearers(connection: Connection, keys: Collection[int]) -> set[str]:
    """Return the persons who have some of these values."""
    wanted = (
        select(record.c.person)
        .distinct()
        .join(block, block.c.record == record.c.id)
        .where(block.c.key.in_(keys))
    )
    return set(connection.execute(wanted).scalars())


def listed(connection: Connection) -> list[Learned]:
    """Return the placeholders learned so far, the latest first."""
    today = {row[0]: row[1] for row in connection.execute(_BEARERS)}
    return [
        Learned(
            row.trait,
            row.record,
            "" if row.confidential else row.person,
            row.seen,
            today.get(row.key, 0),
            row.since,
        )
        for row in connection.execute(_LEARNED)
    ]


def by_source(connection: Connection) -> dict[str, Counter[str]]:
    """Return by source how many records have a learned placeholder in each trait."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    wanted = (
        _HAVING.join(block, block.c.key == placeholder.c.key)
        .join(record, record.c.id == block.c.record)
        .join(authority, authority.c.id == record.c.authority)
        .group_by(placeholder.c.trait, authority.c.key)
    )
    for trait, source, records in connection.execute(wanted):
        found[source][trait] = records
    return found
