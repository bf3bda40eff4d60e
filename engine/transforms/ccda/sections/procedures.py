"""Procedures that were done, are going on, or were not done."""

from typing import Final

from engine.transforms.ccda.codes import (
    CPT,
    ICD10PCS,
    LOINC,
    SNOMED,
    Code,
    concept,
)
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import Resource, child, children, newest_first, text
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, entry, status
from engine.transforms.ccda.templates import (
    PROCEDURE,
)
from engine.transforms.ccda.templates import (
    PROCEDURES as PROCEDURES_TEMPLATE,
)
from engine.transforms.ccda.times import when

STATUSES: Final = {
    "completed": "completed",
    "not-done": "completed",
    "stopped": "aborted",
    "preparation": "active",
    "in-progress": "active",
    "on-hold": "active",
}
"""Status of a procedure; unknown is written as completed when it has a time."""


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    return [
        _procedure(rendering, table, url, resource)
        for url, resource in newest_first(
            rendering.facts.of("Procedure"),
            "performedDateTime",
            "performedPeriod.start",
        )
    ]


def _procedure(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    path = "Procedure.code"
    source = child(resource, "code")
    code = concept(source, rendering, path, SNOMED, CPT, ICD10PCS)
    time = when(resource, "performed", rendering)
    state = text(resource, "status")
    remark = joined(text(note, "text") for note in children(resource, "note"))
    table.add(
        row,
        code.words or "not known",
        time.words,
        "" if state == "completed" else state,
        remark,
    )
    unknown = "completed" if time else "active"
    made = entry(
        "procedure",
        "EVN",
        rendering,
        PROCEDURE,
        rendering.own_ids(resource, url, "Procedure.identifier"),
        code.element("code", row),
        reference(row),
        status(STATUSES.get(state, unknown)),
        time.element(),
    )
    if state == "not-done":
        made.attributes["negationInd"] = "true"
    return made


PROCEDURES: Final = Section(
    "pro",
    Code("47519-4", LOINC, "History of procedures"),
    "Procedures",
    (PROCEDURES_TEMPLATE,),
    ("Procedure", "Date", "Status", "Remark (text only)"),
    _fill,
)
