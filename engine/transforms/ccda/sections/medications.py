"""Medications: ordered, taken or given, with dose, route and timing."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from engine.transforms.ccda.codes import LOINC, RXNORM, Code, Concept, concept
from engine.transforms.ccda.elements import XSI_TYPE, Element, element, null
from engine.transforms.ccda.facts import (
    Resource,
    child,
    children,
    codes,
    newest_first,
    text,
)
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.quantities import Amount, amount, number_text, range_words
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, authored, entry, related, status
from engine.transforms.ccda.templates import (
    DISCHARGE_MEDICATION,
    MEDICATION,
    MEDICATION_INFORMATION,
)
from engine.transforms.ccda.templates import (
    DISCHARGE_MEDICATIONS as DISCHARGE_TEMPLATE,
)
from engine.transforms.ccda.templates import (
    MEDICATIONS as MEDICATIONS_TEMPLATE,
)
from engine.transforms.ccda.times import Span, known, period_of, when

STATUSES: Final = {
    "active": "active",
    "in-progress": "active",
    "intended": "active",
    "completed": "completed",
    "not-done": "completed",
    "not-taken": "completed",
    "on-hold": "suspended",
    "stopped": "aborted",
    "cancelled": "aborted",
    "draft": "held",
}
"""Status of a request, statement or administration; unknown is written as active."""
GIVEN: Final = frozenset({"MedicationAdministration", "MedicationStatement"})
NOT_TAKEN: Final = frozenset({"not-done", "not-taken"})
NO_KNOWN_MEDICATION: Final = "787481004"
"""SNOMED CT: no known medications."""
UNITS_OF_TIME: Final = {
    "s": "s",
    "min": "min",
    "h": "h",
    "d": "d",
    "wk": "wk",
    "mo": "mo",
}
MOST: Final = 10_000
"""More doses, or units of time between two, are taken for a mistake."""
HOURS: Final = {"d": 24, "wk": 168}
MEALS: Final = frozenset(
    {"AC", "ACD", "ACM", "ACV", "C", "CD", "CM", "CV", "HS", "IC", "ICD", "ICM"}
    | {"ICV", "PC", "PCD", "PCM", "PCV"}
)
DATES: Final = (
    *("effectiveDateTime", "effectivePeriod.start", "authoredOn", "dateAsserted"),
)


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    return [
        _medication(rendering, table, url, resource)
        for url, resource in newest_first(
            rendering.facts.of("MedicationRequest", *sorted(GIVEN)), *DATES
        )
    ]


def _medication(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    """Write the row and return the substance administration that says the same."""
    row = table.new_id()
    kind = text(resource, "resourceType")
    rendering.originate(table.prefix, row, url)
    code = _drug(rendering, resource)
    none_known = NO_KNOWN_MEDICATION in rendering.statements(
        child(resource, "medicationCodeableConcept")
    )
    dosage = _dosage(resource)
    dose, dose_words = _dose(rendering, dosage, none_known=none_known)
    route = concept(child(dosage, "route"), rendering, f"{kind}.route")
    period = _period(rendering, resource, dosage)
    repeat, repeat_words = _repeat(dosage)
    state = text(resource, "status")
    recorded = known(resource.get("authoredOn"), rendering, f"{kind}.authoredOn")
    table.add(
        row,
        code.words or "not known",
        dose_words,
        route.words,
        repeat_words,
        period.words,
        "" if state == "active" else state,
        recorded.words if recorded else "",
        joined([text(dosage, "text"), *_notes(resource)]),
    )
    made = entry(
        "substanceAdministration",
        "EVN" if kind in GIVEN else "INT",
        rendering,
        MEDICATION,
        rendering.own_ids(resource, url, f"{kind}.identifier"),
        reference(row),
        status(STATUSES.get(state, "active")),
        null("effectiveTime", "NA", "IVL_TS") if none_known else _when(period),
        repeat,
        route.element("routeCode", row) if route else None,
        dose,
        _product(
            rendering, null("code", "NA") if none_known else code.element("code", row)
        ),
        authored(rendering, recorded),
    )
    if none_known or state in NOT_TAKEN:
        made.attributes["negationInd"] = "true"
    return made


def _drug(rendering: Rendering, resource: Resource) -> Concept:
    """Return what the medication is, said here or in a Medication of its own."""
    source = child(resource, "medicationCodeableConcept")
    if not source:
        medication = rendering.facts.resolve(resource, "medicationReference", resource)
        source = child(medication, "code")
    return concept(source, rendering, "medication", RXNORM)


def _product(rendering: Rendering, code: Element) -> Element:
    material = element("manufacturedMaterial", None, code)
    ids = MEDICATION_INFORMATION.ids(companion_guide=rendering.site.companion_guide)
    product = element("manufacturedProduct", {"classCode": "MANU"}, ids, material)
    return element("consumable", None, product)


def _dosage(resource: Resource) -> Resource:
    listed = children(resource, "dosageInstruction") + children(resource, "dosage")
    return listed[0] if listed else child(resource, "dosage")


def _dose(
    rendering: Rendering, dosage: Resource, *, none_known: bool
) -> tuple[Element, str]:
    """Return the dose, ``UNK`` when it was not said, and its words."""
    if none_known:
        return null("doseQuantity", "NA"), ""
    rates = children(dosage, "doseAndRate")
    source = rates[0] if rates else {"doseQuantity": child(dosage, "dose")}
    path = "dosage.dose"
    single = amount(child(source, "doseQuantity"), rendering, path)
    if single is not None:
        return single.fill("doseQuantity"), single.words
    low = amount(child(source, "doseRange", "low"), rendering, path)
    high = amount(child(source, "doseRange", "high"), rendering, path)
    if not low and not high:
        return null("doseQuantity"), ""
    ends = {"low": low, "high": high}
    inside = [end.fill(side) for side, end in ends.items() if end]
    return element("doseQuantity", None, inside), range_words(low, high)


def _period(rendering: Rendering, resource: Resource, dosage: Resource) -> Span:
    """Return when the medication is taken or was given."""
    taken = when(resource, "effective", rendering)
    bounds = child(dosage, "timing", "repeat", "boundsPeriod")
    return taken or period_of(bounds, rendering, "timing.repeat.boundsPeriod")


def _when(period: Span) -> Element:
    """Return the first time of a medication: a value or an interval, never both."""
    if period.is_point and period.low:
        return period.low.element("effectiveTime")
    return Element("effectiveTime", {XSI_TYPE: "IVL_TS"}, period.bounds())


def _repeat(dosage: Resource) -> tuple[Element | None, str]:
    """Return how often: an interval or a meal; what fits neither is text alone."""
    repeat = child(dosage, "timing", "repeat")
    words = _repeat_words(repeat) or text(dosage, "timing", "code", "text")
    events = [code for code in _strings(repeat.get("when")) if code in MEALS]
    if events:
        event = Element("event", {"code": events[0]}, [])
        attributes = {XSI_TYPE: "EIVL_TS", "operator": "A"}
        return Element("effectiveTime", attributes, [event]), words
    every = _every(repeat)
    if every is None:
        return None, words
    period = Element("period", {"value": every.number, "unit": every.code}, [])
    attributes = {XSI_TYPE: "PIVL_TS", "operator": "A"}
    return Element("effectiveTime", attributes, [period]), words


def _every(repeat: Resource) -> Amount | None:
    """Return the time between two doses, when it comes out even."""
    unit = UNITS_OF_TIME.get(text(repeat, "periodUnit"))
    period = number_text(repeat.get("period"))
    times = number_text(repeat.get("frequency")) or "1"
    if not unit or not (_is_plausible(period) and _is_plausible(times)):
        return None
    if Decimal(times) == 1:
        return Amount(period, "", unit)
    hours = Decimal(period) * HOURS.get(unit, 1)
    quotient, rest = divmod(hours, Decimal(times))
    if rest or not quotient:
        return None
    return Amount(format(quotient, "f"), "", "h" if unit in HOURS else unit)


def _is_plausible(number: str) -> bool:
    return bool(number) and 0 < Decimal(number) <= MOST


def _repeat_words(repeat: Resource) -> str:
    period, unit = number_text(repeat.get("period")), text(repeat, "periodUnit")
    times = number_text(repeat.get("frequency")) or "1"
    parts = [f"{times} per {period} {unit}"] if period and unit else []
    every = _every(repeat)
    parts += [f"every {every.number} {every.code}"] if every else []
    return joined([*parts, *_strings(repeat.get("when"))], ", ")


def _strings(found: object) -> list[str]:
    items: Iterable[object] = found if isinstance(found, list) else ()
    return [item for item in items if isinstance(item, str)]


def _notes(resource: Resource) -> list[str]:
    return [text(note, "text") for note in children(resource, "note")]


COLUMNS: Final = (
    *("Medication", "Dose", "Route", "Frequency", "Period", "Status", "Ordered"),
    "Instructions (text only)",
)

MEDICATIONS: Final = Section(
    "med",
    Code("10160-0", LOINC, "History of medication use"),
    "Medications",
    (MEDICATIONS_TEMPLATE,),
    COLUMNS,
    _fill,
)

DISCHARGE_CODE: Final = Code("10183-2", LOINC, "Hospital discharge medications")
DISCHARGE_TRANSLATION: Final = Code("75311-1", LOINC, "Discharge medications")


def _fill_discharge(rendering: Rendering, table: Table) -> list[Element]:
    """Return the orders marked for discharge."""
    made = []
    for url, resource in newest_first(rendering.facts.of("MedicationRequest"), *DATES):
        marks = {c for item in children(resource, "category") for c in codes(item)}
        if "discharge" not in marks:
            continue
        inside = _medication(rendering, table, url, resource)
        code = DISCHARGE_CODE.element("code")
        code.children.append(DISCHARGE_TRANSLATION.element("translation"))
        made.append(
            entry(
                "act",
                "EVN",
                rendering,
                DISCHARGE_MEDICATION,
                code,
                status("completed"),
                related("SUBJ", inside),
            )
        )
    return made


DISCHARGE: Final = Section(
    "dme",
    DISCHARGE_CODE,
    "Discharge Medications",
    (DISCHARGE_TEMPLATE,),
    COLUMNS,
    _fill_discharge,
    DISCHARGE_TRANSLATION,
)
