"""What is known after a message: each update applied to its latest version.

Resources are kept by source record. The Patient that is sent is the person's: what all
their records say, by the rules of the golden record.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from engine.channels.format.channel import MapSwitches
from engine.channels.processing.known import (
    Kept,
    Subject,
    is_update,
    outward,
    patient_key,
    targets_of,
)
from engine.channels.processing.owners import (
    NOBODY,
    Owner,
    number_of,
    others_numbers,
    retiring,
    stamp,
)
from engine.channels.processing.person_patient import (
    Persons,
    combined,
    without_enterprise,
)
from engine.channels.processing.prepared import Prepared
from engine.channels.processing.renames import follow, signposts
from engine.channels.processing.snapshots import Lists, Owned, lists_of
from engine.channels.processing.updating import update_of, updated
from engine.channels.processing.view import View
from engine.hl7 import Finding
from engine.identity.decision import Decision
from engine.identity.index import Identifier
from engine.identity.survivorship import SourceValues
from engine.store.resources import KnownResource
from engine.store.standing import Standing
from engine.transforms.fhir.bundle import (
    queries,
    write_json,
)
from engine.transforms.fhir.mapped import Element, Entry, Mapped, Told
from engine.transforms.fhir.partial import identity_of, said_by
from engine.transforms.fhir.update import Update, merge_same

PLAIN: Final = MapSwitches()
_ACTIVITY: Final = frozenset({"active"})
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
    switches: MapSwitches = PLAIN,
) -> tuple[KnownResource, ...]:
    """Apply each update to what is known, and return the new latest versions.

    Parties that a message only refers to are kept beside, by full URL, so that later
    documents can name them. ``switches`` tell which lists of the feed are always whole,
    and whether a server is to change only what the message says.
    """
    snapshot = switches.snapshot
    owners: dict[str, Owner] = {}
    taken_out: list[tuple[Entry, Owner]] = []
    if decision is not None:
        owners, taken_out = stamp(prepared, mapped, decision, view, persons)
    first = next(iter(owners.values()), NOBODY)
    found = [
        (entry, _owner_of(entry, owners, first))
        for entry in mapped.entries
        if is_update(entry)
    ]
    follow([entry for entry, _ in found], view, persons.site)
    lists = (
        _with_lists(prepared, mapped, found, snapshot, view) if snapshot else Lists()
    )
    work = _Work(
        prepared,
        view,
        persons,
        mapped.told,
        queries(mapped.entries),
        others_numbers(mapped, owners, taken_out, persons),
        retiring(decision),
        lists.overruled,
        switches.update == "partial",
    )
    others = [pair for pair in found if not _is_patient(*pair)]
    known = view.known({(e.kind, e.criteria): owner.subject for e, owner in others})
    updates = [work.applied(entry, owner, known) for entry, owner in others]
    updates += [work.further(entry, own) for entry, own in taken_out if not own.retired]
    patients = [
        work.patient(entry, owner)
        for entry, owner in found
        if _is_patient(entry, owner)
    ]
    updates += [each for each in patients if each is not None]
    number = prepared.claimed.row.id
    beside = [
        *lists.known(number, view),
        *signposts(mapped.entries, number, view),
        *view.new_parties(mapped.entries),
    ]
    return (*updates, *beside)


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


# ---- the latest version of each resource ----


@dataclass(frozen=True, slots=True)
class _Work:
    """One message while its updates are applied.

    ``here`` finds what its Bundle holds, ``foreign`` are numbers of other records that
    it names and ``retiring`` its numbers that are out of use. ``overruled`` says what
    lists newer than the message do not have. With ``partly`` entries note the parts the
    message says. ``beside`` is, by person, what the message says of further records.
    """

    prepared: Prepared
    view: View
    persons: Persons
    told: Told
    here: Mapping[str, str]
    foreign: frozenset[tuple[object, object]]
    retiring: frozenset[Identifier]
    overruled: Mapping[str, Update]
    partly: bool = False
    beside: dict[str, list[tuple[Owner, Kept, Entry]]] = field(default_factory=dict)

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
            self._mark(entry, partial(said_by, newer))
        self._send(entry, version.resource, [version])
        return self._keep(key, version)

    def further(self, entry: Entry, owner: Owner) -> KnownResource:
        """Merge what a further record of a person says; theirs is sent with the first.

        Patients taken out of the message are told before the others are made.
        """
        key = patient_key(owner.record)
        before = self.view.known({key: owner.subject}).get(key)
        own = self._own_words(entry.resource, owner)
        version = self._merged(entry, own, before, owner)
        self.beside.setdefault(owner.person, []).append((owner, version, entry))
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
            own = self._own_words(stated, owner)
            before = said.get(owner.record)
            version = self._merged(entry, own, before, owner)
            said[owner.record] = version
            kept = self._keep(patient_key(owner.record), version)
        members = {each.record: each for each in standing.members}
        beside = self.beside.get(owner.person, [])
        said |= {one.record: version for one, version, _ in beside}
        for _, _, further in beside:
            self._mark(entry, partial(_said_in, further))
        sources = (owner.source, *(one.source for one, _, _ in beside))
        members |= {each.record: each for each in sources if each is not None}
        patient: Element = stated
        if said:
            ranks, old = self.persons.ranks, standing.old | self.retiring
            gone = _removed(standing, members)
            patient = combined(said, list(members.values()), old, ranks, gone)
            if gone | standing.removed:
                self._mark(entry, lambda: _ACTIVITY)
            if owner.retired:
                patient = merge_same(patient, stated)
                self._mark(entry, partial(said_by, Update(stated)))
            patient = self.persons.stamped(patient, owner.person)
        stated_links = _links_to_others(stated, owner.subject)
        links = [one for one in stated_links if one not in _links(patient)]
        linked = {str(one.get("other")) for one in [*links, *_links(patient)]}
        absorbed = self.persons.links(standing.absorbed, self.here)
        links += [one for one in absorbed if str(one["other"]) not in linked]
        if links:
            patient = {**patient, "link": [*links, *_links(patient)]}
        self._send(entry, patient, said.values())
        return kept

    def _send(self, entry: Entry, resource: Element, versions: Iterable[Kept]) -> None:
        """Put into an entry what its receivers are told."""
        entry.resource = outward(resource, versions, self.here)
        self._mark(entry, partial(identity_of, entry.resource))

    def _mark(self, entry: Entry, parts: Callable[[], frozenset[str]]) -> None:
        """Note parts that a server is to change, where it is to change no others."""
        if self.partly:
            entry.said = _said_in(entry) | parts()

    def _own_words(self, stated: Element, owner: Owner) -> Element:
        """Return what the source itself says of its patient's record.

        Numbers that were merged into it are those of other records. That there is no
        such patient any more is kept by the index, until it hears of them again.
        """
        numbers = without_enterprise(stated, self.persons.system)
        own = {name: value for name, value in stated.items() if name != "link"}
        links = _links_to_others(stated, owner.subject)
        if owner.removed:
            own.pop("active", None)
        if seealso := [one for one in links if one["type"] == "seealso"]:
            own["link"] = seealso
        own["identifier"] = [
            one for one in numbers if number_of(one) not in self.foreign
        ]
        return own

    def _merged(
        self, entry: Entry, resource: Element, before: Kept | None, owner: Owner
    ) -> Kept:
        """Return the latest version of a resource after one update."""
        update = update_of(entry, resource, self.told, before)
        self._mark(entry, partial(said_by, update))
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


def _removed(standing: Standing, members: Mapping[int, SourceValues]) -> set[int]:
    """Return the records, after this message, of which there is no such patient."""
    said = {number for number, each in members.items() if each.traits.removed}
    return said | (standing.removed - members.keys())


def _said_in(entry: Entry) -> frozenset[str]:
    return entry.said or frozenset()


def _links_to_others(patient: Element, subject: Subject) -> list[Element]:
    """Return the links of a Patient but those to the very same person."""
    own = {"reference": subject.url}
    return [one for one in _links(patient) if one.get("other") != own]


def _links(patient: Element) -> list[Element]:
    links = patient.get("link")
    return links if isinstance(links, list) else []
