"""Vital signs: measurements with a unit, grouped by the time they were taken."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from engine.transforms.ccda.codes import LOINC, SNOMED, Code, concept
from engine.transforms.ccda.elements import Element, element
from engine.transforms.ccda.facts import (
    Resource,
    child,
    children,
    codes,
    newest_first,
    text,
)
from engine.transforms.ccda.interpretations import interpretations
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.quantities import Value, value_of
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, entry, status
from engine.transforms.ccda.templates import (
    VITAL_SIGN,
    VITAL_SIGNS_ORGANIZER,
)
from engine.transforms.ccda.templates import (
    VITAL_SIGNS as VITAL_SIGNS_TEMPLATE,
)
from engine.transforms.ccda.times import Span, when

VITAL_CODES: Final = frozenset(
    (
        *("8867-4", "9279-1", "8310-5", "8480-6", "8462-4", "59408-5"),
        *("2708-6", "29463-7", "8302-2", "39156-5", "9843-4", "8287-5"),
    )
)
DONE: Final = frozenset({"final", "amended", "corrected"})


def is_vital_sign(resource: Resource, rendering: Rendering) -> bool:
    """Whether an observation is shown here: finished, all values numbers with units."""
    kinds = {code for item in children(resource, "category") for code in codes(item)}
    if "vital-signs" not in kinds and not codes(child(resource, "code")) & VITAL_CODES:
        return False
    found = list(_measurements(resource, rendering))
    return (
        text(resource, "status") in DONE
        and bool(found)
        and all(_is_measured(value) for _, value in found)
    )


def _measurements(
    resource: Resource, rendering: Rendering
) -> Iterator[tuple[Resource, Value | None]]:
    """Yield what is measured and its value: the observation's, or its components'."""
    path = "Observation.value"
    single = value_of(resource, rendering, path)
    parts = children(resource, "component")
    if single is not None or not parts:
        yield resource, single
    for part in parts:
        yield part, value_of(part, rendering, path)


def _is_measured(value: Value | None) -> bool:
    found = value.amount if value else None
    return found is not None and bool(found.code) and not found.comparator


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    found = [
        pair
        for pair in rendering.facts.of("Observation")
        if is_vital_sign(pair[1], rendering)
    ]
    in_order = newest_first(found, "effectiveDateTime", "effectivePeriod.start")
    timed = [(when(one, "effective", rendering), url, one) for url, one in in_order]
    return [
        _organizer(rendering, table, time, [(url, one) for _, url, one in group])
        for time, group in groupby(timed, key=lambda item: item[0])
    ]


def _organizer(
    rendering: Rendering,
    table: Table,
    time: Span,
    found: list[tuple[str, Resource]],
) -> Element:
    code = Code("46680005", SNOMED, "Vital signs").element("code")
    code.children.append(Code("74728-7", LOINC, "Vital signs").element("translation"))
    made = entry(
        "organizer",
        "EVN",
        rendering,
        VITAL_SIGNS_ORGANIZER,
        rendering.derived_id("vital signs", *(url for url, _ in found)),
        code,
        status("completed"),
        time.element(),
        [
            element("component", None, sign)
            for url, resource in found
            for sign in _signs(rendering, table, time, url, resource)
        ],
    )
    made.attributes["classCode"] = "CLUSTER"
    return made


def _signs(
    rendering: Rendering, table: Table, time: Span, url: str, resource: Resource
) -> Iterator[Element]:
    for number, (source, value) in enumerate(_measurements(resource, rendering)):
        if value is None:
            continue
        row = table.new_id()
        rendering.originate(table.prefix, row, url)
        code = concept(child(source, "code"), rendering, "Observation.code", LOINC)
        flags = [flag for flag in interpretations(resource, rendering) if flag.main]
        said = joined((flag.words for flag in flags), ", ")
        table.add(row, code.words or "not known", value.words, said, time.words)
        ids = rendering.own_ids(resource, url, "Observation.identifier")
        yield entry(
            "observation",
            "EVN",
            rendering,
            VITAL_SIGN,
            [rendering.derived_id(url, str(number))] if number else ids,
            code.element("code", row),
            reference(row),
            status("completed"),
            time.element(),
            value.element(row),
            [flag.element("interpretationCode") for flag in flags],
        )


VITAL_SIGNS: Final = Section(
    "vit",
    Code("8716-3", LOINC, "Vital signs"),
    "Vital Signs",
    (VITAL_SIGNS_TEMPLATE,),
    ("Measurement", "Value", "Flag", "Date"),
    _fill,
)
