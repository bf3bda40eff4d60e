"""Sections of text alone: the hospital course, and assessment and plan."""

from collections.abc import Callable
from typing import Final

from engine.transforms.ccda import templates
from engine.transforms.ccda.attachments import attachments, plain_text
from engine.transforms.ccda.codes import LOINC, Code
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import Facts, child, codes, newest_first, text
from engine.transforms.ccda.narrative import Table
from engine.transforms.ccda.note_types import DISCHARGE, note_type
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section
from engine.transforms.ccda.templates import Template

WHOLE_CODE: Final = Code("51847-2", LOINC, "Evaluation + Plan note")
ASSESSMENT_CODE: Final = Code("51848-0", LOINC, "Evaluation note")
PLAN_CODE: Final = Code("18776-5", LOINC, "Plan of treatment")


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


def is_in_parts(facts: Facts) -> bool:
    """Whether assessment and plan were sent as two texts, and not as one."""
    said = {
        code
        for _, resource in facts.of("Observation")
        if text(resource, "valueString")
        for code in codes(child(resource, "code"))
    }
    parts = {ASSESSMENT_CODE.code, PLAN_CODE.code}
    return parts <= said and WHOLE_CODE.code not in said


def _coded(code: Code) -> Callable[[Rendering, Table], list[Element]]:
    """Return what writes the observations of one code; a note is not split into it."""

    def fill(rendering: Rendering, table: Table) -> list[Element]:
        found = rendering.facts.of("Observation")
        for url, resource in newest_first(found, "effectiveDateTime"):
            said = text(resource, "valueString")
            if code.code in codes(child(resource, "code")) and said:
                row = table.new_id()
                rendering.originate(table.prefix, row, url)
                date = text(resource, "effectiveDateTime").replace("T", " ")
                table.add(row, said, date)
        return []

    return fill


HOSPITAL_COURSE: Final = Section(
    "crs",
    Code("8648-8", LOINC, "Hospital course"),
    "Hospital Course",
    (templates.HOSPITAL_COURSE,),
    ("Course", "Date"),
    _course,
)


def _of_text(key: str, code: Code, title: str, template: Template) -> Section:
    return Section(key, code, title, (template,), (title, "Date"), _coded(code))


ASSESSMENT_AND_PLAN: Final = _of_text(
    "asp", WHOLE_CODE, "Assessment and Plan", templates.ASSESSMENT_AND_PLAN
)
ASSESSMENT: Final = _of_text("asm", ASSESSMENT_CODE, "Assessment", templates.ASSESSMENT)
PLAN_IN_WORDS: Final = _of_text("pln", PLAN_CODE, "Plan of Treatment", templates.PLAN)
