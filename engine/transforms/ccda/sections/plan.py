"""Plan of treatment: orders and appointments that are still to come."""

from typing import Final

from engine.transforms.ccda.codes import LOINC, SNOMED, Code, Concept, concept
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import (
    Resource,
    child,
    children,
    codes,
    newest_first,
    text,
)
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, authored, entry, status
from engine.transforms.ccda.templates import (
    PLAN as PLAN_TEMPLATE,
)
from engine.transforms.ccda.templates import (
    PLANNED_ENCOUNTER,
    PLANNED_OBSERVATION,
    PLANNED_PROCEDURE,
)
from engine.transforms.ccda.times import Moment, known, span, time_stamp, when

AWAITED: Final = frozenset({"proposed", "pending", "booked", "waitlist"})
PROCEDURE_CATEGORIES: Final = frozenset({"387713003", "103693007"})
"""SNOMED CT: surgical procedure, diagnostic procedure."""
REPORTED: Final = frozenset({"final", "amended", "corrected"})


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    orders = [
        pair
        for pair in rendering.facts.of("ServiceRequest")
        if text(pair[1], "status") == "active"
        and pair[0] not in _answered(rendering)
        and not _is_past(when(pair[1], "occurrence", rendering).high, rendering)
    ]
    appointments = [
        pair
        for pair in rendering.facts.of("Appointment")
        if text(pair[1], "status") in AWAITED
        and not _is_past(known(pair[1].get("start"), rendering, "start"), rendering)
    ]
    made = [
        _order(rendering, table, url, resource)
        for url, resource in newest_first(orders, "occurrenceDateTime", "authoredOn")
    ]
    return made + [
        _appointment(rendering, table, url, resource)
        for url, resource in newest_first(appointments, "start")
    ]


def _answered(rendering: Rendering) -> set[str]:
    """Return the orders that a finished report already answers."""
    return {
        rendering.facts.url_of(text(order, "reference"))
        for _, report in rendering.facts.of("DiagnosticReport")
        if text(report, "status") in REPORTED
        for order in children(report, "basedOn")
    }


def _is_past(time: Moment | None, rendering: Rendering) -> bool:
    """Whether a time lies on a day before the document's; unknown is not past."""
    today = time_stamp(rendering.now)[: len("YYYYMMDD")]
    return time is not None and time.ts[: len(today)] < today[: len(time.ts)]


def _order(rendering: Rendering, table: Table, url: str, resource: Resource) -> Element:
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    source = child(resource, "code")
    categories = {c for item in children(resource, "category") for c in codes(item)}
    operation = bool(categories & PROCEDURE_CATEGORIES)
    wanted = SNOMED if operation else LOINC
    code = concept(source, rendering, "ServiceRequest.code", wanted)
    time = when(resource, "occurrence", rendering)
    ordered = known(resource.get("authoredOn"), rendering, "ServiceRequest.authoredOn")
    table.add(
        row,
        "Order",
        code.words or "not known",
        time.words,
        ordered.words if ordered else "",
        joined(text(note, "text") for note in children(resource, "note")),
    )
    return entry(
        "procedure" if operation else "observation",
        "RQO",
        rendering,
        PLANNED_PROCEDURE if operation else PLANNED_OBSERVATION,
        rendering.own_ids(resource, url, "ServiceRequest.identifier"),
        code.element("code", row),
        reference(row),
        status("active"),
        time.element() if time else None,
        authored(rendering, ordered),
    )


def _appointment(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    code = _service(rendering, resource)
    begins = known(resource.get("start"), rendering, "Appointment.start")
    ends = known(resource.get("end"), rendering, "Appointment.end")
    time = span(begins, ends, rendering, "Appointment.end")
    table.add(
        row, "Appointment", code.words, time.words, "", text(resource, "description")
    )
    return entry(
        "encounter",
        "APT",
        rendering,
        PLANNED_ENCOUNTER,
        rendering.own_ids(resource, url, "Appointment.identifier"),
        code.element("code", row) if code else None,
        reference(row),
        status("active"),
        time.element() if time else None,
    )


def _service(rendering: Rendering, resource: Resource) -> Concept:
    """Return what an appointment is for: service, else its type or reason."""
    sources = [*children(resource, "serviceType"), child(resource, "appointmentType")]
    found = [
        concept(source, rendering, "Appointment.serviceType")
        for source in (*sources, *children(resource, "reasonCode"))
    ]
    return next(filter(None, found), Concept(None))


PLAN: Final = Section(
    "pln",
    Code("18776-5", LOINC, "Plan of treatment"),
    "Plan of Treatment",
    (PLAN_TEMPLATE,),
    ("Kind", "What", "When", "Ordered", "Remark (text only)"),
    _fill,
)
