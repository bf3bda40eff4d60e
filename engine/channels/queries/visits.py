"""A person's visits as PV1, for the demographics and visit query (ITI-22).

Spec:
    identity.md 11, "visits: QBP^ZV1".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.channels.queries.directory import Lookup
from engine.hl7.delimiters import STANDARD
from engine.hl7.escapes import encode
from engine.transforms.fhir.mapped import Element

MOST: Final = 20
_CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {"IMP": "I", "ACUTE": "I", "NONAC": "I", "AMB": "O", "EMER": "E", "PRENC": "P"}
)
"""FHIR's v3-ActCode of an Encounter to HL7 table 0004."""


def visits_of(lookup: Lookup, person: str) -> list[str]:
    """Return the latest visits of a person, one PV1 each, the newest first."""
    found = lookup.resources(person, "Encounter")
    found.sort(key=_begin, reverse=True)
    return [_pv1(number, each) for number, each in enumerate(found[:MOST], 1)]


def _pv1(number: int, encounter: Element) -> str:
    stay = encounter.get("class")
    code = str(stay.get("code")) if isinstance(stay, dict) else ""
    fields = ["PV1", str(number), _CLASSES.get(code, "U"), *[""] * 43]
    fields[19] = _number(encounter)
    fields[44], fields[45] = _time(_begin(encounter)), _time(_end(encounter))
    return "|".join(fields).rstrip("|")


def _number(encounter: Element) -> str:
    listed = encounter.get("identifier")
    known = listed if isinstance(listed, list) else []
    numbers = [str(one["value"]) for one in known if "value" in one]
    return encode(numbers[0], STANDARD) if numbers else ""


def _begin(encounter: Element) -> str:
    return _of_period(encounter, "start")


def _end(encounter: Element) -> str:
    return _of_period(encounter, "end")


def _of_period(encounter: Element, name: str) -> str:
    period = encounter.get("period")
    return str(period.get(name, "")) if isinstance(period, dict) else ""


def _time(text: str) -> str:
    """Return a FHIR dateTime as DTM."""
    day, _, clock = text.partition("T")
    plain = clock.replace("Z", "+0000")
    zone = plain[-6:] if plain[-6:-5] in {"+", "-"} else ""
    clock = plain.removesuffix(zone).partition(".")[0] if zone else plain
    return day.replace("-", "") + clock.replace(":", "") + zone.replace(":", "")
