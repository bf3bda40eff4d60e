"""Corrections after a change of membership, rendered as their destinations need them.

Spec:
    identity.md 8, "What a decision sends out".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from engine.channels.format.channel import Channel, Destination
from engine.channels.processing.assemble import Line
from engine.channels.processing.documents import sends_documents, sends_summaries
from engine.channels.processing.finish import (
    delivery_of,
    identity_names,
    order_key_of,
    work_of,
)
from engine.channels.processing.identify import registered
from engine.channels.processing.known import Kept, Subject, outward, patient_key
from engine.channels.processing.latest import latest
from engine.channels.processing.notices import notice, written
from engine.channels.processing.person_patient import combined, without_enterprise
from engine.channels.processing.prepare import parsed, prepare
from engine.channels.processing.prepared import Prepared
from engine.channels.processing.render import bundle_of, render
from engine.channels.processing.rendering import Rendered, Work
from engine.channels.processing.store_view import StoreView
from engine.errors import TransformError
from engine.hl7 import Message, Segment
from engine.identity.corrections import Change, Correction, Form, What
from engine.identity.decision import Decision, Outcome, Reason
from engine.identity.registration import Registration
from engine.store import claims
from engine.store.claims import Claimed
from engine.store.deliveries import NewDelivery
from engine.store.patients import mint
from engine.store.resources import NewDocument
from engine.store.words import OnFailure
from engine.transforms.fhir.mapped import Element, Entry, Mapped

_NOTICES = frozenset({What.MERGE, What.LINK, What.UNLINK, What.UPDATE})


def forms_of(channels: Iterable[Channel]) -> dict[tuple[str, str], Form]:
    """Return the destinations that want corrections, and what they are sent."""
    return {
        (channel.name, each.name): _form(each)
        for channel in channels
        if channel.identity.match
        for each in channel.destinations
        if each.on_identity_change == "send" and not each.simulate
        if each.mllp is None or not each.mllp.pix_updates
    }


def _form(destination: Destination) -> Form:
    if sends_documents(destination):
        return Form.SUMMARY if sends_summaries(destination) else Form.NOTE
    if destination.fhir is not None and destination.fhir.mode != "message":
        return Form.FHIR
    return Form.HL7 if destination.mllp is not None else Form.MESSAGE


@dataclass(frozen=True, slots=True)
class Made:
    """What one correction came to: deliveries, and versions of documents to keep."""

    attempt: int
    deliveries: tuple[NewDelivery, ...] = ()
    versions: tuple[NewDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a delivery is made that no message causes: its event and words for it."""

    event: int
    note: str


ORDERED = Cause(-1, "made on order or at its time of day")
"""No link event: nothing moved."""


@dataclass(frozen=True, slots=True)
class Corrector:
    """Renders the corrections of one channel inside a write transaction."""

    line: Line
    view: StoreView
    now: datetime

    def made(self, change: Change, wanted: Correction) -> Made:
        """Return what is to be queued for one correction.

        Raises:
            TransformError: it cannot be made; the sentence says why.
        """
        destination = self._destination(wanted)
        claimed = claims.again(self.view.connection, self.view.sealer, wanted.message)
        if wanted.what is What.TRANSACTION:
            made = self._transaction(destination, change, wanted)
            if claimed is None or not claimed.data:
                return Made(1, (made,))  # what is known of the person is enough
            work = self._work(claimed, wanted)
            key = order_key_of(destination, work, self.line.desk.channel)
            return Made(claimed.attempt, (replace(made, order_key=key),))
        claimed = _kept(claimed, wanted)
        if wanted.what in _NOTICES:
            claimed = self._notice(change, wanted, claimed)
        cause = Cause(change.event, _note(change))
        return self._rendered(destination, cause, wanted, claimed)

    def ordered(self, wanted: Correction) -> Made:
        """Return what is to be queued for a document that was ordered.

        Raises:
            TransformError: it cannot be made; the sentence says why.
        """
        claimed = claims.again(self.view.connection, self.view.sealer, wanted.message)
        destination = self._destination(wanted)
        return self._rendered(destination, ORDERED, wanted, _kept(claimed, wanted))

    def _destination(self, wanted: Correction) -> Destination:
        places = self.line.desk.channel.destinations
        return next(each for each in places if each.name == wanted.destination)

    # -- FHIR --------------------------------------------------------------------------

    def _transaction(
        self, destination: Destination, change: Change, wanted: Correction
    ) -> NewDelivery:
        """Return the person's Patient, and what of the records moved is theirs now."""
        person, place = wanted.person, f"{wanted.channel}/{wanted.destination}"
        persons = self.line.desk.persons
        subject = persons.subject(person)
        here = dict(subject.found_by)
        retired: list[Entry] = []
        if change.retires and person == change.target:
            former = persons.subject(change.source)
            here |= former.found_by
            retired = self._retired(change, former, subject)
        moved = [
            (each, kept)
            for each, kept in self.view.kept_of(person, subject)
            if each.record in change.moved
            and place in each.sent
            and each.resource_type != "Patient"
        ]
        here |= {
            k.full_url: f"{each.resource_type}?{each.criteria}" for each, k in moved
        }
        entries = [*self._patient(person, subject, here), *retired]
        entries += [
            Entry(
                outward(kept.resource, [kept], here),
                kept.full_url,
                "PUT",
                each.criteria,
            )
            for each, kept in moved
        ]
        documents = self.line.desk.channel.map_options.documents
        made = bundle_of(destination, entries, persons.site, documents)
        return NewDelivery(
            wanted.channel,
            wanted.destination,
            person,
            made.content,
            made.content_type,
            name=made.name,
            person=person,
            on_failure=OnFailure(destination.on_failure),
            note=_note(change),
            event=change.event,
        )

    def _patient(
        self, person: str, subject: Subject, here: Mapping[str, str]
    ) -> list[Entry]:
        """Return a person's Patient as one entry; none for whom nothing was said."""
        standing = self.view.standing(person)
        said = self._said(standing.numbers, subject)
        if not said:
            return []
        persons = self.line.desk.persons
        patient = combined(
            said, standing.members, standing.old, persons.ranks, standing.removed
        )
        patient = persons.stamped(patient, person)
        if links := persons.links(standing.absorbed, here):
            patient = {**patient, "link": links}
        sent = outward(patient, said.values(), here)
        return [Entry(sent, subject.url, "PUT", subject.criteria)]

    def _retired(
        self, change: Change, former: Subject, survivor: Subject
    ) -> list[Entry]:
        """Return the Patient that is replaced: inactive, its numbers out of use."""
        said = self._said(change.moved, former)
        if not said:
            return []
        standing = self.view.standing(change.target)
        persons = self.line.desk.persons
        members = [each for each in standing.members if each.record in said]
        patient = combined(said, members, (), persons.ranks)
        numbers = without_enterprise(patient, persons.system)
        aged = [{**one, "use": "old"} for one in numbers]
        patient = persons.stamped({**patient, "identifier": aged}, change.source)
        link: Element = {"other": {"reference": survivor.url}, "type": "replaced-by"}
        patient |= {"active": False, "link": [link]}
        here = {**survivor.found_by, **former.found_by}
        sent = outward(patient, said.values(), here)
        return [Entry(sent, former.url, "PUT", former.criteria)]

    def _said(self, numbers: Iterable[int], subject: Subject) -> dict[int, Kept]:
        keys = {number: patient_key(number) for number in numbers}
        known = self.view.known(dict.fromkeys(keys.values(), subject))
        return {n: known[key] for n, key in keys.items() if key in known}

    # -- messages and documents --------------------------------------------------------

    def _rendered(
        self,
        destination: Destination,
        cause: Cause,
        wanted: Correction,
        claimed: Claimed,
    ) -> Made:
        work = self._work(claimed, wanted)
        work.ordered = True
        channel = self.line.desk.channel
        if sends_summaries(destination):
            subject = work.persons.subject(wanted.person)
            patient = self._patient(wanted.person, subject, subject.found_by)
            work.prepared.mapped = Mapped(work.persons.site, patient)
        key = order_key_of(destination, work, channel)
        deliveries = []
        for each in render(destination, work):
            document = _renamed(each, cause) if wanted.what is What.AGAIN else each
            made = delivery_of(destination, work, channel, key, document)
            deliveries.append(replace(made, note=cause.note, event=cause.event))
        return Made(claimed.attempt, tuple(deliveries), tuple(work.versions))

    def _work(self, claimed: Claimed, wanted: Correction) -> Work:
        """Process a message again as far as rendering, under today's identity."""
        desk = self.line.desk
        prepared = self._prepared(claimed)
        registration = registered(prepared, desk.channel.identity, desk.reading, mint)
        decision = None if registration is None else self._known(registration)
        prepared.context.names = {
            **prepared.context.names,
            **identity_names(decision),
            "identity.enterprise_id": wanted.person,
        }
        if prepared.mapped is not None and decision is not None:
            latest(prepared, prepared.mapped, decision, self.view, desk.persons)
        return work_of(prepared, desk, self.view, wanted.person)

    def _prepared(self, claimed: Claimed) -> Prepared:
        """Edit and map a message; what a filter keeps was decided when it came."""
        feed = self.line.feed
        feed = replace(feed, channel=replace(feed.channel, filter=()))
        prepared = prepare(claimed, feed, self.view.sealer.pseudonym)
        if not isinstance(prepared, Prepared):
            raise TransformError(
                f"message {claimed.row.id}, which the correction is made from, does "
                f"not come through any more: {prepared.outcome.reason}",
                "correction",
            )
        return prepared

    def _known(self, registration: Registration) -> Decision | None:
        """Return a decision that only says where the numbers lead today."""
        known = self.view.index.known(registration.identifiers)
        record = next(iter(known.values()), None)
        if record is None:
            return None
        also = tuple(filter(None, map(self._known, registration.also)))
        return Decision(
            registration, Outcome.LINKED, record.person, (Reason.DECIDED,),
            record=record, also=also,
        )  # fmt: skip

    def _notice(self, change: Change, wanted: Correction, claimed: Claimed) -> Claimed:
        """Return a message of our own in place of the one it is made from."""
        base, pid = self._spoken(claimed, wanted.record)
        second: Segment | None = None
        if wanted.other:
            number = change.last.get(wanted.other, 0)
            other = claims.again(self.view.connection, self.view.sealer, number)
            if other is None:
                raise TransformError(
                    f"message {number}, which tells of the second number, was removed "
                    "by retention",
                    "correction",
                )
            _, second = self._spoken(other, wanted.other)
        control_id = f"C{change.event}R{wanted.record}"
        segments = notice(wanted.what, pid, second, base, control_id)
        data = written(wanted.what, base, segments, control_id, self.now)
        return replace(claimed, data=data, chain=None)

    def _spoken(self, claimed: Claimed, record: int) -> tuple[Message, Segment]:
        """Return a message as received, and its PID that speaks of a record."""
        desk = self.line.desk
        edited = self._prepared(claimed)
        registration = registered(edited, desk.channel.identity, desk.reading, mint)
        message = parsed(claimed, desk.channel)
        spoken = message.all("PID")
        each = [registration, *registration.also] if registration else []
        for pid, one in zip(spoken, each, strict=False):
            known = self.view.index.known(one.identifiers).values()
            if any(found.number == record for found in known):
                return message, pid
        raise TransformError(
            f"message {claimed.row.id} does not speak of record {record} any more",
            "correction",
        )


def _kept(claimed: Claimed | None, wanted: Correction) -> Claimed:
    """Return a message whose content is still there."""
    if claimed is None or not claimed.data:
        raise TransformError(
            f"message {wanted.message} was removed by retention: it is made from it",
            "correction",
        )
    return claimed


def _renamed(document: Rendered, cause: Cause) -> Rendered:
    """Give a file that is written again a name of its own."""
    if not document.name:
        return document
    path = PurePosixPath(document.name)
    return replace(
        document, name=str(path.with_stem(f"{path.stem}-corrected-{cause.event}"))
    )


def _note(change: Change) -> str:
    does = "joined" if change.joins else "left"
    return f"correction: records {does} a person, link event {change.event}"
