"""Lists that a feed always sends whole: what is no longer on one is ended.

Which resources a list holds, and since when, is kept beside the resources. So a late
message neither brings back what a newer list no longer has nor ends what it has.

Spec:
    fhir.md T20 and T31, ``map-options.snapshot``; HL7 v2.5.1, 2.10.4.1 "Snapshot mode
    update definition".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.channels.processing.known import NO_ONE, Kept, Subject, closed
from engine.channels.processing.view import View
from engine.hl7 import Finding, Message, Segment
from engine.hl7.segment import NULL
from engine.store.resources import KnownResource
from engine.transforms.fhir.mapped import Element, Entry, Mapped, Told
from engine.transforms.fhir.stamps import UNTIMED, Stamp
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.update import Update, Version

_MESSAGES: Final = frozenset(("ADT", "BAR"))
"""Messages that tell how a patient stands; an order lists only what matters to it."""


class _Kind(NamedTuple):
    """What the segments of a list become, and how one that is gone is ended.

    ``action`` is the field whose action codes say that the list is none.
    """

    resource: str
    ended: Element
    by_visit: bool = False
    action: int = 0


def _in_error(codes: str) -> Element:
    coding = {"system": HL7 + codes, "code": "entered-in-error"}
    return {"verificationStatus": {"coding": [coding]}}


_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "AL1": _Kind(
            "AllergyIntolerance", _in_error("allergyintolerance-verification")
        ),
        "DG1": _Kind(
            "Condition", _in_error("condition-ver-status"), by_visit=True, action=21
        ),
        "IN1": _Kind("Coverage", {"status": "cancelled"}),
        "NK1": _Kind("RelatedPerson", {"active": False}),
        "PR1": _Kind(
            "Procedure", {"status": "entered-in-error"}, by_visit=True, action=20
        ),
    }
)
_UNREAD: Final = Finding(
    "snapshot_unread",
    "",
    "a segment of a list could not be read: nothing is ended for not being on it",
)


class Owned(NamedTuple):
    """An update of a message, whose it is, and what names them."""

    entry: Entry
    subject: Subject
    whose: str


@dataclass(slots=True)
class Lists:
    """What the lists of one message change beside what its segments say.

    ``gone`` are updates of resources that are on a list no longer. ``overruled`` are
    updates, by full URL, of what a newer list does not have. ``kept`` are the lists as
    they are known from now on, ``findings`` what was odd.
    """

    gone: list[Owned] = field(default_factory=list)
    overruled: dict[str, Update] = field(default_factory=dict)
    kept: list[tuple[tuple[str, str], Kept]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def known(self, message_id: int, view: View) -> list[KnownResource]:
        """Return the lists as they are to be kept; nobody is ever sent them."""
        for key, version in self.kept:
            view.keep(key, version)
        return [
            KnownResource(*key, each.content, 0, each.source_time, message_id)
            for key, each in self.kept
        ]


def lists_of(
    message: Message,
    mapped: Mapped,
    owned: Sequence[Owned],
    wanted: Iterable[str],
    view: View,
) -> Lists:
    """Compare the lists of a message with those before, and mark what they change.

    An absent segment says nothing; one whose fields are all null empties its list.

    Args:
        message: as edited.
        mapped: what was made of it; its entries are marked.
        owned: those of its entries that are updates, of one patient each.
        wanted: segments whose lists the feed sends whole.
        view: of the store.
    """
    found = Lists()
    for segment_id in wanted if message.message_type in _MESSAGES else ():
        kind, segments = _KINDS[segment_id], message.segments
        places = [at for at, each in enumerate(segments) if each.id == segment_id]
        if not places or any(
            segments[at].raw(kind.action) for at in places if kind.action
        ):
            continue
        listed = [
            each
            for each in owned
            if each.entry.kind == kind.resource and each.entry.segment in places
        ]
        read = {each.entry.segment for each in listed}
        if not all(at in read or _is_null(segments[at]) for at in places):
            found.findings.append(_UNREAD)
            continue
        for whose in dict.fromkeys(each.whose for each in listed or owned[:1]):
            theirs = [each for each in owned if each.whose == whose]
            mine = [each.entry for each in listed if each.whose == whose]
            one = _List(segment_id, kind, theirs, mine, places[0])
            one.compare(found, mapped.told, view)
    return found


def _is_null(segment: Segment) -> bool:
    """Whether a segment says that there is none of its kind."""
    said = {segment.raw(number) for number in segment.populated() if number > 1}
    return said == {NULL}


@dataclass(frozen=True, slots=True)
class _List:
    """One list of one patient in one message; ``position`` is its first segment's."""

    segment_id: str
    kind: _Kind
    theirs: Sequence[Owned]
    entries: Sequence[Entry]
    position: int

    def compare(self, found: Lists, told: Told, view: View) -> None:
        """Compare it with the one before; the newer of the two says what is on it."""
        key = "List", self._criteria()
        before = view.known({key: NO_ONE}).get(key)
        stamp = _stamp(told, before)
        if before is not None and stamp < before.version.latest:
            self._overrule(found, before)
            return
        for entry in self.entries:  # whatever was said of it before, it is no error
            entry.nulls += [
                name for name in self.kind.ended if name not in entry.resource
            ]
        found.gone += self._gone(before, view)
        found.kept.append((key, _kept(key[1], self.entries, stamp)))

    def _criteria(self) -> str:
        visit = self._visit() if self.kind.by_visit else None
        place = visit.criteria if visit else ""
        return f"snapshot={self.segment_id}|{self.theirs[0].whose}|{place}"

    def _visit(self) -> Entry | None:
        visits = (one.entry for one in self.theirs if one.entry.kind == "Encounter")
        return next(visits, None)

    def _overrule(self, found: Lists, newer: Kept) -> None:
        """End what a newer list, which came before, does not have."""
        stamp = newer.version.latest
        late = [one for one in self.entries if one.full_url not in newer.found_by]
        ended: Element = {"resourceType": self.kind.resource, **self.kind.ended}
        found.overruled |= {one.full_url: Update(ended, stamp) for one in late}
        visit = self._visit()
        if late and visit is not None and self.kind.resource == "Condition":
            found.overruled[visit.full_url] = Update(
                {"resourceType": "Encounter"},
                stamp,
                removed={"diagnosis": [_diagnosis(one.full_url) for one in late]},
            )

    def _gone(self, before: Kept | None, view: View) -> list[Owned]:
        """Return an update for each resource that only the list before has."""
        here = {entry.full_url for entry in self.entries}
        owner, visit = self.theirs[0], self._visit()
        found: list[Owned] = []
        for url, query in before.found_by.items() if before else ():
            kind, _, criteria = query.partition("?")
            if url in here or not view.known({(kind, criteria): owner.subject}):
                continue
            ended: Element = {"resourceType": kind, **self.kind.ended}
            entry = Entry(ended, url, "PUT", criteria, self.position)
            found.append(owner._replace(entry=entry))
            if visit is not None and kind == "Condition":
                visit.removed.setdefault("diagnosis", []).append(_diagnosis(url))
        return found


def _diagnosis(url: str) -> Element:
    return {"condition": {"reference": url}}


def _stamp(told: Told, before: Kept | None) -> Stamp:
    """Return the time of a list; one without any counts from when it comes."""
    if told.at is None:
        return before.version.latest if before else UNTIMED
    return Stamp(at=told.at)


def _kept(criteria: str, entries: Sequence[Entry], stamp: Stamp) -> Kept:
    """Return a list as it is kept: what is on it, and what finds each of them."""
    found_by = {entry.full_url: f"{entry.kind}?{entry.criteria}" for entry in entries}
    items = [{"item": {"reference": url}} for url in found_by]
    resource: Element = {"resourceType": "List", "mode": "snapshot", "entry": items}
    return closed(criteria, Version(resource, stamp), found_by)
