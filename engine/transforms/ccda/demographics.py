"""Race and ethnicity: categories of the US, further races, and what was not said."""

from collections.abc import Iterator
from typing import Final

from engine.transforms.ccda.codes import RACE, Code, code_of
from engine.transforms.ccda.elements import Element, element, null
from engine.transforms.ccda.facts import Resource, child, children, text
from engine.transforms.ccda.rendering import Rendering

RACES: Final = {
    "1002-5": "American Indian or Alaska Native",
    "2028-9": "Asian",
    "2054-5": "Black or African American",
    "2076-8": "Native Hawaiian or Other Pacific Islander",
    "2106-3": "White",
}
ETHNICITIES: Final = {
    "2135-2": "Hispanic or Latino",
    "2186-5": "Not Hispanic or Latino",
}
V2_ETHNIC_GROUP: Final = "http://terminology.hl7.org/CodeSystem/v2-0189"
V2_ETHNICITIES: Final = {"H": "2135-2", "N": "2186-5"}
V2_RACE: Final = "http://terminology.hl7.org/CodeSystem/v2-0005"
DECLINED: Final = "ASKU"
UNKNOWN: Final = frozenset({"UNK", "U", "NI"})


def codings(resource: Resource, word: str) -> Iterator[Resource]:
    """Yield the codings of every extension whose URL speaks of race or ethnicity."""
    for item in children(resource, "extension"):
        if word in text(item, "url").rpartition("/")[2].lower():
            yield from _codings_inside(item)


def _codings_inside(item: Resource) -> Iterator[Resource]:
    yield from filter(None, [child(item, "valueCoding")])
    concept = child(item, "valueCodeableConcept")
    listed = children(concept, "coding")
    yield from listed
    if not listed and text(concept, "text"):
        yield {"display": text(concept, "text")}
    for nested in children(item, "extension"):
        if text(nested, "url") != "text":
            yield from _codings_inside(nested)


def race_elements(
    patient: Resource, rendering: Rendering
) -> tuple[Element, list[Element]]:
    """Return ``raceCode`` and the ``sdtc:raceCode`` beside it."""
    found = list(codings(patient, "race"))
    categories = [
        code for code in map(_race, found) if code.code in RACES and code.system
    ]
    first = categories[0] if categories else None
    if first is None:
        return _not_listed("raceCode", found, rendering), []
    further = [_race(coding) for coding in found]
    more = dict.fromkeys(code for code in further if code != first and code.system)
    return first.element("raceCode"), [code.element("sdtc:raceCode") for code in more]


def _race(coding: Resource) -> Code:
    """Return a coding of CDC's race system, or one without a system."""
    code, system = text(coding, "code"), text(coding, "system")
    ours = system.endswith(RACE) or (system == V2_RACE and code in RACES)
    display = RACES.get(code) or text(coding, "display")
    return Code("".join(code.split()), RACE if ours and code else "", display)


def ethnicity_elements(patient: Resource, rendering: Rendering) -> Element:
    """Return ``ethnicGroupCode``; what is not one of the two categories is no code."""
    found = list(codings(patient, "ethnic"))
    for coding in found:
        code = text(coding, "code")
        if text(coding, "system") == V2_ETHNIC_GROUP:
            code = V2_ETHNICITIES.get(code, code)
        if code in ETHNICITIES:
            return Code(code, RACE, ETHNICITIES[code]).element("ethnicGroupCode")
    return _not_listed("ethnicGroupCode", found, rendering)


def _not_listed(name: str, found: list[Resource], rendering: Rendering) -> Element:
    """Return why there is no code: nothing said, declined, or another system."""
    said = [coding for coding in found if text(coding, "code") not in UNKNOWN]
    if not said:
        return null(name)
    if DECLINED in {text(coding, "code") for coding in said}:
        return null(name, DECLINED)
    words = text(said[0], "display") or text(said[0], "code")
    code = code_of(said[0], rendering, f"Patient.{name}")
    translations = [code.element("translation")] if isinstance(code, Code) else []
    original = element("originalText", text=words)
    return element(name, {"nullFlavor": "OTH"}, original, translations)
