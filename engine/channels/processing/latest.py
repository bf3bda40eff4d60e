"""What is known after a message: each update applied to its latest version.

Resources are kept by source record. The Patient that is sent is the person's: what all
their records say, by the rules of the golden record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.channels.processing.known import (
    NO_ONE,
    Kept,
    Subject,
    is_update,
    outward,
    patient_key,
    targets_of,
)
from engine.channels.processing.person_patient import (
    Persons,
    combined,
    without_enterprise,
)
from engine.channels.processing.prepared import Prepared
from engine.channels.processing.snapshots import Lists, Owned, lists_of
from engine.channels.processing.updating import update_of, updated
from engine.channels.processing.view import View
from engine.hl7 import Finding, Message
from engine.identity.decision import Decision
from engine.identity.registration import NoticeKind
from engine.identity.survivorship import SourceValues
from engine.store.resources import KnownResource
from engine.transforms.fhir.bundle import (
    queries,
    stamp_person,
    write_json,
)
from engine.transforms.fhir.mapped import Element, Entry, Mapped, Told
from engine.transforms.fhir.update import Update, merge_same


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom resources are about: a source record, its person and their Patient.

    ``source`` is what the record says after this message. A ``retired`` person's
    Patient is sent and nothing of it is kept: its record speaks for the survivor now.
    """

    record: int = 0
    person: str = ""
    subject: Subject = NO_ONE
    source: SourceValues | None = None
    retired: bool = False


_NOBODY: Final = Owner()
_LATE: Final = Finding(
    "late_message",
    "",
    "a newer message came before: only what it does not say is taken from this one",
)


def latest(
    prepared: Prepared,
    mapped: Mapped,
    decision: Decision | None,
    view: View,
    persons: Persons,
    snapshot: Sequence[str] = (),
) -> tuple[KnownResource, ...]:
    """Apply each update to what is known, and return the new latest versions.

    Parties that a message only refers to are kept beside, by full URL, so that later
    documents can name them. ``snapshot`` are segments whose lists are always whole.
    """
    owners = (
        {} if decision is None else _stamp(prepared, mapped, decision, view, persons)
    )
    first = next(iter(owners.values()), _NOBODY)
    found = [
        (entry, _owner_of(entry, owners, first))
        for entry in mapped.entries
        if is_update(entry)
    ]
    lists = (
        _with_lists(prepared, mapped, found, snapshot, view) if snapshot else Lists()
    )
    work = _Work(
        prepared,
        view,
        persons,
        mapped.told,
        queries(mapped.entries),
        _merged_away(mapped, owners, persons),
        lists.overruled,
    )
    others = [pair for pair in found if not _is_patient(*pair)]
    known = view.known({(e.kind, e.criteria): owner.subject for e, owner in others})
    updates = [work.applied(entry, owner, known) for entry, owner in others]
    patients = [
        work.patient(entry, owner)
        for entry, owner in found
        if _is_patient(entry, owner)
    ]
    updates += [each for each in patients if each is not None]
    kept_lists = lists.known(prepared.claimed.row.id, view)
    return (*updates, *kept_lists, *view.new_parties(mapped.entries))


def _with_lists(
    prepared: Prepared,
    mapped: Mapped,
    found: list[tuple[Entry, Owner]],
    snapshot: Sequence[str],
    view: View,
) -> Lists:
    """Add to a message's updates what its lists end by not having it."""
    channel = prepared.claimed.row.channel
    patient = next((one.criteria for one in mapped.patients), "")
    owners: dict[str, Owner] = {}
    owned: list[Owned] = []
    for entry, owner in found:
        if name := owner.record or patient:
            whose = f"{channel}|{name}"
            owners[whose] = owner
            owned.append(Owned(entry, owner.subject, whose))
    lists = lists_of(prepared.message, mapped, owned, snapshot, view)
    prepared.context.findings += lists.findings
    found += [(each.entry, owners[each.whose]) for each in lists.gone]
    mapped.entries += [each.entry for each in lists.gone]
    for entry in mapped.all("Provenance"):
        entry.enrich("target", [each.entry.reference for each in lists.gone])
    return lists


def _is_patient(entry: Entry, owner: Owner) -> bool:
    return bool(owner.person) and entry.full_url == owner.subject.url


def _owner_of(entry: Entry, owners: Mapping[str, Owner], first: Owner) -> Owner:
    """Return whom a resource is about: its own Patient, else the message's first."""
    if len(owners) < 2:  # noqa: PLR2004 - nobody else it could be about
        return first
    if entry.full_url in owners:
        return owners[entry.full_url]
    targets = sorted(targets_of(write_json(entry.resource)))
    return next((owners[url] for url in targets if url in owners), first)


# ---- whose is what ----


def _stamp(
    prepared: Prepared,
    mapped: Mapped,
    decision: Decision,
    view: View,
    persons: Persons,
) -> dict[str, Owner]:
    """Put enterprise identifiers on the Patients of every PID and MRG.

    Return the owner of each Patient by full URL: a message may speak of two patients,
    and what is said of one is never kept with the other.
    """
    message = prepared.message
    owners: dict[int, Owner] = {}
    decisions = [decision, *decision.also]
    for segment, found in zip(message.all("PID"), decisions, strict=False):
        position = message.segments.index(segment)
        owners[position] = _owner(found, view, persons)
        prior = _prior(message, position)
        if prior and (retired := _prior_owner(found, view, persons)) is not None:
            owners[prior] = retired
    for position, owner in owners.items():
        stamp_person(mapped, persons.system, owner.person, segment=position)
    return {
        entry.full_url: owners[entry.segment]
        for entry in mapped.patients
        if entry.segment in owners
    }


def _owner(found: Decision, view: View, persons: Persons) -> Owner:
    number, registration = view.record_of(found), found.registration
    person = found.enterprise_id
    own = found.record
    said = found.change or own
    assert said is not None, "a decision without a record has a change"
    authority = own.authority if own else registration.identifiers[0].authority
    time = max(registration.happened, own.updated if own else "")
    source = SourceValues(number, authority, said.traits, time)
    return Owner(number, person, persons.subject(person), source)


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


# ---- the latest version of each resource ----


@dataclass(frozen=True, slots=True)
class _Work:
    """One message while its updates are applied.

    ``here`` finds what its Bundle holds, ``merged`` are the numbers it merges away.
    ``overruled`` says what lists newer than the message do not have.
    """

    prepared: Prepared
    view: View
    persons: Persons
    told: Told
    here: Mapping[str, str]
    merged: frozenset[tuple[object, object]]
    overruled: Mapping[str, Update]

    def applied(
        self, entry: Entry, owner: Owner, known: Mapping[tuple[str, str], Kept]
    ) -> KnownResource:
        """Merge one update into what is known, and send the latest version.

        What the known version refers to need not be in this message's Bundle: those
        references become conditional in what is sent, not in what is kept.
        """
        key = entry.kind, entry.criteria
        version = self._merged(entry, entry.resource, known.get(key), owner)
        if (newer := self.overruled.get(entry.full_url)) is not None:
            whose = owner.subject, owner.record
            version = updated(entry.full_url, newer, version, self.here, whose)
        entry.resource = outward(version.resource, [version], self.here)
        return self._keep(key, version)

    def patient(self, entry: Entry, owner: Owner) -> KnownResource | None:
        """Merge what a record says of its Patient; send what its person's records say.

        Identifier and links of the index are no words of the source: they are put on
        what is sent and never kept.
        """
        standing = self.view.standing(
            owner.person, 0 if owner.retired else owner.record
        )
        keys = {n: patient_key(n) for n in {*standing.numbers, owner.record} if n}
        known = self.view.known(dict.fromkeys(keys.values(), owner.subject))
        said = {n: known[key] for n, key in keys.items() if key in known}
        stated, kept = entry.resource, None
        if not owner.retired:
            own = self._own_words(stated)
            before = said.get(owner.record)
            version = self._merged(entry, own, before, owner)
            said[owner.record] = version
            kept = self._keep(patient_key(owner.record), version)
        members = {each.record: each for each in standing.members}
        if owner.source is not None:
            members[owner.record] = owner.source
        patient: Element = stated
        if said:
            ranks = self.persons.ranks
            patient = combined(said, list(members.values()), standing.old, ranks)
            if owner.retired:
                patient = merge_same(patient, stated)
            patient = self.persons.stamped(patient, owner.person)
        links = [one for one in _links(stated) if one not in _links(patient)]
        linked = {str(one.get("other")) for one in [*links, *_links(patient)]}
        absorbed = self.persons.links(standing.absorbed, self.here)
        links += [one for one in absorbed if str(one["other"]) not in linked]
        if links:
            patient = {**patient, "link": [*links, *_links(patient)]}
        entry.resource = outward(patient, said.values(), self.here)
        return kept

    def _own_words(self, stated: Element) -> Element:
        """Return what the source itself says of its patient's record.

        Numbers that were merged into it are those of other records.
        """
        numbers = without_enterprise(stated, self.persons.system)
        own = {name: value for name, value in stated.items() if name != "link"}
        if links := [one for one in _links(stated) if one["type"] == "seealso"]:
            own["link"] = links
        own["identifier"] = [one for one in numbers if _number(one) not in self.merged]
        return own

    def _merged(
        self, entry: Entry, resource: Element, before: Kept | None, owner: Owner
    ) -> Kept:
        """Return the latest version of a resource after one update."""
        update = update_of(entry, resource, self.told, before)
        if before is not None and update.stamp < before.version.latest:
            self._note_late()
        return updated(
            entry.full_url, update, before, self.here, (owner.subject, owner.record)
        )

    def _note_late(self) -> None:
        findings = self.prepared.context.findings
        if _LATE not in findings:
            findings.append(_LATE)

    def _keep(self, key: tuple[str, str], version: Kept) -> KnownResource:
        self.view.keep(key, version)
        number = self.prepared.claimed.row.id
        return KnownResource(
            *key, version.content, version.record, version.source_time, number
        )


def _merged_away(
    mapped: Mapped, owners: Mapping[str, Owner], persons: Persons
) -> frozenset[tuple[object, object]]:
    """Return the numbers of the persons that a message retires."""
    retired = [
        entry
        for entry in mapped.patients
        if entry.full_url in owners and owners[entry.full_url].retired
    ]
    return frozenset(
        _number(one)
        for entry in retired
        for one in without_enterprise(entry.resource, persons.system)
    )


def _number(identifier: Element) -> tuple[object, object]:
    return identifier.get("system"), identifier.get("value")


def _links(patient: Element) -> list[Element]:
    links = patient.get("link")
    return links if isinstance(links, list) else []
