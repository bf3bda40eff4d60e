"""The mismatch queue's rows: doubts become tasks, and tasks close.

Spec:
    identity.md 6 and 12.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from engine.identity.decision import Decision, Doubt, Reason
from engine.identity.index import SourceRecord
from engine.identity.matching import Match
from engine.identity.registration import Category
from engine.identity.traits import Traits, unpacked, updated
from engine.identity.weights import Frequencies
from engine.store.counters import reserve
from engine.store.patient_tables import (
    TaskState,
    different,
    record,
    task,
    task_candidate,
)
from engine.store.patients import SqlPatientIndex

RESCORED: Final = "rescored"
_OPEN_OF: Final = select(
    task.c.id, task.c.category, task.c.reason, task.c.message
).where(task.c.record == bindparam("record"), task.c.state == TaskState.OPEN)
_CANDIDATES: Final = select(task_candidate.c.task, task_candidate.c.record).where(
    task_candidate.c.task.in_(bindparam("tasks", expanding=True))
)
_CLOSE: Final = (
    update(task)
    .where(task.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=TaskState.DECIDED,
        decision=bindparam("word"),
        decided_by=bindparam("actor"),
        decided_at=bindparam("now"),
    )
)
_ABOUT_LIKENESS: Final = frozenset({Category.DUPLICATE, Category.OVERLAP})
_own, _theirs = record.alias("own"), record.alias("theirs")
_ASKED: Final = (
    select(
        task.c.id,
        _own.c.person.label("own"),
        _theirs.c.person.label("theirs"),
        different.c.low,
    )
    .join(task_candidate, task_candidate.c.task == task.c.id)
    .join(_own, _own.c.id == task.c.record)
    .join(_theirs, _theirs.c.id == task_candidate.c.record)
    .outerjoin(
        different,
        or_(
            and_(different.c.low == _own.c.id, different.c.high == _theirs.c.id),
            and_(different.c.low == _theirs.c.id, different.c.high == _own.c.id),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class _Open:
    """An open task of a record: its category and reason, its message, candidates."""

    id: int
    category: str
    reason: str
    message: int
    candidates: frozenset[int]


def raise_doubts(
    patients: SqlPatientIndex, decision: Decision, number: int, now: datetime
) -> None:
    """Open a task for each new doubt; close those that a change has answered."""
    change = decision.change
    asked_again = (
        change is not None
        and change.before is not None
        and (change.before.identifying != change.traits.identifying)
    )
    if not decision.doubts and not asked_again:
        return
    known = open_tasks(patients.connection, number)
    still: set[int] = set()
    for doubt in decision.doubts:
        same = _same(doubt, decision, known)
        still.update(same)
        if not same:
            _open(patients, decision, doubt, number, now)
    if asked_again:
        answered = [
            each.id
            for each in known
            if each.id not in still and each.category in _ABOUT_LIKENESS
            if each.message  # what a person asked, a person answers
        ]
        close(patients.connection, answered, RESCORED, "engine", now)


def open_tasks(connection: Connection, number: int) -> list[_Open]:
    """Return the open tasks that a record raised."""
    rows = connection.execute(_OPEN_OF, {"record": number}).all()
    if not rows:
        return []
    found: dict[int, set[int]] = {row.id: set() for row in rows}
    for row in connection.execute(_CANDIDATES, {"tasks": list(found)}):
        found[row.task].add(row.record)
    return [
        _Open(row.id, row.category, row.reason, row.message, frozenset(found[row.id]))
        for row in rows
    ]


def close(
    connection: Connection, ids: Sequence[int], word: str, actor: str, now: datetime
) -> None:
    """Set tasks decided."""
    if ids:
        connection.execute(
            _CLOSE, {"ids": list(ids), "word": word, "actor": actor, "now": now}
        )


def close_answered(
    connection: Connection, persons: Collection[str], actor: str, now: datetime
) -> None:
    """Close tasks about these persons whose records are one person now, or told apart.

    After a merge the doubts between the two are gone, whoever merged them.
    """
    close(connection, sorted(_answered(connection, persons)), "answered", actor, now)


def undecided(connection: Connection, number: int) -> bool:
    """Whether a candidate is neither joined with a task's record nor told apart."""
    rows = connection.execute(_ASKED.where(task.c.id == number))
    return any(row.own != row.theirs and row.low is None for row in rows)


def _answered(connection: Connection, persons: Collection[str]) -> set[int]:
    touched = (
        select(task.c.id)
        .join(task_candidate, task_candidate.c.task == task.c.id)
        .join(_own, _own.c.id == task.c.record)
        .join(_theirs, _theirs.c.id == task_candidate.c.record)
        .where(
            task.c.state == TaskState.OPEN,
            task.c.category.in_(_ABOUT_LIKENESS),
            or_(_own.c.person.in_(persons), _theirs.c.person.in_(persons)),
        )
    )
    rows = connection.execute(_ASKED.where(task.c.id.in_(touched))).all()
    still = {row.id for row in rows if row.own != row.theirs and row.low is None}
    return {row.id for row in rows} - still


def _same(doubt: Doubt, decision: Decision, known: Sequence[_Open]) -> list[int]:
    """Return the open tasks that ask the question of a doubt already."""
    candidates = {each.record.number for each in doubt.matches}
    return [
        each.id
        for each in known
        if each.category == doubt.category
        and (
            each.message == decision.registration.message
            or (candidates and candidates <= each.candidates)
        )
    ]


def _open(
    patients: SqlPatientIndex,
    decision: Decision,
    doubt: Doubt,
    number: int,
    now: datetime,
) -> None:
    registration = decision.registration
    row = {
        "category": doubt.category,
        "reason": doubt.reason,
        "record": number,
        "person": decision.enterprise_id,
        "message": registration.message,
        "held": int(doubt.held),
        "model": decision.model,
        "opened_at": now,
    }
    _write(patients, row, doubt.matches, _evidence(decision, doubt))


def open_question(
    patients: SqlPatientIndex,
    asked: SourceRecord,
    found: Match,
    model: str,
    now: datetime,
) -> int:
    """Open a task because a person asks whether two records are one person's.

    No message raised it, so none is held, and no rule closes it.
    """
    same = asked.authority == found.record.authority
    row = {
        "category": Category.DUPLICATE if same else Category.OVERLAP,
        "reason": Reason.POTENTIAL_DUPLICATE if same else Reason.POTENTIAL_OVERLAP,
        "record": asked.number,
        "person": asked.person,
        "message": 0,
        "held": 0,
        "model": model,
        "opened_at": now,
    }
    evidence = _told(traits=asked.traits.packed(), candidates=[_candidate(found)])
    return _write(patients, row, (found,), evidence)


def _write(
    patients: SqlPatientIndex,
    row: Mapping[str, object],
    matches: Sequence[Match],
    evidence: bytes,
) -> int:
    identity = reserve(patients.connection, "task", 1)[0]
    values = {
        "id": identity,
        "state": TaskState.OPEN,
        "millibits": round(matches[0].bits * 1000) if matches else 0,
        "assignee": "",
        "decided_by": "",
        "decision": "",
        "evidence": patients.sealer.seal(evidence, f"task|{identity}"),
        **row,
    }
    patients.connection.execute(insert(task), values)
    candidates = {each.record.number: each for each in matches}
    if candidates:
        patients.connection.execute(
            insert(task_candidate),
            [
                {
                    "task": identity,
                    "record": candidate,
                    "millibits": round(each.bits * 1000),
                }
                for candidate, each in candidates.items()
            ],
        )
    return identity


@dataclass(frozen=True, slots=True)
class Evidence:
    """The data of a doubt as of its creation: what came, and what it was like."""

    traits: Traits
    matches: tuple[Match, ...]
    before: Traits | None = None

    def at_the_time(self, number: int) -> dict[int, Traits]:
        """Return what each record said then; ``number`` is the one in doubt."""
        own = updated(self.before, self.traits) if self.before else self.traits
        return {each.record.number: each.record.traits for each in self.matches} | {
            number: own
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `_evidence` kept."""
        matches = (_read_candidate(each) for each in stored["candidates"])
        before = unpacked(stored["before"]) if stored["before"] else None
        return cls(unpacked(stored["traits"]), tuple(matches), before)


def _evidence(decision: Decision, doubt: Doubt) -> bytes:
    """Return the data of a doubt as of its creation, as JSON."""
    registration = decision.registration
    return _told(
        control_id=registration.control_id,
        event=registration.event,
        happened=registration.happened,
        identifiers=[list(each) for each in registration.identifiers],
        traits=registration.traits.packed(),
        before=decision.record.traits.packed() if decision.record else "",
        confidential=bool(registration.confidential),
        candidates=[_candidate(each) for each in doubt.matches],
    )


def _told(**facts: object) -> bytes:
    nothing = {"control_id": "", "event": "", "happened": "", "identifiers": []}
    return json.dumps(
        {**nothing, "before": "", "confidential": False, **facts}
    ).encode()


def _candidate(found: Match) -> dict[str, object]:
    return {
        "record": found.record.number,
        "person": found.record.person,
        "authority": found.record.authority,
        "traits": found.record.traits.packed(),
        "levels": found.levels,
        "bits": found.bits,
        "counts": list(found.counts),
        "guarded": found.guarded,
    }


def _read_candidate(stored: Mapping[str, Any]) -> Match:
    record = SourceRecord(
        stored["record"],
        stored["person"],
        stored["authority"],
        unpacked(stored["traits"]),
    )
    counts = Frequencies(*stored["counts"])
    guarded = stored["guarded"]
    return Match(record, stored["levels"], stored["bits"], counts, guarded)
