"""Problems and diagnoses: concerns, and the diagnoses of a stay, about conditions."""

from collections.abc import Sequence
from typing import Final

from engine.transforms.ccda.codes import ACT_CLASS, LOINC, SNOMED, Code, concept
from engine.transforms.ccda.elements import Element, element
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
from engine.transforms.ccda.section import (
    Section,
    authored,
    concern_state,
    concern_time,
    entry,
    related,
    status,
)
from engine.transforms.ccda.templates import (
    ADMISSION_DIAGNOSES,
    ADMISSION_DIAGNOSIS,
    DISCHARGE_DIAGNOSES,
    DISCHARGE_DIAGNOSIS,
    ENCOUNTER_DIAGNOSIS,
    PROBLEM,
    PROBLEM_CONCERN,
    Template,
)
from engine.transforms.ccda.templates import (
    PROBLEMS as PROBLEMS_TEMPLATE,
)
from engine.transforms.ccda.times import Moment, Span, known, span, when

CONCERN: Final = Code("CONC", ACT_CLASS, "Concern")
PROBLEM_KIND: Final = (
    Code("55607006", SNOMED, "Problem"),
    Code("75326-9", LOINC, "Problem"),
)
DIAGNOSIS_KIND: Final = (
    Code("282291009", SNOMED, "Diagnosis interpretation"),
    Code("29308-4", LOINC, "Diagnosis"),
)
NO_KNOWN_PROBLEM: Final = "160245001"
"""SNOMED CT: no current problems or disability."""
DATES: Final = ("recordedDate", "onsetDateTime", "onsetPeriod.start")


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    found = newest_first(rendering.facts.of("Condition"), *DATES)
    return [_concern(rendering, table, url, resource) for url, resource in found]


def _concern(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    row = table.new_id()
    state = concern_state(resource)
    recorded = known(resource.get("recordedDate"), rendering, "Condition.recordedDate")
    lasted = condition_time(resource, rendering)
    return entry(
        "act",
        "EVN",
        rendering,
        PROBLEM_CONCERN,
        rendering.derived_id(url, "concern"),
        CONCERN.element("code"),
        reference(row),
        status(state),
        concern_time(state, recorded or lasted.low, lasted.high),
        authored(rendering, recorded),
        related("SUBJ", problem(rendering, table, row, (url, resource))),
    )


def condition_time(resource: Resource, rendering: Rendering) -> Span:
    """Return from when to when a condition lasted, as far as it is known."""
    onset = when(resource, "onset", rendering)
    ended = when(resource, "abatement", rendering)
    begun: Moment | None = onset.low
    return span(begun, ended.high or ended.low, rendering, "Condition.abatement")


def problem(
    rendering: Rendering, table: Table, row: str, condition: tuple[str, Resource]
) -> Element:
    """Write the row of a condition and return the observation that says the same."""
    url, resource = condition
    path = "Condition.code"
    found = concept(child(resource, "code"), rendering, path, SNOMED)
    none_known = NO_KNOWN_PROBLEM in codes(child(resource, "code"))
    refuted = "refuted" in codes(child(resource, "verificationStatus"))
    lasted = condition_time(resource, rendering)
    categories = {c for item in children(resource, "category") for c in codes(item)}
    kind, translation = (
        DIAGNOSIS_KIND if "encounter-diagnosis" in categories else PROBLEM_KIND
    )
    clinical = codes(child(resource, "clinicalStatus")) - {""}
    rendering.originate(table.prefix, row, url)
    recorded = known(resource.get("recordedDate"), rendering, "Condition.recordedDate")
    table.add(
        row,
        found.words or "not known",
        kind.words,
        joined(["refuted" if refuted else "", *sorted(clinical)], ", "),
        joined([lasted.words, text(resource, "onsetString")]),
        recorded.words if recorded else "",
    )
    code = kind.element("code")
    code.children.append(translation.element("translation"))
    value = PROBLEM_KIND[0].element("value", "CD") if none_known else None
    made = entry(
        "observation",
        "EVN",
        rendering,
        PROBLEM,
        rendering.own_ids(resource, url, "Condition.identifier"),
        code,
        reference(row),
        status("completed"),
        element(
            "effectiveTime",
            None,
            lasted.bounds(closed=concern_state(resource) == "completed"),
        ),
        value or found.element("value", row, "CD"),
    )
    if refuted or none_known:
        made.attributes["negationInd"] = "true"
    return made


PROBLEMS: Final = Section(
    "prb",
    Code("11450-4", LOINC, "Problem list"),
    "Problems",
    (PROBLEMS_TEMPLATE,),
    ("Problem", "Kind", "Status", "Period", "Recorded"),
    _fill,
)

DISCHARGE_CODE: Final = Code("11535-2", LOINC, "Hospital discharge diagnosis")
ADMISSION_CODE: Final = Code("46241-6", LOINC, "Hospital admission diagnosis")


def diagnoses(
    rendering: Rendering,
    table: Table,
    found: Sequence[tuple[str, Resource]],
    template: Template,
    code: Code,
) -> Element | None:
    """Write a row for each condition and return one act that holds them all."""
    inside = []
    for url, resource in newest_first(found, *DATES):
        row = table.new_id()
        inside.append(related("SUBJ", problem(rendering, table, row, (url, resource))))
    if not inside:
        return None
    return entry("act", "EVN", rendering, template, code.element("code"), inside)


def diagnosis_uses(rendering: Rendering) -> dict[str, set[str]]:
    """Return for each condition the uses its visits name, such as ``DD`` or ``AD``."""
    uses: dict[str, set[str]] = {}
    for _, visit in rendering.facts.of("Encounter"):
        for item in children(visit, "diagnosis"):
            url = rendering.facts.url_of(text(item, "condition", "reference"))
            uses.setdefault(url, set()).update(codes(child(item, "use")))
    return uses


def _of_use(rendering: Rendering, wanted: set[str]) -> list[tuple[str, Resource]]:
    uses = diagnosis_uses(rendering)
    return [
        (url, resource)
        for url, resource in rendering.facts.of("Condition")
        if uses.get(url, set()) & wanted
    ]


def _fill_discharge(rendering: Rendering, table: Table) -> list[Element]:
    found = _of_use(rendering, {"DD", "F"})
    act = diagnoses(rendering, table, found, DISCHARGE_DIAGNOSIS, DISCHARGE_CODE)
    return [act] if act else []


def _fill_admission(rendering: Rendering, table: Table) -> list[Element]:
    found = _of_use(rendering, {"AD", "A"})
    act = diagnoses(rendering, table, found, ADMISSION_DIAGNOSIS, ADMISSION_CODE)
    return [act] if act else []


def encounter_diagnosis(
    rendering: Rendering, table: Table, condition: tuple[str, Resource]
) -> Element:
    """Return the diagnosis of a visit, as part of its encounter entry."""
    act = diagnoses(
        rendering, table, [condition], ENCOUNTER_DIAGNOSIS, DIAGNOSIS_KIND[1]
    )
    return related("COMP", act or element("act"))


_DIAGNOSIS_COLUMNS: Final = ("Diagnosis", "Kind", "Status", "Period", "Recorded")

DISCHARGE: Final = Section(
    "ddx",
    DISCHARGE_CODE,
    "Discharge Diagnosis",
    (DISCHARGE_DIAGNOSES,),
    _DIAGNOSIS_COLUMNS,
    _fill_discharge,
    Code("78375-3", LOINC, "Discharge diagnosis"),
)
ADMISSION: Final = Section(
    "adx",
    ADMISSION_CODE,
    "Admission Diagnosis",
    (ADMISSION_DIAGNOSES,),
    _DIAGNOSIS_COLUMNS,
    _fill_admission,
    Code("42347-5", LOINC, "Admission diagnosis"),
)
