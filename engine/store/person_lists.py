"""Lists of the patient index: what each message decided, with today's person."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from engine.store.patient_tables import (
    authority,
    decision,
    identifier,
    record,
)
from engine.store.seal import Sealer


@dataclass(frozen=True, slots=True)
class Touched:
    """One person that one message touched.

    ``person`` is today's enterprise identifier of the record, not the one stamped
    first. ``candidate`` is the control id of the record a doubt is about. ``key`` is
    the keyed hash of the record's first identifier, for `number_of`.
    """

    message: int
    record: int
    control_id: str
    person: str
    outcome: str
    reasons: str
    candidate: str
    authority: str
    key: bytes


_NUMBERS: Final = (
    select(identifier.c.record, identifier.c.key)
    .where(identifier.c.record.in_(bindparam("records", expanding=True)))
    .order_by(identifier.c.record, identifier.c.state.desc(), identifier.c.key.desc())
)
_OTHER: Final = decision.alias("other")
_CANDIDATE: Final = (
    select(_OTHER.c.control_id)
    .where(_OTHER.c.record == decision.c.candidate)
    .order_by(_OTHER.c.message)
    .limit(1)
    .scalar_subquery()
)
_TOUCHED: Final = (
    select(
        decision.c.message,
        decision.c.record,
        decision.c.control_id,
        record.c.person,
        decision.c.outcome,
        decision.c.reasons,
        func.coalesce(_CANDIDATE, ""),
        func.coalesce(authority.c.key, ""),
    )
    .join(record, record.c.id == decision.c.record)
    .outerjoin(authority, authority.c.id == record.c.authority)
    .where(decision.c.message > bindparam("after"))
    .order_by(decision.c.message, decision.c.record)
)
_VALUE: Final = select(identifier.c.value).where(identifier.c.key == bindparam("key"))


def touched(
    connection: Connection, *, after: int = 0, limit: int = 1000
) -> list[Touched]:
    """Return who each message beyond ``after`` touched, whole messages at a time.

    ``limit`` counts messages' rows and is passed where one message has more.
    """
    rows = connection.execute(_TOUCHED.limit(limit), {"after": after}).all()
    if len(rows) == limit:
        last = rows[-1].message
        whole = [row for row in rows if row.message != last]
        rows = whole or rows
    numbers = {"records": list({row.record for row in rows})}
    first = {row.record: row.key for row in connection.execute(_NUMBERS, numbers)}
    return [Touched(*row, first.get(row.record, b"")) for row in rows]


def number_of(connection: Connection, sealer: Sealer, key: bytes) -> str:
    """Return the identifier behind its keyed hash: patient data."""
    value = connection.execute(_VALUE, {"key": key}).scalar()
    if not value:
        return ""
    return sealer.open(value, f"identifier|{key.hex()}").decode()
