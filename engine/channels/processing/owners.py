"""Whom the resources of a message are about: the person of each PID and MRG.

Spec:
    fhir.md T28; identity.md 8.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.channels.processing.known import NO_ONE, Subject
from engine.channels.processing.person_patient import Persons, without_enterprise
from engine.channels.processing.prepared import Prepared
from engine.channels.processing.view import View
from engine.hl7 import Message
from engine.identity.decision import Decision
from engine.identity.index import Identifier
from engine.identity.person import LinkKind
from engine.identity.registration import NoticeKind
from engine.identity.survivorship import SourceValues
from engine.transforms.fhir.bundle import stamp_person
from engine.transforms.fhir.mapped import Element, Entry, Mapped


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom resources are about: a source record, its person and their Patient.

    ``source`` is what the record says after this message. Of a ``retired`` number or
    person nothing is kept: the record they lead to speaks for itself. ``removed`` is
    one of whom the message says that there is no such patient.
    """

    record: int = 0
    person: str = ""
    subject: Subject = NO_ONE
    source: SourceValues | None = None
    retired: bool = False
    removed: bool = False


NOBODY: Final = Owner()


def stamp(
    prepared: Prepared,
    mapped: Mapped,
    decision: Decision,
    view: View,
    persons: Persons,
) -> tuple[dict[str, Owner], list[tuple[Entry, Owner]]]:
    """Put enterprise identifiers on the Patients of every PID and MRG.

    Return the owner of each Patient by full URL: a message may speak of two patients,
    and what is said of one is never kept with the other. Beside them, the Patients of
    further records of one person: they are taken out of the message, because a person
    has one Patient and no other is found by one of its numbers.
    """
    message = prepared.message
    owners: dict[int, Owner] = {}
    decisions = [decision, *decision.also]
    for segment, found in zip(message.all("PID"), decisions, strict=False):
        position = message.segments.index(segment)
        owner = owners[position] = _owner(found, decision, view, persons)
        prior = _prior(message, position)
        if not prior:
            continue
        if (retired := _prior_owner(found, view, persons)) is not None:
            owners[prior] = retired
        elif _merges(found):
            record = _record_of_prior(found, view, owner.record)
            owners[prior] = replace(owner, record=record, source=None, retired=True)
    for position, owner in owners.items():
        stamp_person(mapped, persons.system, owner.person, segment=position)
    return _one_each(mapped, owners)


def _merges(decision: Decision) -> bool:
    notice = decision.registration.notice
    return notice is not None and notice.kind == NoticeKind.MERGE


def _record_of_prior(found: Decision, view: View, own: int) -> int:
    """Return another record that the number merged away belongs to, 0 for none."""
    notice = found.registration.notice
    known = view.index.known(notice.prior) if notice else {}
    return next((each.number for each in known.values() if each.number != own), 0)


def retiring(decision: Decision | None) -> frozenset[Identifier]:
    """Return the numbers of a message that are out of use: merged away, or removed."""
    decisions = () if decision is None else (decision, *decision.also)
    return frozenset(number for each in decisions for number in _out_of_use(each))


def _out_of_use(decision: Decision) -> Iterator[Identifier]:
    notice, record = decision.registration.notice, decision.change or decision.record
    if notice is not None and notice.kind == NoticeKind.MERGE:
        yield from notice.prior
    if record is not None and record.traits.removed:
        yield from decision.registration.identifiers


def _one_each(
    mapped: Mapped, owners: Mapping[int, Owner]
) -> tuple[dict[str, Owner], list[tuple[Entry, Owner]]]:
    """Leave one Patient of each person; return whose it is, and the ones taken out.

    Of a number merged into its own person nothing is left: it is one more of theirs.
    """
    first: dict[str, Owner] = {}
    further: list[tuple[Entry, Owner]] = []
    for entry in mapped.patients:
        owner = owners.get(entry.segment)
        if owner is None:
            continue
        if entry.full_url == owner.subject.url:
            first[entry.full_url] = owner
            continue
        entry.move(owner.subject.url, owner.subject.criteria)
        further.append((entry, owner))
    gone = {entry.segment for entry, _ in further}
    mapped.entries = [
        entry
        for entry in mapped.entries
        if entry.kind not in {"Patient", "Linkage"} or entry.segment not in gone
    ]
    return first, further


def _owner(found: Decision, decision: Decision, view: View, persons: Persons) -> Owner:
    """Return whom the Patient of a PID is about once the message is done."""
    number, registration = view.record_of(found), found.registration
    person = _restored(found, decision, view) or found.enterprise_id
    own = found.record
    said = found.change or own
    assert said is not None, "a decision without a record has a change"
    authority = own.authority if own else registration.identifiers[0].authority
    time = max(registration.happened, own.updated if own else "")
    source = SourceValues(number, authority, said.traits, time)
    removed = registration.traits.removed
    return Owner(number, person, persons.subject(person), source, removed=removed)


def _restored(found: Decision, decision: Decision, view: View) -> str:
    """Return the person that the message gives a record back to, ``""`` for none."""
    leaves = any(
        move.kind == LinkKind.UNLINK and found.record.number in move.records
        for move in decision.moves
        if found.record is not None
    )
    if not leaves or found.record is None:
        return ""
    return view.former(found.record.number, found.record.person)


def _prior_owner(found: Decision, view: View, persons: Persons) -> Owner | None:
    """Return whom the Patient of an MRG is about: the record its number leads to.

    A merge told again is about the person that retired when it was told first. None
    where there never was one: the number is one more of the survivor's.
    """
    notice = found.registration.notice
    if notice is None:
        return None
    known = view.index.known(notice.prior)
    record = next((each.number for each in known.values()), 0)
    retired = _retired(found)
    if not retired and record and notice.kind == NoticeKind.MERGE:
        retired = view.former(record, found.enterprise_id)
    if not retired:
        return None
    return Owner(record, retired, persons.subject(retired), retired=True)


def _prior(message: Message, after: int) -> int:
    """Return the index of the MRG that belongs to a PID, 0 when it has none."""
    for offset, segment in enumerate(message.segments[after + 1 :], after + 1):
        if segment.id in {"PID", "MRG"}:
            return offset if segment.id == "MRG" else 0
    return 0


def _retired(decision: Decision) -> str:
    """Return the person that a merge retires in favour of the decision's."""
    return next(
        (
            move.source
            for move in decision.moves
            if move.target == decision.enterprise_id != move.source
        ),
        "",
    )


def others_numbers(
    mapped: Mapped,
    owners: Mapping[str, Owner],
    taken_out: Iterable[tuple[Entry, Owner]],
    persons: Persons,
) -> frozenset[tuple[object, object]]:
    """Return the numbers a message merges away that are those of other records."""
    sent = ((e, owners[e.full_url]) for e in mapped.patients if e.full_url in owners)
    return frozenset(
        number_of(one)
        for entry, owner in (*sent, *taken_out)
        if owner.retired and owner.record
        for one in without_enterprise(entry.resource, persons.system)
    )


def number_of(identifier: Element) -> tuple[object, object]:
    """Return what tells one Identifier from another."""
    return identifier.get("system"), identifier.get("value")
