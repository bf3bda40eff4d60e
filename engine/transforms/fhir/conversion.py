"""One message on its way to resources: what the mappers share and fill."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar, cast

from engine.hl7 import Message, Repetition
from engine.hl7.conformance import Finding
from engine.hl7.segment import NULL
from engine.hl7.timestamps import Precision, read_timestamp
from engine.transforms.fhir.datatypes import concept, plain, put
from engine.transforms.fhir.feed import Feed, feed_of
from engine.transforms.fhir.groups import Node, Tree, grow
from engine.transforms.fhir.keys import criteria, key, own_key, own_party
from engine.transforms.fhir.mapped import (
    Element,
    Entry,
    MapContext,
    Mapped,
    Party,
    Told,
)
from engine.transforms.fhir.plan import Plan
from engine.transforms.fhir.said import Place, Referral, Said, recall, remember
from engine.transforms.fhir.times import Moment
from engine.transforms.fhir.update import merge_same, replaced
from engine.transforms.trace import Loss

Value = TypeVar("Value")


class Subject:
    """One PID of the message: the patient, and the visit that belongs to it."""

    __slots__ = ("account", "encounter", "patient", "pid", "visit_key")

    def __init__(self, pid: Node | None, patient: Entry | None) -> None:
        self.pid = pid
        self.patient = patient
        self.encounter: Entry | None = None
        self.account: Entry | None = None
        self.visit_key = ""

    @property
    def key(self) -> str:
        """What the keys of this person's things are made of."""
        return self.patient.full_url if self.patient else ""


class Conversion:
    """The state of one mapping: entries so far, losses, who the subject is.

    Mappers are functions of a conversion and a node. They read fields through the node,
    which marks them as taken, and add entries here.
    """

    __slots__ = ("_by_url", "_counts", "_referred", "_subjects", "context", "feed",
                 "mapped", "message", "message_key", "plan", "tree")  # fmt: skip

    def __init__(
        self,
        message: Message,
        context: MapContext,
        plan: Plan,
        node: type[Node] = Node,
    ) -> None:
        self.message = message
        self.context = context
        self.plan = plan
        self.feed: Feed = feed_of(message, context)
        parents = plan.parents_in(segment.id for segment in message.segments)
        self.tree: Tree = grow(message, parents, self.feed.fields, node)
        self.mapped = Mapped(context.site)
        self._by_url: dict[str, Entry] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._subjects: list[Subject] = []
        self._referred: list[Referral] = []
        header = message.segments[0]
        self.message_key = f"{self.feed.sender}|{header.text(3)}|{header.text(10)}"
        """Sender and control id: what names this message."""

    # ---- who it is about

    def add_subject(self, subject: Subject) -> None:
        """Remember one PID's patient; the first one is everybody's default."""
        self._subjects.append(subject)

    def subject_of(self, node: Node | None) -> Subject:
        """Return the subject a segment belongs to, the first where it has no PID."""
        if len(self._subjects) > 1 and node is not None:
            pid = node if node.id == "PID" else node.above("PID")
            for subject in self._subjects:
                if subject.pid is pid:
                    return subject
        return self._subjects[0]

    def about(self, node: Node, resource: Element, element: str = "subject") -> Subject:
        """Make a resource be about the patient the segment belongs to."""
        subject = self.subject_of(node)
        if subject.patient:
            resource[element] = subject.patient.reference
        return subject

    # ---- entries

    def upsert(self, node: Node, resource: Element, system: str, value: str) -> Entry:
        """Add a resource that carries this identifier, or update what has it."""
        kind = str(resource["resourceType"])
        url = "urn:uuid:" + key(self.context.site, kind, system, value)
        entry = Entry(resource, url, "PUT", criteria(system, value), node.position)
        return self._add(entry)

    def upsert_own(self, node: Node, resource: Element, *parts: str) -> Entry:
        """Add a resource under a key of ours, which becomes one more identifier."""
        party = own_party(self.context.site, resource, *parts)
        position = node.position
        entry = Entry(party.resource, party.full_url, "PUT", party.criteria, position)
        entry.parts = parts
        return self._add(entry)

    def upsert_unnamed(self, node: Node, resource: Element, *parts: str) -> Entry:
        """Add a resource of a type without identifiers, under an id of ours."""
        kind = str(resource["resourceType"])
        value = resource["id"] = own_key(self.context.site, kind, *parts)
        entry = Entry(resource, "urn:uuid:" + value, "PUT", "", node.position)
        return self._add(entry)

    def add_parties(
        self, node: Node, parties: tuple[Party, ...], *details: tuple[str, object]
    ) -> Entry | None:
        """Add what a message only refers to; return the entry of the last one.

        Args:
            node: the segment that refers to it.
            parties: the last one may need the ones before it.
            details: elements the last one is to have, too; see `Entry.enrich`.
        """
        entry: Entry | None = None
        self._referred.append((parties, details))
        for resource, full_url, criteria_ in parties:
            entry = self._by_url.get(full_url)
            if entry is None:
                entry = Entry(resource, full_url, "POST", criteria_, node.position)
                self._by_url[full_url] = entry
                self.mapped.entries.append(entry)
            elif entry.resource is not resource:
                entry.resource = {
                    **resource,
                    **entry.resource,
                    **_fuller(entry, resource),
                }
        if details and entry is not None:
            for detail in details:
                entry.enrich(*detail)
        return entry

    def party(self, node: Node, party: Party) -> Entry:
        """Add one party; created by the server if it is not there."""
        entry = self.add_parties(node, (party,))
        assert entry is not None
        return entry

    def add_own_party(self, node: Node, resource: Element, *parts: str) -> Entry:
        """Add one party under a key of ours."""
        return self.party(node, own_party(self.context.site, resource, *parts))

    def upsert_beside(
        self, node: Node, field: int, resource: Element, *parts: str
    ) -> Entry:
        """Add a second thing under a number that names another one of this message.

        It goes without the number, which is listed as lost: two resources of one number
        could not be told apart by a server.
        """
        del resource["identifier"]
        self.lose(node, field, "duplicate")
        return self.upsert_own(node, resource, *parts)

    def count(self, *parts: str) -> str:
        """Return how often it was asked of these parts: ``1`` for the first time."""
        self._counts[parts] += 1
        return str(self._counts[parts])

    def holds(self, kind: str, system: str, value: str) -> bool:
        """Whether this message already made the resource with that identifier."""
        return self.made(kind, system, value) is not None

    def made(self, kind: str, system: str, value: str) -> Entry | None:
        """Return what this message made with that identifier."""
        url = "urn:uuid:" + key(self.context.site, kind, system, value)
        return self._by_url.get(url)

    def _add(self, entry: Entry) -> Entry:
        known = self._by_url.get(entry.full_url)
        if known is None:
            self._by_url[entry.full_url] = entry
            self.mapped.entries.append(entry)
            return entry
        before = known.resource
        known.resource = merge_same(before, entry.resource)
        self._list_replaced(known, before)
        return known

    def _list_replaced(self, entry: Entry, before: Element) -> None:
        """List what a segment said of something that a later one says otherwise."""
        path = self.tree.nodes[entry.segment].path()
        for name in replaced(before, entry.resource):
            self.mapped.losses.append(Loss(path, "duplicate", name))

    def recorded(self) -> str:
        """Return when this message was taken in, as an instant."""
        return self.context.received_at.astimezone(UTC).isoformat()

    def told(self) -> Told:
        """Return when it happened: EVN-2 if it tells the time of day, else MSH-7."""
        evn = self.tree.first("EVN")
        texts = (evn.segment.text(2) if evn else "", self.message.segments[0].text(7))
        read = [(text, at) for text in texts if (at := read_timestamp(text))]
        if not read:
            return Told()
        timed = (each for each in read if each[1].precision >= Precision.HOUR)
        text, at = next(timed, read[0])
        found = self.feed.moment(text)
        self.feed.cuts.clear()
        if not found.instant:
            return Told(at.instant(), found.text)
        return Told(datetime.fromisoformat(found.text).astimezone(UTC), found.text)

    # ---- reading

    def said(
        self, node: Node, read: "Reader[Element]", apart: tuple[int, ...] = ()
    ) -> Element:
        """Return what a segment says by itself, for its resource to begin with.

        The element is the message's own, what is in it is shared; see `read_once`.
        """
        return {**self.read_once(node, read, apart)}

    def read_once(
        self, node: Node, read: "Reader[Value]", apart: tuple[int, ...] = ()
    ) -> Value:
        """Return what a segment says by itself; shared, so nobody may change it.

        It is read once for all messages of a feed that have the same segment, unless
        something of it is listed as lost or odd: that is listed for each message.

        Args:
            node: the segment, of which nothing was read before.
            read: what it says; looks at nothing but the segment and the feed, refers to
                parties by `Entry.mention` and adds nothing else.
            apart: the fields that ``read`` does not look at.
        """
        place = (self.feed, read, node.words(apart))
        known = None if node.watched else recall(place)
        if known is None:
            return self._read(node, read, place, apart)
        for parties, details in known.referrals:
            self.add_parties(node, parties, *details)
        node.taken |= known.taken
        node.carrying = known.carrying
        return cast("Value", known.value)

    def _read(
        self, node: Node, read: "Reader[Value]", place: Place, apart: tuple[int, ...]
    ) -> Value:
        """Read a segment, and remember what it says unless that has to be remarked."""
        before, node.taken = node.taken, 0
        remarks, referred = self._remarks(), len(self._referred)
        value = read(self, node)
        if self._remarks() == remarks:
            referrals = tuple(self._referred[referred:])
            carrying = node.populated(apart)
            remember(place, Said(value, node.taken, carrying, referrals))
        node.taken |= before
        return value

    def _remarks(self) -> tuple[int, ...]:
        """Return how much was said so far that has to be said of each message."""
        mapped, feed = self.mapped, self.feed
        remarks = len(mapped.losses), len(mapped.findings)
        return *remarks, len(feed.cuts), len(feed.unmapped)

    def moment(self, node: Node, field: int) -> Moment:
        """Return a time field; what cannot be read or is cut is listed as lost."""
        text = node.text(field)
        found = self.feed.moment(text) if text else Moment("")
        if found.cut:
            self.feed.cuts.clear()
            self.lose(node, field, "cut-to-date")
        elif text and not found.text:
            self.lose(node, field, "unreadable")
        return found

    def when(self, node: Node, field: int) -> str:
        """Return a time field as dateTime, ``""`` where there is none."""
        return self.moment(node, field).text

    def concept(self, node: Node, field: int, table: str = "") -> Element:
        """Return a coded field as CodeableConcept, its first repetition."""
        source = node.first(field)
        return self.concept_of(node, field, source, table) if source else {}

    def concepts(self, node: Node, field: int, table: str = "") -> list[Element]:
        """Return every repetition of a coded field as CodeableConcept."""
        return [
            found
            for source in node.all(field)
            if (found := self.concept_of(node, field, source, table))
        ]

    def concept_of(
        self, node: Node, field: int, source: Repetition, table: str = ""
    ) -> Element:
        """Return one repetition of a coded field; shared, so nobody may change it."""
        place = (source.raw, node.id, field)
        found = self.feed.concepts.get(place)
        if found is None:
            found = concept(self.feed, source, table, f"{node.id}-{field}")
            self.feed.remember_concept(place, found)
        return found

    def put_time(self, element: Element, name: str, node: Node, field: int) -> None:
        """Set a dateTime element from a field that carries one."""
        if node.has(field):
            put(element, name, self.when(node, field))

    def put_concept(
        self, element: Element, name: str, node: Node, field: int, table: str = ""
    ) -> None:
        """Set a CodeableConcept element from a field that carries one."""
        if node.has(field):
            put(element, name, self.concept(node, field, table))

    def string(self, node: Node, field: int, component: int = 1) -> str:
        """Return a field as FHIR string, an ``&`` sent bare in it included."""
        source = node.first(field)
        return plain(source.strings(component)[component - 1]) if source else ""

    # ---- accounting

    def lose(self, node: Node, field: int, reason: str, component: int = 0) -> None:
        """List a place of the message that is not, or not wholly, in the resources."""
        value = node.segment.raw(field) if field else ""
        self.mapped.losses.append(Loss(node.path(field, component), reason, value))

    def lose_all(self, node: Node, reason: str) -> None:
        """List every populated field of a segment as lost."""
        for field in node.segment.populated():
            node.take(field)
            self.lose(node, field, reason)

    def list_cuts(self, node: Node) -> None:
        """List the times inside a segment's fields that were cut to their date."""
        for text in self.feed.cuts:
            self.mapped.losses.append(Loss(node.path(), "cut-to-date", text))
        self.feed.cuts.clear()

    def find(self, code: str, node: Node, field: int, text: str) -> None:
        """Remark something odd about the message; no patient data in ``text``."""
        self.mapped.findings.append(Finding(code, node.path(field), text))

    def note_nulls(self, entry: Entry, node: Node, elements: dict[int, str]) -> None:
        """Remember the elements of an entry that HL7 nulls ask to remove."""
        if NULL not in node.segment.encoded:
            return
        for field, element in elements.items():
            if node.segment.is_null(field):
                node.take(field)
                entry.nulls.append(element)


Reader: TypeAlias = Callable[[Conversion, Node], Value]
"""Reads what a segment says by itself, see `Conversion.read_once`."""


def _fuller(entry: Entry, resource: Element) -> Element:
    """Return the elements that say all that a party's entry says of them, and more."""
    found: Element = {}
    for name, value in resource.items():
        known = entry.resource.get(name)
        if known == value or not isinstance(known, list) or not isinstance(value, list):
            continue
        pairs = zip(known, value, strict=False)
        if len(known) <= len(value) and all(_holds(one, old) for old, one in pairs):
            found[name] = value
    return found


def _holds(one: object, old: object) -> bool:
    if not isinstance(one, dict) or not isinstance(old, dict):
        return one == old
    return all(one.get(name) == value for name, value in old.items())
