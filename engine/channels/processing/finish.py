"""The second half of processing: identify the person, render, and what to write.

Everything here reads the store and writes nothing; what is to be written stands in the
`Finished` value, so a message that fails half way leaves nothing behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from engine.channels.format.channel import Channel, Destination
from engine.channels.processing.identify import identify
from engine.channels.processing.known import Kept, closed, is_update
from engine.channels.processing.outcomes import failed, outcome
from engine.channels.processing.prepared import Prepared, Stage
from engine.channels.processing.render import render
from engine.channels.processing.rendering import Rendered, Work
from engine.channels.processing.sampling import Sample
from engine.channels.processing.search_keys import person_keys, waiting_keys
from engine.channels.processing.view import View
from engine.hl7 import Message
from engine.hl7.timestamps import read_timestamp
from engine.identity.decision import Decision
from engine.identity.registration import Reading
from engine.identity.weights import Model
from engine.store.deliveries import NewDelivery
from engine.store.message_state import MessageState
from engine.store.resources import KnownResource
from engine.store.results import Outcome
from engine.store.words import OnFailure
from engine.transforms.ccda.site import CdaSite
from engine.transforms.fhir.bundle import (
    queries,
    read_json,
    refer_outside,
    stamp_person,
    write_json,
)
from engine.transforms.fhir.mapped import Entry, Mapped
from engine.transforms.fhir.update import merge_update
from engine.transforms.places import holds, settled
from engine.transforms.scope import Value


@dataclass(frozen=True, slots=True)
class Desk:
    """What finishing the messages of one channel needs, made once per revision.

    ``person_system`` is the URI of the enterprise identifier, ``sample`` says which
    messages the output gate looks at.
    """

    channel: Channel
    reading: Reading
    model: Model
    person_system: str
    folder: Path
    cda: CdaSite | None
    sample: Sample = field(default_factory=Sample)


@dataclass(frozen=True, slots=True)
class Finished:
    """An outcome, and the identity decision to be written with it."""

    outcome: Outcome
    decision: Decision | None = None


def finish(prepared: Prepared, desk: Desk, view: View) -> Finished:
    """Take a prepared message to its outcome.

    Never raises: whatever goes wrong ends in an outcome that a person can see.
    """
    channel = desk.channel
    try:
        behind = view.blocked(waiting_keys(prepared.message, channel.name))
        if behind is not None and behind < prepared.claimed.row.id:
            held = outcome(
                prepared, channel, MessageState.HELD, reason="waits for its person"
            )
            return Finished(replace(held, behind=behind, holds=()))
        prepared.stage = Stage.IDENTITY
        decision = identify(
            prepared, channel.identity, desk.reading, desk.model, view.index, view.mint
        )
        if decision is not None and decision.held:
            return Finished(_held(prepared, channel, decision), decision)
        return _rendered(prepared, desk, view, decision)
    except Exception as error:  # noqa: BLE001 - every message ends in a visible state
        return Finished(failed(prepared, channel, error))


def _held(prepared: Prepared, channel: Channel, decision: Decision) -> Outcome:
    """Return the outcome of a message that waits for a decision about its person."""
    reasons = ", ".join(decision.reasons)
    held = outcome(prepared, channel, MessageState.HELD, reason=f"identity: {reasons}")
    return replace(held, holds=tuple(person_keys(prepared.message)))


def _rendered(
    prepared: Prepared, desk: Desk, view: View, decision: Decision | None
) -> Finished:
    person = "" if decision is None else decision.enterprise_id
    prepared.context.names = {
        **prepared.context.names,
        **_identity_names(decision),
    }
    resources: tuple[KnownResource, ...] = ()
    if prepared.mapped is not None:
        owners = {} if decision is None else _stamp(prepared, desk, decision)
        resources = _latest(prepared, prepared.mapped, view, owners)
    prepared.stage = Stage.RENDER
    work = Work(
        prepared,
        _texts(prepared.context.names),
        person,
        view,
        desk.folder,
        desk.cda,
        desk.sample,
        desk.sample.wants(),
        profile=desk.channel.map_options.profile,
    )
    deliveries = [
        delivery
        for destination in desk.channel.destinations
        if _receives(destination, prepared)
        for delivery in _deliveries(destination, work, desk.channel)
    ]
    prepared.context.findings += work.findings
    done = outcome(prepared, desk.channel, MessageState.PROCESSED)
    done = replace(
        done,
        person=person,
        deliveries=tuple(deliveries),
        resources=resources,
        documents=tuple(work.versions),
    )
    return Finished(done, decision)


def _identity_names(decision: Decision | None) -> dict[str, Value]:
    if decision is None:
        return {"identity.enterprise_id": "", "identity.outcome": ""}
    names: dict[str, Value] = {
        "identity.enterprise_id": decision.enterprise_id,
        "identity.outcome": str(decision.outcome),
    }
    if decision.score is not None:
        names["identity.score"] = Decimal(f"{decision.score:.2f}")
    return names


def _texts(names: Mapping[str, Value]) -> dict[str, str]:
    """Return context names as text, for path templates."""
    found: dict[str, str] = {}
    for name, value in names.items():
        stamp = getattr(value, "date_text", None)
        text = str(stamp) if stamp is not None else str(value or "")
        found[name] = text
    return found


def _stamp(prepared: Prepared, desk: Desk, decision: Decision) -> dict[str, str]:
    """Put enterprise identifiers on the Patients of every PID and MRG.

    Return the person of each Patient by full URL: a message may speak of two patients,
    and what is said of one is never kept with the other.
    """
    message, mapped = prepared.message, prepared.mapped
    assert mapped is not None
    persons: dict[int, str] = {}
    for segment, found in zip(
        message.all("PID"), [decision, *decision.also], strict=False
    ):
        position = message.segments.index(segment)
        persons[position] = found.enterprise_id
        if (retired := _retired(found)) and (prior := _prior(message, position)):
            persons[prior] = retired
    for position, person in persons.items():
        stamp_person(mapped, desk.person_system, person, segment=position)
    return {
        entry.full_url: persons[entry.segment]
        for entry in mapped.patients
        if entry.segment in persons
    }


def _prior(message: Message, after: int) -> int:
    """Return the index of the MRG that belongs to a PID, 0 when it has none."""
    for offset, segment in enumerate(message.segments[after + 1 :], after + 1):
        if segment.id in {"PID", "MRG"}:
            return offset if segment.id == "MRG" else 0
    return 0


def _retired(decision: Decision) -> str:
    """Return the person that a merge retires in favour of the decision's."""
    sources = [
        move.source for move in decision.moves if move.target == decision.enterprise_id
    ]
    return next(iter(sources), "")


# ---- the latest version of each resource ----


def _latest(
    prepared: Prepared, mapped: Mapped, view: View, owners: Mapping[str, str]
) -> tuple[KnownResource, ...]:
    """Apply each update to what is known, and return the new latest versions.

    Each is kept with the person of its own Patient, else with the message's first.

    An update older than what is known is dropped: the known version is sent again.
    Parties that a message only refers to are kept beside, by full URL, so that later
    documents can name them.
    """
    number = prepared.claimed.row.id
    entries = [each for each in mapped.entries if is_update(each)]
    known = view.known([(each.kind, each.criteria) for each in entries])
    happened = _happened(prepared)
    here = queries(mapped.entries)
    first = next(iter(owners.values()), "")
    updates = []
    for entry in entries:
        key = entry.kind, entry.criteria
        version = _applied(entry, known.get(key), happened, here)
        view.keep(key, version)
        urls = (version.full_url, *sorted(version.targets))
        owner = next((owners[url] for url in urls if url in owners), first)
        updates.append(
            KnownResource(*key, version.content, owner, version.source_time, number)
        )
    return (*updates, *view.new_parties(mapped.entries))


def _applied(
    entry: Entry,
    before: Kept | None,
    happened: datetime | None,
    here: Mapping[str, str],
) -> Kept:
    """Merge one update into what is known; return the latest version.

    What the known version refers to need not be in this message's Bundle: those
    references become conditional in what is sent, not in what is kept.
    """
    said = write_json(entry.resource)
    version = _merged(entry, before, happened, said, here)
    entry.resource = version.resource
    if version.targets <= here.keys():
        return version
    outside = {**version.found_by, **here}
    if any(each not in here and each in outside for each in version.targets):
        entry.resource = read_json(write_json(entry.resource))  # the kept one is shared
        refer_outside(entry.resource, outside, set(here))
    return version


def _merged(
    entry: Entry,
    before: Kept | None,
    happened: datetime | None,
    said: bytes,
    here: Mapping[str, str],
) -> Kept:
    if before is None:
        return closed(entry, here)._replace(source_time=happened, update=said)
    if before.source_time and happened and happened < before.source_time:
        return before
    if before.update == said and not entry.nulls:
        return before.at(happened)
    entry.resource = merge_update(before.resource, entry.resource, entry.nulls)
    found_by = {**before.found_by, **here}
    return closed(entry, found_by)._replace(source_time=happened, update=said)


def _happened(prepared: Prepared) -> datetime | None:
    """Return when the source says it happened: EVN-2, else MSH-7."""
    message = prepared.message
    found = read_timestamp(message["EVN-2"]) or read_timestamp(message["MSH-7"])
    return None if found is None else found.instant()


# ---- deliveries ----


def _receives(destination: Destination, prepared: Prepared) -> bool:
    return holds(destination.when, prepared.context)


def _deliveries(
    destination: Destination, work: Work, channel: Channel
) -> list[NewDelivery]:
    order_key = _order_key(destination, work, channel)
    return [
        _delivery(destination, work, channel, order_key, document)
        for document in render(destination, work)
        if not destination.simulate
    ]


def _delivery(
    destination: Destination,
    work: Work,
    channel: Channel,
    order_key: str,
    document: Rendered,
) -> NewDelivery:
    return NewDelivery(
        channel.name,
        destination.name,
        order_key,
        document.content,
        document.content_type,
        name=document.name,
        person=work.person,
        on_failure=OnFailure(destination.on_failure),
    )


def _order_key(destination: Destination, work: Work, channel: Channel) -> str:
    """Return the lane key: the person unless the channel says otherwise."""
    if destination.order_key is not None:
        value = settled(destination.order_key, work.prepared.context)
        return "" if value is None else str(value)
    if channel.identity.match:
        return work.person
    return work.prepared.message["PID-3.1"]
