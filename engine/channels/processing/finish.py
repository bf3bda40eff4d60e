"""The second half of processing: identify the person, render, and what to write.

Everything here reads the store and writes nothing; what is to be written stands in the
`Finished` value, so a message that fails half way leaves nothing behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from engine.channels.format.channel import Channel, Destination
from engine.channels.processing.fed import fed
from engine.channels.processing.identify import identify
from engine.channels.processing.latest import latest
from engine.channels.processing.outcomes import outcome, visibly
from engine.channels.processing.person_patient import Persons
from engine.channels.processing.prepared import Prepared, Stage
from engine.channels.processing.render import render
from engine.channels.processing.rendering import FHIR_JSON, Rendered, Work
from engine.channels.processing.sampling import Sample
from engine.channels.processing.search_keys import person_keys, waiting_keys
from engine.channels.processing.view import View
from engine.identity.decision import Decision
from engine.identity.registration import Reading
from engine.identity.weights import Model
from engine.store.deliveries import NewDelivery
from engine.store.message_state import MessageState
from engine.store.resources import KnownResource
from engine.store.results import Outcome
from engine.store.words import OnFailure
from engine.transforms.ccda.site import CdaSite
from engine.transforms.places import holds, settled
from engine.transforms.scope import Value


@dataclass(frozen=True, slots=True)
class Desk:
    """What finishing the messages of one channel needs, made once per revision.

    ``persons`` says how a person becomes a Patient, ``sample`` which messages the
    output gate looks at.
    """

    channel: Channel
    reading: Reading
    model: Model
    persons: Persons
    folder: Path
    cda: CdaSite | None
    sample: Sample = field(default_factory=Sample)


@dataclass(frozen=True, slots=True)
class Finished:
    """An outcome, and the identity decision to be written with it."""

    outcome: Outcome
    decision: Decision | None = None


def finish(prepared: Prepared, desk: Desk, view: View) -> Finished:
    """Take a prepared message to its outcome; whatever goes wrong is one too.

    Raises:
        StoreError: the store is away; see `visibly`.
    """
    done = visibly(lambda: _finished(prepared, desk, view), prepared, desk.channel)
    prepared.leave()
    return Finished(done) if isinstance(done, Outcome) else done


def _finished(prepared: Prepared, desk: Desk, view: View) -> Finished:
    channel = desk.channel
    behind = view.blocked(waiting_keys(prepared.message, channel.name))
    if behind is not None and behind < prepared.claimed.row.id:
        held = outcome(
            prepared, channel, MessageState.HELD, reason="waits for its person"
        )
        return Finished(replace(held, behind=behind, holds=()))
    prepared.enter(Stage.IDENTITY)
    decision = identify(
        prepared, channel.identity, desk.reading, desk.model, view.index, view.mint
    )
    if decision is None:
        return Finished(_rendered(prepared, desk, view, None))
    if decision.held:
        done = _held(prepared, channel, decision)
    else:
        done = _rendered(prepared, desk, view, decision)
    done = replace(done, acts=fed(prepared, channel, decision))
    return Finished(done, decision)


def _held(prepared: Prepared, channel: Channel, decision: Decision) -> Outcome:
    """Return the outcome of a message that waits for a decision about its person."""
    reasons = ", ".join(decision.reasons)
    held = outcome(prepared, channel, MessageState.HELD, reason=f"identity: {reasons}")
    return replace(held, holds=tuple(person_keys(prepared.message)))


def _rendered(
    prepared: Prepared, desk: Desk, view: View, decision: Decision | None
) -> Outcome:
    person = "" if decision is None else decision.enterprise_id
    prepared.context.names = {
        **prepared.context.names,
        **identity_names(decision),
    }
    resources: tuple[KnownResource, ...] = ()
    if prepared.mapped is not None:
        switches = desk.channel.map_options
        resources = latest(
            prepared, prepared.mapped, decision, view, desk.persons, switches
        )
    prepared.enter(Stage.RENDER)
    work = work_of(prepared, desk, view, person)
    deliveries = [
        delivery
        for destination in desk.channel.destinations
        if _receives(destination, prepared)
        for delivery in _deliveries(destination, work, desk.channel)
    ]
    prepared.context.findings += work.findings
    receivers = frozenset(
        f"{each.channel}/{each.destination}"
        for each in deliveries
        if each.content_type == FHIR_JSON
    )
    done = outcome(prepared, desk.channel, MessageState.PROCESSED)
    return replace(
        done,
        person=person,
        deliveries=tuple(deliveries),
        resources=tuple(_sent_to(each, receivers) for each in resources),
        documents=tuple(work.versions),
        gates=tuple(work.gates),
    )


def work_of(prepared: Prepared, desk: Desk, view: View, person: str) -> Work:
    """Return a message, its person known, ready to be rendered."""
    return Work(
        prepared,
        _texts(prepared.context.names),
        person,
        view,
        desk.persons,
        desk.folder,
        desk.cda,
        desk.sample,
        desk.sample.wants(),
        profile=desk.channel.map_options.profile,
        documents=desk.channel.map_options.documents,
    )


def _sent_to(kept: KnownResource, receivers: frozenset[str]) -> KnownResource:
    """Note which destinations are sent a resource; nobody's need no correction."""
    return replace(kept, sent=receivers) if kept.record and receivers else kept


def identity_names(decision: Decision | None) -> dict[str, Value]:
    """Return what ``identity.`` names mean for a message."""
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


# ---- deliveries ----


def _receives(destination: Destination, prepared: Prepared) -> bool:
    return holds(destination.when, prepared.context)


def _deliveries(
    destination: Destination, work: Work, channel: Channel
) -> list[NewDelivery]:
    order_key = order_key_of(destination, work, channel)
    return [
        delivery_of(destination, work, channel, order_key, document)
        for document in render(destination, work)
        if not destination.simulate
    ]


def delivery_of(
    destination: Destination,
    work: Work,
    channel: Channel,
    order_key: str,
    document: Rendered,
) -> NewDelivery:
    """Return a document on its way to a destination."""
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


def order_key_of(destination: Destination, work: Work, channel: Channel) -> str:
    """Return the lane key: the person unless the channel says otherwise."""
    if destination.order_key is not None:
        value = settled(destination.order_key, work.prepared.context)
        return "" if value is None else str(value)
    if channel.identity.match:
        return work.person
    return work.prepared.message["PID-3.1"]
