"""Sections of text alone: the hospital course, and assessment and plan."""

from typing import Final

from engine.transforms.ccda.attachments import attachments, plain_text
from engine.transforms.ccda.codes import LOINC, Code
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import child, codes, newest_first, text
from engine.transforms.ccda.narrative import Table
from engine.transforms.ccda.note_types import DISCHARGE, note_type
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section
from engine.transforms.ccda.templates import (
    ASSESSMENT_AND_PLAN as ASSESSMENT_TEMPLATE,
)
from engine.transforms.ccda.templates import (
    HOSPITAL_COURSE as COURSE_TEMPLATE,
)

ASSESSMENT_CODE: Final = Code("51847-2", LOINC, "Evaluation + Plan note")


def _course(rendering: Rendering, table: Table) -> list[Element]:
    """Write the visit's discharge summary notes; nothing else speaks of its course."""
    for item in attachments(rendering.facts):
        kind, _, _ = note_type(item.holder, rendering)
        content = plain_text(item)
        if kind.code == DISCHARGE and content.strip():
            row = table.new_id()
            rendering.originate(table.prefix, row, item.focus.url)
            table.add(row, content, text(item.holder, "date").replace("T", " "))
    return []


def _assessment(rendering: Rendering, table: Table) -> list[Element]:
    """Write observations coded as assessment and plan; a note is not split into it."""
    found = rendering.facts.of("Observation")
    for url, resource in newest_first(found, "effectiveDateTime"):
        said = text(resource, "valueString")
        if ASSESSMENT_CODE.code in codes(child(resource, "code")) and said:
            row = table.new_id()
            rendering.originate(table.prefix, row, url)
            date = text(resource, "effectiveDateTime").replace("T", " ")
            table.add(row, said, date)
    return []


HOSPITAL_COURSE: Final = Section(
    "crs",
    Code("8648-8", LOINC, "Hospital course"),
    "Hospital Course",
    (COURSE_TEMPLATE,),
    ("Course", "Date"),
    _course,
)
ASSESSMENT_AND_PLAN: Final = Section(
    "asp",
    ASSESSMENT_CODE,
    "Assessment and Plan",
    (ASSESSMENT_TEMPLATE,),
    ("Assessment and plan", "Date"),
    _assessment,
)
