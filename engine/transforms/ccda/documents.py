"""Which documents a message gives: one for each note, or one about the person or visit.

Nothing to say gives nothing to send, with a finding that names the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.errors import TransformError
from engine.hl7.conformance import Finding
from engine.transforms.ccda.attachments import (
    Attachment,
    attachments,
    is_source_message,
)
from engine.transforms.ccda.facts import (
    Facts,
    Resource,
    child,
    children,
    codes,
    newest_first,
    text,
)
from engine.transforms.ccda.note_types import PROGRESS
from engine.transforms.ccda.site import CdaSite
from engine.transforms.ccda.versions import (
    APPENDS,
    REPLACES,
    Predecessor,
    foreign_document_id,
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One document to be rendered: hand ``template`` and ``facts`` to `render`.

    ``series`` names the set of versions it belongs to; a caller with several
    destinations adds the destination. ``relation`` is RPLC, APND or ``""``; then
    ``parent_series`` names the series of the document it refers to, ``parent_number``
    the number the message gives for it.
    """

    template: str
    facts: Facts
    series: str
    relation: str = ""
    parent_series: str = ""
    parent_number: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The documents of one message, in its order, and why there are not more."""

    documents: tuple[Planned, ...]
    findings: tuple[Finding, ...] = ()


def documents_of(template: str, facts: Facts) -> Plan:
    """Return the documents that a template makes from the facts of one message.

    Args:
        template: the channel's choice.
        facts: for notes the message's resources, else the person's or the visit's.

    Raises:
        TransformError: there is no such template.
    """
    plan = PLANS.get(template)
    if plan is None:
        raise TransformError(f"there is no document template {template!r}", "template")
    return plan(facts)


def _person(facts: Facts) -> Plan:
    return Plan(
        (Planned("ccd", facts, f"ccd|{_key(facts.patient, facts.patient_url)}"),)
    )


def _visit(facts: Facts) -> Plan:
    """Plan a discharge summary: of the latest visit that has ended, and of it alone."""
    visits = newest_first(facts.of("Encounter"), "period.end", "period.start")
    ended = [pair for pair in visits if text(pair[1], "status") == "finished"]
    if not ended:
        return _nothing("there is no finished visit; the discharge may be cancelled")
    url, visit = ended[0]
    series = f"visit|{_key(visit, url)}"
    return Plan((Planned("discharge-summary", _of_visit(facts, url, visit), series),))


DATED: Final = (
    *("effectiveDateTime", "effectivePeriod", "performedDateTime", "performedPeriod"),
    *("occurrenceDateTime", "recordedDate", "authoredOn", "date", "issued"),
)
"""Where resources say when they were; those that never do belong to every visit."""


def _of_visit(facts: Facts, url: str, visit: Resource) -> Facts:
    """Return what names the visit, or names none and is not of another time."""
    period = text(visit, "period", "start"), text(visit, "period", "end")
    kept = {
        other: resource
        for other, resource in facts.resources.items()
        if other == url
        or (
            resource.get("resourceType") != "Encounter"
            and _belongs(resource, facts, url, period)
        )
    }
    return Facts(kept, facts.enterprise_system)


def _belongs(
    resource: Resource, facts: Facts, visit: str, period: tuple[str, str]
) -> bool:
    context = child(resource, "context")
    named = [child(resource, "encounter"), context, *children(context, "encounter")]
    for reference in named:
        if found := text(reference, "reference"):
            return facts.url_of(found) == visit
    if resource.get("resourceType") == "AllergyIntolerance":
        return True
    days = (text(resource, name) or text(resource, name, "start") for name in DATED)
    day = next(filter(None, days), "")[: len("YYYY-MM-DD")]
    low, high = (end[: len(day)] for end in period)
    return not day or (low <= day and (not high or day <= high))


def _notes(facts: Facts) -> Plan:
    found = attachments(facts)
    if not found:
        return _nothing(_why_nothing(facts))
    counts: dict[str, int] = {}
    for attachment in found:
        url = attachment.focus.url
        counts[url] = counts.get(url, 0) + 1
    return Plan(tuple(_planned(facts, item, counts[item.focus.url]) for item in found))


def _planned(facts: Facts, attachment: Attachment, siblings: int) -> Planned:
    holder, focus = attachment.holder, attachment.focus
    number = f"#{focus.index}" if siblings > 1 else ""
    series = f"note|{_key(holder, focus.url)}{number}"
    about = Facts(facts.resources, facts.enterprise_system, focus)
    relation, parent = _relation(holder, facts)
    return Planned(
        "unstructured",
        about,
        series,
        relation,
        f"note|{parent}{number}" if relation else "",
        parent.rpartition("|")[2],
    )


def _relation(holder: Resource, facts: Facts) -> tuple[str, str]:
    """Return how a note relates to another, and the key of that one."""
    for related in children(holder, "relatesTo"):
        relation = RELATIONS.get(text(related, "code"), "")
        if relation:
            return relation, _target(child(related, "target"), facts)
    return "", ""


def _target(target: Resource, facts: Facts) -> str:
    identifier = child(target, "identifier")
    if identifier:
        return f"{text(identifier, 'system')}|{text(identifier, 'value')}"
    reference = text(target, "reference")
    url = facts.url_of(reference)
    if url in facts.resources:
        return _key(facts.resources[url], url)
    return reference.partition("?identifier=")[2] or reference


def _progress_notes(facts: Facts) -> Plan:
    """Plan progress notes; a note without a known visit goes out as it is."""
    plan = _notes(facts)
    documents = []
    findings = list(plan.findings)
    for planned in plan.documents:
        if not facts.of("Encounter"):
            sentence = "no visit is known: the progress note goes out unstructured"
            findings.append(Finding("no-visit", "componentOf", sentence))
            documents.append(planned)
        elif _is_progress_note(planned, facts):
            documents.append(_as(planned, "progress-note"))
        else:
            documents.append(planned)
    return Plan(tuple(documents), tuple(findings))


def _is_progress_note(planned: Planned, facts: Facts) -> bool:
    focus = planned.facts.focus
    holder = facts.resources[focus.url] if focus else {}
    stands = text(holder, "status") == "current"
    return stands and bool(codes(child(holder, "type")) & {"PR", PROGRESS})


def _as(planned: Planned, template: str) -> Planned:
    return Planned(
        template,
        planned.facts,
        planned.series,
        planned.relation,
        planned.parent_series,
        planned.parent_number,
    )


def _why_nothing(facts: Facts) -> str:
    states = {
        text(resource, "status")
        for resource in facts.resources.values()
        if resource.get("resourceType") == "DocumentReference"
        and not is_source_message(resource)
    }
    if "entered-in-error" in states:
        return "the note is cancelled; C-CDA knows no withdrawal, the sent one stands"
    if states:
        return "the note has no content"
    return "the message holds no note and no attachment"


def _nothing(reason: str) -> Plan:
    return Plan((), (Finding("nothing-to-say", "", reason),))


def _key(resource: Resource, url: str) -> str:
    """Return the identifier that names a resource, else its URL."""
    own = child(resource, "masterIdentifier")
    for identifier in (own, *children(resource, "identifier")):
        if text(identifier, "value"):
            return f"{text(identifier, 'system')}|{text(identifier, 'value')}"
    return url


def predecessor_of(
    planned: Planned,
    site: CdaSite,
    own: Predecessor | None,
    parent: Predecessor | None,
) -> Predecessor | None:
    """Return the document that a planned one replaces or appends to, if any.

    Args:
        planned: what `documents_of` gave.
        site: gives an id to a document that was never rendered here.
        own: the last version of the same series, None for a first one.
        parent: the last version of ``planned.parent_series``, None when there is none.
    """
    if own is not None or not planned.relation:
        return own
    if parent is not None:
        return replace(parent, relation=planned.relation)
    number = foreign_document_id(site, planned.parent_number)
    return Predecessor(number, planned.relation)


RELATIONS: Final = {"replaces": REPLACES, "appends": APPENDS}

PLANS: Final[Mapping[str, Callable[[Facts], Plan]]] = {
    "ccd": _person,
    "discharge-summary": _visit,
    "progress-note": _progress_notes,
    "unstructured": _notes,
}
