"""Problems and diagnoses: concerns, and the diagnoses of a stay, about conditions."""

from dataclasses import dataclass, replace
from typing import Final

from engine.transforms.ccda.codes import (
    ACT_CLASS,
    LOINC,
    SNOMED,
    Code,
    Concept,
    concept,
)
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
    PROBLEM,
    PROBLEM_CONCERN,
    Template,
)
from engine.transforms.ccda.templates import (
    PROBLEMS as PROBLEMS_TEMPLATE,
)
from engine.transforms.ccda.times import (
    Moment,
    Span,
    is_to_come,
    known,
    span,
    when,
)

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
    rendering.originate(table.prefix, row, url)
    told = diagnosis(rendering, url, resource)
    table.add(row, *told.cells())
    state = concern_state(resource)
    begun = told.recorded or told.lasted.low
    return entry(
        "act",
        "EVN",
        rendering,
        PROBLEM_CONCERN,
        rendering.derived_id(url, "concern"),
        CONCERN.element("code"),
        reference(row),
        status(state),
        concern_time(state, begun, told.lasted.high),
        authored(rendering, told.recorded),
        related("SUBJ", problem(rendering, row, told)),
    )


def condition_time(resource: Resource, rendering: Rendering) -> Span:
    """Return from when to when a condition lasted, as far as it is known."""
    onset = when(resource, "onset", rendering)
    ended = when(resource, "abatement", rendering)
    begun: Moment | None = onset.low
    end = ended.high or ended.low
    lasted = span(begun, end, rendering, "Condition.abatement")
    if end and is_to_come(end, rendering.now):
        sentence = (
            "an end lies in the future: it is shown as sent, unknown in the entry"
        )
        rendering.find("future-end", "Condition.abatement", sentence)
        return replace(lasted, doubted=True)
    return lasted


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One condition, read once: what the row and the entry both say."""

    url: str
    resource: Resource
    found: Concept
    lasted: Span
    recorded: Moment | None
    of_visit: bool
    refuted: bool
    none_known: bool

    @property
    def kind(self) -> tuple[Code, Code]:
        """Whether it is a problem or a diagnosis, in SNOMED CT and in LOINC."""
        return DIAGNOSIS_KIND if self.of_visit else PROBLEM_KIND

    @property
    def states(self) -> str:
        """The clinical status in words, and whether it was refuted."""
        clinical = codes(child(self.resource, "clinicalStatus")) - {""}
        return joined(["refuted" if self.refuted else "", *sorted(clinical)], ", ")

    @property
    def period(self) -> str:
        """From when to when, in words."""
        return joined([self.lasted.words, text(self.resource, "onsetString")])

    def cells(self) -> tuple[str, ...]:
        """Return the row of a problem: problem, kind, status, period, recorded."""
        recorded = self.recorded.words if self.recorded else ""
        name = self.found.words or "not known"
        return (name, self.kind[0].words, self.states, self.period, recorded)


def diagnosis(rendering: Rendering, url: str, resource: Resource) -> Diagnosis:
    """Return a Condition as it is to be told."""
    source = child(resource, "code")
    marks = {c for item in children(resource, "category") for c in codes(item)}
    of_visit = "encounter-diagnosis" in marks or url in diagnosis_uses(rendering)
    return Diagnosis(
        url,
        resource,
        concept(source, rendering, "Condition.code", SNOMED),
        condition_time(resource, rendering),
        known(resource.get("recordedDate"), rendering, "Condition.recordedDate"),
        of_visit,
        "refuted" in codes(child(resource, "verificationStatus")),
        NO_KNOWN_PROBLEM in rendering.statements(source),
    )


def problem(rendering: Rendering, row: str, told: Diagnosis) -> Element:
    """Return the observation of a condition that stands in a row."""
    kind, translation = told.kind
    code = kind.element("code")
    code.children.append(translation.element("translation"))
    nothing = PROBLEM_KIND[0].element("value", "CD") if told.none_known else None
    ended = concern_state(told.resource) == "completed"
    made = entry(
        "observation",
        "EVN",
        rendering,
        PROBLEM,
        rendering.own_ids(told.resource, told.url, "Condition.identifier"),
        code,
        reference(row),
        status("completed"),
        element("effectiveTime", None, told.lasted.bounds(closed=ended)),
        nothing or told.found.element("value", row, "CD"),
    )
    if told.refuted or told.none_known:
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


def _stay_diagnoses(
    rendering: Rendering, table: Table, uses: set[str], act: tuple[Template, Code]
) -> list[Element]:
    """Write the diagnoses of one use and return one act that holds them all."""
    inside = []
    for url, resource in newest_first(_of_use(rendering, uses), *DATES):
        row = table.new_id()
        rendering.originate(table.prefix, row, url)
        told = diagnosis(rendering, url, resource)
        table.add(row, *told.cells())
        inside.append(related("SUBJ", problem(rendering, row, told)))
    if not inside:
        return []
    template, code = act
    return [entry("act", "EVN", rendering, template, code.element("code"), inside)]


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
    act = (DISCHARGE_DIAGNOSIS, DISCHARGE_CODE)
    return _stay_diagnoses(rendering, table, {"DD", "F"}, act)


def _fill_admission(rendering: Rendering, table: Table) -> list[Element]:
    act = (ADMISSION_DIAGNOSIS, ADMISSION_CODE)
    return _stay_diagnoses(rendering, table, {"AD", "A"}, act)


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
