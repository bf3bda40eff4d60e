"""Social history: smoking status, and nothing that was not said."""

from typing import Final

from engine.transforms.ccda.codes import LOINC, SNOMED, Code, concept
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import (
    Resource,
    child,
    children,
    codes,
    newest_first,
    text,
)
from engine.transforms.ccda.narrative import Table, reference
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, entry, status
from engine.transforms.ccda.templates import (
    SMOKING_STATUS,
)
from engine.transforms.ccda.templates import (
    SOCIAL_HISTORY as SOCIAL_HISTORY_TEMPLATE,
)
from engine.transforms.ccda.times import when

SMOKING: Final = Code("72166-2", LOINC, "Tobacco smoking status")
SMOKING_VALUES: Final = frozenset(
    (
        *("266919005", "266927001", "77176002", "8517006", "428041000124106"),
        *("428061000124105", "428071000124103", "449868002"),
    )
)
DONE: Final = frozenset({"final", "amended", "corrected"})


def is_smoking_status(resource: Resource) -> bool:
    """Whether an observation is a smoking status in the set that may stand here."""
    if SMOKING.code not in codes(child(resource, "code")):
        return False
    found = {
        text(coding, "code")
        for coding in children(child(resource, "valueCodeableConcept"), "coding")
        if text(coding, "system") == "http://snomed.info/sct"
    }
    known = found & SMOKING_VALUES
    return len(known) == 1 == len(found) and text(resource, "status") in DONE


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    found = [
        pair for pair in rendering.facts.of("Observation") if is_smoking_status(pair[1])
    ]
    return [
        _smoking(rendering, table, url, resource)
        for url, resource in newest_first(found, "effectiveDateTime")
    ]


def _smoking(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    source = child(resource, "valueCodeableConcept")
    value = concept(source, rendering, "Observation.value", SNOMED)
    time = when(resource, "effective", rendering)
    table.add(row, SMOKING.words, value.words, time.words)
    single = time.high or time.low
    stamp = single.element("effectiveTime") if single else time.element()
    return entry(
        "observation",
        "EVN",
        rendering,
        SMOKING_STATUS,
        rendering.own_ids(resource, url, "Observation.identifier"),
        SMOKING.element("code"),
        reference(row),
        status("completed"),
        stamp,
        value.element("value", row, "CD"),
    )


SOCIAL_HISTORY: Final = Section(
    "soc",
    Code("29762-2", LOINC, "Social history"),
    "Social History",
    (SOCIAL_HISTORY_TEMPLATE,),
    ("Topic", "Finding", "Date"),
    _fill,
)
