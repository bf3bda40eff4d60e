"""Encounters: visits that took place, with their diagnoses."""

from dataclasses import replace
from typing import Final

from engine.transforms.ccda.codes import (
    CPT,
    LOINC,
    NUBC,
    V2_TABLES,
    Code,
    Concept,
    coding_concept,
    concept,
)
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import (
    Resource,
    child,
    children,
    newest_first,
    text,
)
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.people import name_words
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, entry, related
from engine.transforms.ccda.sections.problems import (
    DIAGNOSIS_KIND,
    diagnosis,
    problem,
)
from engine.transforms.ccda.templates import (
    ENCOUNTER,
    ENCOUNTER_DIAGNOSIS,
)
from engine.transforms.ccda.templates import (
    ENCOUNTERS as ENCOUNTERS_TEMPLATE,
)
from engine.transforms.ccda.times import period_of

MAX_LEVELS: Final = 8
CLASS_NAMES: Final = {
    "AMB": "ambulatory",
    "EMER": "emergency",
    "IMP": "inpatient encounter",
    "OBSENC": "observation encounter",
    "PRENC": "pre-admission",
}
"""HL7 v3 ActCode names of the classes that feeds send without one."""
ADMISSION_TYPE: Final = V2_TABLES + "7"
ADMISSION_TYPES: Final = {
    "A": "Accident",
    "C": "Elective",
    "E": "Emergency",
    "L": "Labor and Delivery",
    "N": "Newborn",
    "R": "Routine",
    "U": "Urgent",
}
"""Names of HL7 table 0007: a feed sends the letter alone, and nobody reads it."""
NOT_HELD: Final = frozenset({"planned", "cancelled"})


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    held = [
        pair
        for pair in rendering.facts.of("Encounter")
        if text(pair[1], "status") not in NOT_HELD
    ]
    return [
        _encounter(rendering, table, url, resource)
        for url, resource in newest_first(held, "period.start")
    ]


def _encounter(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    kind = _kind(rendering, resource)
    period = period_of(child(resource, "period"), rendering, "Encounter.period")
    source = child(resource, "hospitalization", "dischargeDisposition")
    path = "Encounter.dischargeDisposition"
    disposition = concept(source, rendering, path, NUBC)
    table.add(
        row,
        kind.words or "not known",
        period.words,
        text(resource, "status"),
        disposition.words,
        _place(rendering, resource),
    )
    made = entry(
        "encounter",
        "EVN",
        rendering,
        ENCOUNTER,
        rendering.own_ids(resource, url, "Encounter.identifier"),
        kind.element("code", row),
        reference(row),
        period.element(),
        disposition.element("sdtc:dischargeDispositionCode", row)
        if disposition
        else None,
    )
    made.children += _diagnoses(rendering, table, resource)
    return made


def _kind(rendering: Rendering, resource: Resource) -> Concept:
    """Return the type of a visit, with its class as a further code."""
    types = children(resource, "type")
    path = "Encounter.type"
    kind = concept(types[0] if types else {}, rendering, path, CPT)
    whole = coding_concept(child(resource, "class"), rendering, "Encounter.class")
    classed = whole.main
    if classed and not classed.display:
        classed = replace(classed, display=CLASS_NAMES.get(classed.code, ""))
    others = tuple(map(_named, kind.others))
    return Concept(
        kind.main,
        (*others, classed) if classed else others,
        kind.text,
        (*kind.loose, *whole.loose),
    )


def _named(given: Code) -> Code:
    """Return a type of admission with its name, where the feed gave none."""
    if given.system != ADMISSION_TYPE or given.display not in ("", given.code):
        return given
    return replace(given, display=ADMISSION_TYPES.get(given.code, given.display))


def _place(rendering: Rendering, resource: Resource) -> str:
    """Return the names of the places, each from the building down to the bed."""
    return joined(
        " ".join(reversed(_upwards(rendering, item)))
        for item in children(resource, "location")
    )


def _upwards(rendering: Rendering, item: Resource) -> list[str]:
    """Return the name of a place and of what it is part of."""
    place = rendering.facts.resolve(item, "location")
    names: list[str] = []
    while place and len(names) < MAX_LEVELS:
        names.append(name_words(place))
        place = rendering.facts.resolve(place, "partOf")
    return names


def _diagnoses(rendering: Rendering, table: Table, resource: Resource) -> list[Element]:
    """Write a row for each diagnosis of a visit and return them as its parts."""
    conditions = dict(rendering.facts.of("Condition"))
    made = []
    for item in children(resource, "diagnosis"):
        url = rendering.facts.url_of(text(item, "condition", "reference"))
        condition = conditions.get(url)
        if condition is None:
            continue
        row = table.new_id()
        told = diagnosis(rendering, url, condition)
        name = f"Diagnosis: {told.found.words or 'not known'}"
        table.add(row, name, told.period, told.states)
        inside = related("SUBJ", problem(rendering, row, told))
        code = DIAGNOSIS_KIND[1].element("code")
        act = entry("act", "EVN", rendering, ENCOUNTER_DIAGNOSIS, code, inside)
        made.append(related("COMP", act))
    return made


ENCOUNTERS: Final = Section(
    "enc",
    Code("46240-8", LOINC, "History of encounters"),
    "Encounters",
    (ENCOUNTERS_TEMPLATE,),
    ("Visit", "Period", "Status", "Disposition", "Place (text only)"),
    _fill,
)
