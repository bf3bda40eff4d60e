"""What a change of membership sends out again: one list, shown before and kept to.

Spec:
    identity.md 8, "What a decision sends out".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.identity.person import LinkEvent, LinkKind


class Form(StrEnum):
    """What a destination is sent."""

    FHIR = "fhir"
    HL7 = "hl7"
    SUMMARY = "summary"
    NOTE = "note"
    MESSAGE = "message"


class What(StrEnum):
    """One thing that is sent because of a decision."""

    TRANSACTION = "transaction"
    MERGE = "A40"
    LINK = "A24"
    UNLINK = "A37"
    UPDATE = "A31"
    DOCUMENT = "document"
    AGAIN = "message"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A destination, and the last message it was sent of each record concerned.

    ``notes`` are the messages whose documents stand there. ``told`` says that it got
    the sender's own notice of this very change.
    """

    channel: str
    destination: str
    form: Form
    messages: Mapping[int, int]
    notes: tuple[int, ...] = ()
    told: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One change of membership, with both sides as they are after it.

    ``moved`` went from ``source`` to ``target``; ``stayed`` are the records they joined
    or left. ``authorities`` and ``last`` (the last message that spoke of it) are by
    record.
    """

    event: int
    joins: bool
    source: str
    target: str
    moved: tuple[int, ...]
    stayed: tuple[int, ...]
    retires: bool = False
    authorities: Mapping[int, str] = field(default_factory=dict)
    last: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Correction:
    """One delivery to come.

    ``person`` is whose lane it goes into, ``record`` whom it is about and ``other`` the
    second record of a notice about two. ``message`` is what it is made from, or the
    last one that the destination was sent.
    """

    channel: str
    destination: str
    what: What
    person: str
    record: int = 0
    other: int = 0
    message: int = 0


JOINING = frozenset({LinkKind.LINK, LinkKind.MERGE})
LEAVING = frozenset({LinkKind.UNLINK, LinkKind.UNMERGE, LinkKind.SPLIT})


def changes_membership(event: LinkEvent) -> bool:
    """Whether an event moved records from one person to another."""
    moves = event.kind in JOINING or event.kind in LEAVING
    return moves and event.source not in {"", event.target} and bool(event.records)


def corrections(change: Change, receivers: Iterable[Receiver]) -> list[Correction]:
    """Return what is sent, in the order it is put into the lanes.

    A destination that received nothing of the records moved is told nothing.
    """
    found: list[Correction] = []
    for each in receivers:
        if any(record in each.messages for record in change.moved):
            found += _FORMS[each.form](change, each)
    return found


def _fhir(change: Change, to: Receiver) -> Iterator[Correction]:
    """One transaction for each person that has records: nobody's lane is passed by."""
    newest = max(to.messages.values())
    for person in _persons(change):
        yield _correction(to, What.TRANSACTION, person, 0, 0, newest)


def _persons(change: Change) -> tuple[str, ...]:
    """Return who has records after the change: of a merge the survivor alone."""
    if change.joins and (change.retires or not change.stayed):
        return (change.target,)
    return change.source, change.target


def _hl7(change: Change, to: Receiver) -> Iterator[Correction]:
    """Tell of each number in the words of HL7 v2; nothing is ever merged backwards."""
    if to.told:
        return
    for record in change.moved:
        if record not in to.messages:
            continue
        partner = _partner(change, record, to.messages)
        known = partner in to.messages
        if change.joins and partner:
            same = change.authorities.get(partner) == change.authorities.get(record)
            what = What.MERGE if known and same and change.retires else What.LINK
            yield _pair(change, to, what, (partner, record))
        elif not change.joins and known:
            yield _pair(change, to, What.UNLINK, (partner, record))
        elif not change.joins:
            message = to.messages[record]
            yield _correction(to, What.UPDATE, change.target, record, 0, message)


def _partner(change: Change, record: int, known: Mapping[int, int]) -> int:
    """Return the record on the other side to name: of one authority, and known there.

    A receiver that knows none of them is told of the first one.
    """
    authority = change.authorities.get(record)
    best = sorted(
        change.stayed,
        key=lambda each: (
            each not in known,
            change.authorities.get(each) != authority,
            each,
        ),
    )
    return best[0] if best else 0


def _pair(
    change: Change, to: Receiver, what: What, pair: tuple[int, int]
) -> Correction:
    """Return a notice about two records, made from what was last said of the first."""
    person = change.target if change.joins else change.source
    message = to.messages.get(pair[0]) or change.last.get(pair[0], 0)
    return _correction(to, what, person, *pair, message)


def _summary(change: Change, to: Receiver) -> Iterator[Correction]:
    """A new version of the summary of everybody who has records."""
    newest = max(to.messages.values())
    sides = {change.target: change.moved, change.source: change.stayed}
    if change.joins:
        sides = {change.target: (*change.moved, *change.stayed), change.source: ()}
    for person in _persons(change):
        own = [to.messages[each] for each in sides[person] if each in to.messages]
        message = max(own, default=newest)
        yield _correction(to, What.DOCUMENT, person, 0, 0, message)


def _notes(change: Change, to: Receiver) -> Iterator[Correction]:
    """A new version of each document that stands there."""
    for message in to.notes:
        yield _correction(to, What.DOCUMENT, change.target, 0, 0, message)


def _messages(change: Change, to: Receiver) -> Iterator[Correction]:
    """The last message of each record again, under the person it has now."""
    if not to.told:
        for record in change.moved:
            if record in to.messages:
                message = to.messages[record]
                yield _correction(to, What.AGAIN, change.target, record, 0, message)


def _correction(
    to: Receiver,
    what: What,
    person: str,
    record: int = 0,
    other: int = 0,
    message: int = 0,
) -> Correction:
    return Correction(to.channel, to.destination, what, person, record, other, message)


_FORMS = {
    Form.FHIR: _fhir,
    Form.HL7: _hl7,
    Form.SUMMARY: _summary,
    Form.NOTE: _notes,
    Form.MESSAGE: _messages,
}


def change_of(
    event: LinkEvent,
    members: Sequence[tuple[int, str, str, int]],
) -> Change:
    """Return an event as a change, seen from how its two persons stand now.

    Args:
        event: one that changes membership.
        members: the records of both sides: number, person, authority, last message.
    """
    joins = event.kind in JOINING
    other = event.target if joins else event.source
    return Change(
        event.number,
        joins,
        event.source,
        event.target,
        event.records,
        tuple(
            number
            for number, person, *_ in members
            if person == other and number not in event.records
        ),
        event.kind is LinkKind.MERGE,
        {number: authority for number, _, authority, _ in members},
        {number: message for number, *_, message in members},
    )
