"""Results: reports with their observations, as batteries; one row for each result."""

from collections.abc import Iterable
from typing import Final

from engine.transforms.ccda.codes import LOINC, Code, concept
from engine.transforms.ccda.elements import XSI_TYPE, Element, element, null
from engine.transforms.ccda.facts import (
    NOTHING,
    Resource,
    child,
    children,
    newest_first,
    text,
)
from engine.transforms.ccda.interpretations import interpretations
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.quantities import (
    Amount,
    Value,
    absent_value,
    amount,
    limits,
    range_words,
    text_value,
    value_of,
)
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, entry, status
from engine.transforms.ccda.sections.social_history import is_smoking_status
from engine.transforms.ccda.sections.vital_signs import is_vital_sign
from engine.transforms.ccda.templates import (
    RESULT,
    RESULT_ORGANIZER,
)
from engine.transforms.ccda.templates import (
    RESULTS as RESULTS_TEMPLATE,
)
from engine.transforms.ccda.times import Span, when

STATUSES: Final = {
    "final": "completed",
    "amended": "completed",
    "corrected": "completed",
    "appended": "completed",
    "registered": "active",
    "partial": "active",
    "preliminary": "active",
    "cancelled": "cancelled",
}
"""Status of a report or observation; ``unknown`` is written as not yet complete."""

DATES: Final = ("effectiveDateTime", "effectivePeriod.start", "issued")


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    reports = newest_first(rendering.facts.of("DiagnosticReport"), *DATES)
    seen: set[str] = set()
    made = [_report(rendering, table, url, report, seen) for url, report in reports]
    loose = [
        pair
        for pair in newest_first(rendering.facts.of("Observation"), *DATES)
        if pair[0] not in seen and _is_result(pair[1], rendering)
    ]
    made += [_alone(rendering, table, url, resource) for url, resource in loose]
    return [battery for battery in made if battery is not None]


def _is_result(resource: Resource, rendering: Rendering) -> bool:
    """Whether an observation belongs here and not to another section."""
    return not is_vital_sign(resource, rendering) and not is_smoking_status(resource)


def _members(
    rendering: Rendering, holder: Resource, name: str, seen: set[str]
) -> list[tuple[str, Resource]]:
    """Return the observations a report or panel names, those of panels after it."""
    found: list[tuple[str, Resource]] = []
    for item in children(holder, name):
        url = rendering.facts.url_of(text(item, "reference"))
        resource = rendering.facts.resources.get(url, NOTHING)
        if url in seen or resource.get("resourceType") != "Observation":
            continue
        if not rendering.facts.shows(url) or not _is_result(resource, rendering):
            continue
        seen.add(url)
        found.append((url, resource))
        found += _members(rendering, resource, "hasMember", seen)
    return found


def _report(
    rendering: Rendering, table: Table, url: str, report: Resource, seen: set[str]
) -> Element | None:
    members = _members(rendering, report, "result", seen)
    path = "DiagnosticReport.code"
    code = concept(child(report, "code"), rendering, path, LOINC)
    time = when(report, "effective", rendering)
    start = len(table.rows)
    row = table.new_id()
    inside = _observations(rendering, table, members)
    if not inside:
        _lose_text(rendering, report)
        return None
    rendering.originate(table.prefix, row, url)
    state = text(report, "status")
    table.add(row, code.words, "", "", "", _unless_final(state), time.words)
    table.rows.insert(start, table.rows.pop())
    ids = rendering.own_ids(report, url, "DiagnosticReport.identifier")
    return _battery(rendering, ids, code.element("code", row), state, (time, inside))


def _lose_text(rendering: Rendering, report: Resource) -> None:
    """Report what a report without results says; an attachment is a document itself."""
    if text(report, "conclusion"):
        rendering.lose("DiagnosticReport.conclusion", "no-cda-home")


def _alone(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element | None:
    inside = _observations(rendering, table, [(url, resource)])
    if not inside:
        return None
    row = table.rows[-len(inside)].attributes["ID"]
    code = concept(child(resource, "code"), rendering, "Observation.code", LOINC)
    time = when(resource, "effective", rendering)
    ids = [rendering.derived_id(url, "battery")]
    state = text(resource, "status")
    return _battery(rendering, ids, code.element("code", row), state, (time, inside))


def _battery(
    rendering: Rendering,
    ids: list[Element],
    code: Element,
    state: str,
    content: tuple[Span, list[Element]],
) -> Element:
    """Return an organizer; its time has both ends or is left out."""
    time, observations = content
    low, high = time.low, time.high
    whole = None
    if low and high and not time.doubted:
        ends = [low.element("low"), high.element("high")]
        whole = element("effectiveTime", None, ends)
    return entry(
        "organizer",
        "EVN",
        rendering,
        RESULT_ORGANIZER,
        ids,
        code,
        status(STATUSES.get(state, "active")),
        whole,
        [element("component", None, made) for made in observations],
    )


def _observations(
    rendering: Rendering, table: Table, members: Iterable[tuple[str, Resource]]
) -> list[Element]:
    """Return an observation for each value; a panel without one has none."""
    made: list[Element] = []
    for url, resource in members:
        for number, value in enumerate(_values(resource, rendering)):
            made.append(_observation(rendering, table, (url, resource), number, value))
    return made


def _values(resource: Resource, rendering: Rendering) -> list[Value]:
    """Return the values of an observation: its own, or one for each component."""
    path = "Observation.value"
    single = value_of(resource, rendering, path)
    components = [
        part
        for part in children(resource, "component")
        if not _is_attached(part, rendering)
    ]
    parts = [
        value_of(part, rendering, path) or absent_value(part) for part in components
    ]
    if parts and all("valueString" in part for part in components):
        return [text_value("\n".join(part.words for part in parts))]
    if single is not None:
        return [single, *parts]
    if parts or children(resource, "hasMember"):
        return parts
    if _is_attachment(resource) or children(resource, "component"):
        return []
    return [absent_value(resource)]


def _is_attached(part: Resource, rendering: Rendering) -> bool:
    """Whether one of several values is an attachment, which no row can show."""
    for item in children(part, "extension"):
        if "valueAttachment" in item:
            pointer = text(item, "valueAttachment", "url")
            rendering.lose("Observation.component", "no-cda-home", pointer)
            return True
    return False


def _is_attachment(resource: Resource) -> bool:
    return any("valueAttachment" in item for item in children(resource, "extension"))


def _observation(
    rendering: Rendering,
    table: Table,
    found: tuple[str, Resource],
    number: int,
    value: Value,
) -> Element:
    url, resource = found
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    state = text(resource, "status")
    value = _of_state(value, state, rendering)
    code = concept(child(resource, "code"), rendering, "Observation.code", LOINC)
    time = when(resource, "effective", rendering)
    flags = interpretations(resource, rendering)
    limit, limit_words = _reference_range(resource, rendering)
    remark = joined(text(note, "text") for note in children(resource, "note"))
    table.add(
        row,
        code.words or "not known",
        value.words,
        joined((flag.words for flag in flags), ", "),
        limit_words,
        _unless_final(state),
        time.words,
        remark,
    )
    ids = rendering.own_ids(resource, url, "Observation.identifier")
    return entry(
        "observation",
        "EVN",
        rendering,
        RESULT,
        [rendering.derived_id(url, str(number))] if number else ids,
        code.element("code", row),
        reference(row),
        status(STATUSES.get(state, "active")),
        time.element(),
        value.element(row),
        [flag.element("interpretationCode", row) for flag in flags],
        limit,
    )


def _of_state(value: Value, state: str, rendering: Rendering) -> Value:
    """Return the value, but none for a cancelled result: it would be taken for one."""
    if state != "cancelled":
        return value
    if value.words:
        sentence = "a cancelled result holds a value"
        rendering.find("cancelled-value", "Observation", sentence)
    return Value("", lambda _: null("value", "NI", "ST"))


def _unless_final(state: str) -> str:
    return "" if state == "final" else state


def _reference_range(
    resource: Resource, rendering: Rendering
) -> tuple[Element | None, str]:
    """Return the reference range and its words; the text alone is enough."""
    for source in children(resource, "referenceRange"):
        path = "Observation.referenceRange"
        low = amount(child(source, "low"), rendering, path)
        high = amount(child(source, "high"), rendering, path)
        said = text(source, "text") or range_words(low, high)
        if said and "valueQuantity" not in resource:
            said = _with_unit(said, low or high)
        if said:
            value = _range_value(low, high, said)
            told = element("text", text=said)
            inside = element("observationRange", None, told, value)
            return element("referenceRange", None, inside), said
    return None, ""


def _with_unit(said: str, end: Amount | None) -> str:
    """Return a range that names its unit, where the value beside it does not."""
    unit = end.unit or end.code if end else ""
    return said if unit in said else f"{said} {unit}"


def _range_value(low: Amount | None, high: Amount | None, said: str) -> Element:
    ends = [end for end in (low, high) if end]
    if ends and all(end.code for end in ends):
        return limits("value", low, high)
    return Element("value", {XSI_TYPE: "ST"}, [], said)


RESULTS: Final = Section(
    "res",
    Code("30954-2", LOINC, "Relevant diagnostic tests and laboratory data"),
    "Results",
    (RESULTS_TEMPLATE,),
    ("Test", "Result", "Flag", "Range", "Status", "Date", "Remark (text only)"),
    _fill,
)
