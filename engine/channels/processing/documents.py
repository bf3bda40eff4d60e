"""C-CDA documents of one message: which, from which facts, in which version."""

from collections.abc import Mapping

from engine.channels.format.channel import Destination
from engine.channels.format.endpoints import SUMMARIES, CdaDestination
from engine.channels.processing.rendering import CDA_XML, ZIP, Rendered, Work
from engine.errors import TransformError
from engine.hl7 import Finding, Message, parse
from engine.store.resources import NewDocument
from engine.transforms.ccda.document import render
from engine.transforms.ccda.documents import (
    Planned,
    documents_of,
    predecessor_of,
)
from engine.transforms.ccda.enclosing import enclosed
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.incoming import opened
from engine.transforms.ccda.packaging import xdm
from engine.transforms.ccda.site import CdaSite
from engine.transforms.ccda.versions import (
    Predecessor,
    Version,
    document_id,
    set_id,
)
from engine.transforms.fhir.mapped import Element

SENDER = "INTEROP"
"""MSH-3 of messages that carry documents; a destination's ``edit`` may set another."""

_WHEN = {"on-order": "when it is ordered", "daily": "once a day"}


def cda(destination: Destination, work: Work) -> list[Rendered]:
    """Return the documents a message gives this destination, in message order.

    Raises:
        TransformError: ``[cda]`` is not configured, or a document cannot be made.
    """
    wanted = _wanted(destination)
    if work.cda is None:
        raise TransformError("[cda] root is not set in interop.toml", "cda-settings")
    if wanted.make != "with-message" and not work.ordered:
        later = f"the document is made {_WHEN[wanted.make]}, not with each message"
        work.findings.append(Finding("document-later", destination.name, later))
        return []
    plan = documents_of(wanted.template, _facts(wanted, work))
    work.findings += plan.findings
    made = [
        _document(destination, wanted, planned, work, work.cda)
        for planned in plan.documents
    ]
    return [
        _packed(document) if wanted.package == "xdm" else document
        for document in made
        if document is not None
    ]


def _wanted(destination: Destination) -> CdaDestination:
    """Return which documents: those of ``cda``, or those that HL7 messages carry."""
    if destination.mllp is not None and destination.mllp.document is not None:
        return CdaDestination(template=destination.mllp.document)
    assert destination.cda is not None
    return destination.cda


def sends_documents(destination: Destination) -> bool:
    """Whether a destination is sent C-CDA documents, whatever carries them."""
    carried = destination.mllp is not None and destination.mllp.document is not None
    return carried or destination.cda is not None


def sends_summaries(destination: Destination) -> bool:
    """Whether a destination is sent documents that summarise a person."""
    documents = sends_documents(destination)
    return documents and _wanted(destination).template in SUMMARIES


def _packed(document: Rendered) -> Rendered:
    return Rendered(xdm(document.content), ZIP, document.name)


def carriers(destination: Destination, work: Work) -> list[Message]:
    """Return the messages that carry this destination's documents, in order.

    Raises:
        TransformError: as `cda`.
    """
    at = work.prepared.claimed.row.received_at
    return [
        opened(parse(enclosed(document.content, at, SENDER)))
        for document in cda(destination, work)
    ]


def _document(
    destination: Destination,
    wanted: CdaDestination,
    planned: Planned,
    work: Work,
    site: CdaSite,
) -> Rendered | None:
    """Return the next version of a document; None where it would say nothing new."""
    row = work.prepared.claimed.row
    series = f"{planned.series}|{destination.name}"
    before = _latest(series, work, site)
    version = _version(planned, destination.name, before, work, site)
    made = render(planned.template, planned.facts, site, version, row.received_at)
    work.findings += made.findings
    if made.faults and wanted.validate == "error":
        raise TransformError(
            f"the document is not valid C-CDA: {made.faults[0].text}", "cda-invalid"
        )
    digest = made.content_hash().hex()
    if _says_nothing_new(before, digest, 0 if work.ordered else row.id):
        sentence = f"version {version.number - 1} says the same: no document is sent"
        work.findings.append(Finding("document-unchanged", destination.name, sentence))
        return None
    number = document_id(site, version)
    work.versions.append(
        NewDocument(
            set_id(site, version),
            version.number,
            number,
            version.predecessor.document_id if version.predecessor else "",
            row.id,
            digest,
        )
    )
    name = number
    if wanted.path:
        name = work.path(wanted.path, **{"document.id": number})
    return Rendered(made.document, CDA_XML, name)


def _says_nothing_new(before: NewDocument | None, digest: str, message: int) -> bool:
    """Whether another message's version has this content already.

    Processing a message again always makes its document anew: what its earlier attempt
    had not sent is discarded. A document that no message causes comes after all that
    was sent: its message is 0.
    """
    if before is None or before.message_id == message:
        return False
    return before.content_hash == digest


def _version(
    planned: Planned,
    destination: str,
    before: NewDocument | None,
    work: Work,
    site: CdaSite,
) -> Version:
    """Return the next version of a series, or the first one beside what it follows."""
    parent = None
    if planned.relation:
        parent = _latest(f"{planned.parent_series}|{destination}", work, site)
    followed = predecessor_of(planned, site, _named(before), _named(parent))
    return Version(
        f"{planned.series}|{destination}",
        before.number + 1 if before else 1,
        str(work.prepared.claimed.row.id),
        predecessor=followed,
    )


def _latest(series: str, work: Work, site: CdaSite) -> NewDocument | None:
    """Return the last version of a series at this destination."""
    return work.view.latest_document(set_id(site, Version(series)))


def _named(document: NewDocument | None) -> Predecessor | None:
    if document is None:
        return None
    return Predecessor(
        document.document_id, set_id=document.set_id, number=document.number
    )


def _facts(wanted: CdaDestination, work: Work) -> Facts:
    """Return this message's resources, under what is known of the person.

    A channel that matches no persons has no person to know anything of.
    """
    assert work.cda is not None
    own = {entry.full_url: entry.resource for entry in work.entries()}
    if wanted.template not in SUMMARIES or not work.person:
        return Facts(own, work.cda.enterprise_system)  # nobody's are everybody's
    subject = work.persons.subject(work.person)
    kept = work.view.of_person(work.person, subject)
    known = {each.full_url: each.resource for each in kept}
    resources = _with_parties({**known, **own}, work)
    ordered = dict(sorted(resources.items()))
    return Facts(ordered, work.cda.enterprise_system)


def _with_parties(resources: Mapping[str, Element], work: Work) -> dict[str, Element]:
    """Add the practitioners, organizations and places that resources refer to."""
    found = dict(resources)
    missing = _references(list(found.values())) - found.keys()
    for party in work.view.kept_parties(missing):
        found[party.full_url] = party.resource
    return found


def _references(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    own = value.get("reference")
    found = set().union(*map(_references, value.values()))
    return found | ({own} if isinstance(own, str) else set())
