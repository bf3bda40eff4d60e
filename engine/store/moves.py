"""Link, unlink, merge, unmerge, split, different: the moves people make.

Every move is a link event with its reason and its audit row; every one can be taken
back. Functions take an index on a write transaction and never commit.

Spec:
    identity.md 8.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, select

from engine.errors import IllegalTransitionError
from engine.identity.decision import Reason
from engine.identity.person import LinkEvent, LinkKind
from engine.store import audit, links, tasks
from engine.store.audit import Act, Order
from engine.store.patient_tables import person, record
from engine.store.patients import SqlPatientIndex, mint


@dataclass(frozen=True, slots=True)
class Request:
    """One move, by its kind.

    ``link`` brings records to ``target``; ``unlink`` and ``split`` take records off to
    a new person; ``merge`` retires ``source`` into ``target``; ``unmerge`` restores the
    retired ``source``; ``different`` and ``withdraw`` name two records.
    """

    kind: LinkKind
    records: tuple[int, ...] = ()
    source: str = ""
    target: str = ""


def move(
    patients: SqlPatientIndex, request: Request, order: Order, task: int = 0
) -> LinkEvent:
    """Carry out one move, with its reason and its audit row; return the event.

    ``task`` is the doubt that it answers.

    Raises:
        IllegalTransitionError: the move is not possible; nothing was written.
    """
    patients.flush()
    if not order.reason.strip():
        raise IllegalTransitionError("a move needs a reason")
    event = _moved(patients, request, event_of(order, request.kind, task))
    subject = f"person {event.target}" if event.target else f"record {event.records[0]}"
    written(patients, order, request.kind, subject)
    persons = {event.source, event.target} - {""}
    persons |= {person_of(patients.connection, each) for each in event.records}
    tasks.close_answered(patients.connection, persons, order.actor, order.now)
    return event


def revert(patients: SqlPatientIndex, number: int, order: Order) -> LinkEvent:
    """Take one link event back, whoever made it; return the event that does.

    Raises:
        IllegalTransitionError: there is none, or nothing is left to take back.
    """
    patients.flush()
    if not order.reason.strip():
        raise IllegalTransitionError("a move needs a reason")
    undone = links.find(patients.connection, number)
    event = replace(event_of(order, undone.kind, 0), target=mint())
    event = links.undo(patients, number, event)
    written(patients, order, "undo", f"link event {number}")
    return event


def take_off(patients: SqlPatientIndex, eid: str, number: int, order: Order) -> None:
    """Take a record off a person: to whom it came from, or to a new person.

    Raises:
        IllegalTransitionError: it is not theirs, or all that they have.
    """
    members = [each.number for each in patients.members(eid)]
    if number not in members or len(members) == 1:
        sentence = f"record {number} is not one of several that this person has"
        raise IllegalTransitionError(sentence)
    move(patients, Request(LinkKind.UNLINK, (number,)), order)


def take_back(patients: SqlPatientIndex, eid: str, number: int, order: Order) -> None:
    """Take back a link event of a person's records.

    Raises:
        IllegalTransitionError: it is not theirs, or nothing is left to take back.
    """
    members = [each.number for each in patients.members(eid)]
    known = links.history(patients.connection, members)
    if number not in {each.number for each in known}:
        raise IllegalTransitionError(f"link event {number} is not of this person")
    revert(patients, number, order)


PersonMove = Callable[[SqlPatientIndex, str, int, Order], None]
PERSON_MOVES: Final[Mapping[str, PersonMove]] = {
    "unlink": take_off,
    "undo": take_back,
}
"""What may be done with one record or one link event of a person, by its word."""


def _moved(patients: SqlPatientIndex, request: Request, event: LinkEvent) -> LinkEvent:
    match request.kind:
        case LinkKind.MERGE:
            _require_persons(patients.connection, request.source, request.target)
            return links.merge(patients, request.source, request.target, event)
        case LinkKind.UNMERGE:
            merge = links.merge_into(patients.connection, request.source)
            return links.undo(patients, merge.number, event)
        case LinkKind.DIFFERENT | LinkKind.WITHDRAW:
            if len(set(request.records)) != 2:  # noqa: PLR2004 - a pair
                raise IllegalTransitionError("name two records")
            return links.append(patients, replace(event, records=request.records))
        case LinkKind.LINK:
            _require_persons(patients.connection, request.target)
            return links.move(patients, request.records, request.target, event)
        case LinkKind.UNLINK:
            home = _earlier(patients.connection, request.records) or mint()
            return links.move(patients, request.records, home, event)
        case LinkKind.SPLIT:
            return links.move(patients, request.records, mint(), event)


def _earlier(connection: Connection, records: Sequence[int]) -> str:
    """Return the person these records came from, while it is in use."""
    [*owners] = {person_of(connection, each) for each in records}
    for number in records:
        brought = links.brought_by(connection, number, owners[0])
        if brought and links.resolved(connection, brought.source) == brought.source:
            return brought.source
    return ""


def person_of(connection: Connection, number: int) -> str:
    """Return the person a record belongs to.

    Raises:
        IllegalTransitionError: there is no such record.
    """
    statement = select(record.c.person).where(record.c.id == number)
    found: str | None = connection.execute(statement).scalar()
    if found is None:
        raise IllegalTransitionError(f"there is no record {number}")
    return found


def _require_persons(connection: Connection, *persons: str) -> None:
    statement = select(person.c.eid).where(person.c.eid.in_(persons))
    known = set(connection.execute(statement).scalars())
    for each in persons:
        if each not in known:
            raise IllegalTransitionError(f"there is no person {each!r}")


def event_of(order: Order, kind: LinkKind, number: int) -> LinkEvent:
    """Return the event of a person's decision; ``number`` is the task's or 0."""
    return LinkEvent(
        0, order.now, order.actor, kind, (), reason=Reason.DECIDED, task=number
    )


def written(patients: SqlPatientIndex, order: Order, action: str, subject: str) -> None:
    """Write the audit row of an act."""
    act = Act(order.now, order.actor, action, subject, order.reason)
    audit.write(patients.connection, patients.sealer, [act])
