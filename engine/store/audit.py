"""Who did what: rows chained by keyed hashes, written in the transaction of the act."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, literal_column, or_, select

from engine.errors import EngineError
from engine.failpoint import reach
from engine.store.counters import reserve
from engine.store.dialect import bulk
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.tables import audit

ENGINE: Final = "engine"
"""Who acts where no person does; its reasons name no patient and may be shown."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act: ``actor`` did ``action`` to ``subject`` (``message 4711``).

    ``detail`` may hold PHI, such as a typed reason; it is sealed. ``patient`` is the
    enterprise identifier of whom it showed: only a keyed hash of it is kept.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator asks for, and why: it is audited."""

    actor: str
    now: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which acts; what is empty does not restrict.

    With ``subjects`` and ``patients``, enterprise identifiers, one of them is enough.
    """

    actor: str = ""
    action: str = ""
    subjects: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    patients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An act with its place in the chain, and whom it showed, as a keyed hash."""

    id: int
    act: Act
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain, to be exported: it is what shows a cut-off tail."""

    id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a walk: rows checked, and the first thing wrong, or nothing."""

    rows: int
    fault: str = ""


_INSERT: Final = insert(audit)
_LAST: Final = select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
_NEXT: Final = (
    select(audit)
    .where(audit.c.id > bindparam("after"))
    .order_by(audit.c.id)
    .limit(bindparam("limit"))
)
_WALK_ROWS: Final = 1000
_LATELY_ROWS: Final = 2000

LOSS: Final = "accept-loss"
LOST: Final = "message.lost"
_LOSSES: Final = (
    select(audit)
    .where(audit.c.action.in_([literal_column(f"'{word}'") for word in (LOSS, LOST)]))
    .order_by(audit.c.id.desc())
    .limit(bindparam("limit"))
)
"""The newest losses that a person accepted, and the messages known to be lost."""


def write(connection: Connection, sealer: Sealer, acts: Sequence[Act]) -> None:
    """Add acts to the end of the chain."""
    if not acts:
        return
    ids = reserve(connection, "audit", len(acts))  # locks the chain until commit
    link = head(connection).hash
    rows: list[dict[str, object]] = []
    for number, act in zip(ids, acts, strict=True):
        detail = sealer.seal(act.detail.encode(), f"audit|{number}|")
        patient = _hashed(sealer, act.patient)
        link = sealer.chain(link, _canonical(number, act, detail, patient))
        rows.append(
            {
                "id": number,
                "at": act.at,
                "actor": act.actor,
                "action": act.action,
                "subject": act.subject,
                "detail": detail,
                "hash": link,
                "patient": patient,
            }
        )
    bulk(connection, _INSERT, rows)
    reach("audit.written")


def _hashed(sealer: Sealer, eid: str) -> str:
    """Return a person as the trail keeps them: only who has the key finds them."""
    return sealer.blind(f"audit|{eid}").hex() if eid else ""


def _canonical(number: int, act: Act, detail: bytes, patient: str) -> bytes:
    """Return one row as bytes that no other row has.

    Rows of before there were hashes of patients have no part for one.
    """
    at = round(act.at.timestamp() * 1_000_000)
    words = [str(number), str(at), act.actor, act.action, act.subject]
    parts = [*(word.encode() for word in words), detail]
    if patient:
        parts.append(patient.encode())
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def head(connection: Connection) -> Head:
    """Return the end of the chain; id 0 when it is empty."""
    last = connection.execute(_LAST).one_or_none()
    return Head(0, b"") if last is None else Head(last.id, last.hash)


def verify(
    connection: Connection, sealer: Sealer, expected: Sequence[Head] = ()
) -> Verification:
    """Walk the whole chain; ``expected`` are heads exported earlier."""
    heads = {one.id: one.hash for one in expected if one.id}
    link, count = b"", 0
    for row in _walk(connection):
        count += 1
        if row.id != count:
            return Verification(count - 1, f"Row {count} is missing.")
        act = Act(row.at, row.actor, row.action, row.subject)
        link = sealer.chain(link, _canonical(row.id, act, row.detail, row.patient))
        if row.hash != link or heads.pop(row.id, link) != link:
            return Verification(count - 1, f"Row {row.id} was changed.")
    if heads:
        return Verification(count, f"The chain ends before row {max(heads)}.")
    return Verification(count)


def _walk(connection: Connection) -> Iterator[Found]:
    after = 0
    while True:
        place = {"after": after, "limit": _WALK_ROWS}
        found = connection.execute(_NEXT, place).all()
        yield from found
        if len(found) < _WALK_ROWS:
            return
        after = found[-1].id


def rows(
    connection: Connection,
    sealer: Sealer,
    *,
    subject: str = "",
    before: int = 0,
    limit: int = 100,
) -> list[AuditRow]:
    """Return acts, newest first, older than row ``before`` when it is given."""
    wanted = Wanted(subjects=(subject,) if subject else ())
    return search(connection, sealer, wanted, before=before, limit=limit)


def search(
    connection: Connection,
    sealer: Sealer,
    wanted: Wanted,
    *,
    before: int = 0,
    limit: int = 100,
) -> list[AuditRow]:
    """Return the acts that fit, newest first, older than row ``before`` if given."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
    for column, asked in (
        (audit.c.actor, wanted.actor),
        (audit.c.action, wanted.action),
    ):
        if asked:
            statement = statement.where(column == asked)
    about = [audit.c.subject.in_(wanted.subjects)] if wanted.subjects else []
    if wanted.patients:
        hashes = [_hashed(sealer, each) for each in wanted.patients]
        about.append(audit.c.patient.in_(hashes))
    if about:
        statement = statement.where(or_(*about))
    if wanted.since:
        statement = statement.where(audit.c.at >= wanted.since)
    if wanted.until:
        statement = statement.where(audit.c.at <= wanted.until)
    if before:
        statement = statement.where(audit.c.id < before)
    return [_shown(sealer, row) for row in connection.execute(statement)]


def lately(
    connection: Connection, sealer: Sealer, subject: str, since: datetime
) -> list[AuditRow]:
    """Return what was done to something since then, newest first.

    Only the last acts of all are looked through, so that it costs little at any size.
    """
    last = head(connection).id
    statement = (
        select(audit)
        .where(audit.c.id > last - _LATELY_ROWS, audit.c.subject == subject)
        .where(audit.c.at >= since)
        .order_by(audit.c.id.desc())
    )
    return [_shown(sealer, row) for row in connection.execute(statement)]


def losses(connection: Connection, sealer: Sealer, limit: int = 1000) -> list[AuditRow]:
    """Return the losses that were accepted, newest first, each with its messages."""
    found = connection.execute(_LOSSES, {"limit": limit})
    return [_shown(sealer, row) for row in found]


def _shown(sealer: Sealer, row: Found) -> AuditRow:
    try:
        detail = sealer.open(row.detail, f"audit|{row.id}|").decode()
    except EngineError:  # a damaged row is shown; `verify` is what names it
        detail = "(does not open)"
    act = Act(row.at, row.actor, row.action, row.subject, detail)
    return AuditRow(row.id, act, row.patient)
