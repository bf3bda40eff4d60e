"""C-CDA documents of one message: which, from which facts, in which version."""

from collections.abc import Mapping

from engine.channels.format.channel import Destination
from engine.channels.format.endpoints import CdaDestination
from engine.channels.processing.known import opened
from engine.channels.processing.rendering import CDA_XML, Rendered, Work
from engine.errors import TransformError
from engine.store.resources import NewDocument
from engine.transforms.ccda.document import render
from engine.transforms.ccda.documents import (
    Planned,
    documents_of,
    predecessor_of,
)
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.site import CdaSite
from engine.transforms.ccda.versions import (
    Predecessor,
    Version,
    document_id,
    set_id,
)
from engine.transforms.fhir.mapped import Element

ABOUT_PERSONS = frozenset({"ccd", "discharge-summary"})
"""Templates that summarise a person; the others are about one message's note."""


def cda(destination: Destination, work: Work) -> list[Rendered]:
    """Return the documents a message gives this destination, in message order.

    Raises:
        TransformError: ``[cda]`` is not configured, or a document cannot be made.
    """
    assert destination.cda is not None
    if work.cda is None:
        raise TransformError("[cda] root is not set in interop.toml", "cda-settings")
    plan = documents_of(destination.cda.template, _facts(destination.cda, work))
    work.findings += plan.findings
    return [
        _document(destination, destination.cda, planned, work, work.cda)
        for planned in plan.documents
    ]


def _document(
    destination: Destination,
    wanted: CdaDestination,
    planned: Planned,
    work: Work,
    site: CdaSite,
) -> Rendered:
    version = _version(planned, destination.name, work, site)
    row = work.prepared.claimed.row
    made = render(planned.template, planned.facts, site, version, row.received_at)
    work.findings += made.findings
    if made.faults and wanted.validate == "error":
        raise TransformError(
            f"the document is not valid C-CDA: {made.faults[0].text}", "cda-invalid"
        )
    number = document_id(site, version)
    work.versions.append(
        NewDocument(
            set_id(site, version),
            version.number,
            number,
            version.predecessor.document_id if version.predecessor else "",
            row.id,
        )
    )
    name = number
    if wanted.path:
        name = work.path(wanted.path, **{"document.id": number})
    return Rendered(made.document, CDA_XML, name)


def _version(planned: Planned, destination: str, work: Work, site: CdaSite) -> Version:
    """Return the next version of a series, or the first one beside what it follows."""
    series = f"{planned.series}|{destination}"
    own = _latest(series, work, site)
    parent = None
    if planned.relation:
        parent = _latest(f"{planned.parent_series}|{destination}", work, site)
    return Version(
        series,
        own.number + 1 if own else 1,
        str(work.prepared.claimed.row.id),
        predecessor=predecessor_of(planned, site, own, parent),
    )


def _latest(series: str, work: Work, site: CdaSite) -> Predecessor | None:
    """Return the last version of a series at this destination."""
    known = work.view.latest_document(set_id(site, Version(series)))
    if known is None:
        return None
    return Predecessor(known.document_id, set_id=known.set_id, number=known.number)


def _facts(wanted: CdaDestination, work: Work) -> Facts:
    """Return this message's resources, under what is known of the person."""
    assert work.cda is not None
    own = {entry.full_url: entry.resource for entry in work.entries()}
    if wanted.template not in ABOUT_PERSONS:
        return Facts(own, work.cda.enterprise_system)
    kept = map(opened, work.view.of_person(work.person))
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
