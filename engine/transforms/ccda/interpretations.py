"""Flags of a result: high, low, abnormal, and what an organism is sensitive to."""

from dataclasses import replace
from typing import Final

from engine.transforms.ccda.codes import INTERPRETATION, Concept, concept
from engine.transforms.ccda.facts import Resource, children
from engine.transforms.ccda.rendering import Rendering

FLAGS: Final = frozenset(
    "< > A AA B CAR D DET E EX H HH HM HU HX I IE IND L LL LU LX MS N ND NEG NR NS "  # noqa: SIM905 - one line reads as a table row
    "POS QCF R RR S SDD SYN-R SYN-S TOX U VS W WR".split()
)
FLAG_NAMES: Final = {
    "A": "Abnormal",
    "AA": "Critical abnormal",
    "H": "High",
    "HH": "Critical high",
    "L": "Low",
    "LL": "Critical low",
    "N": "Normal",
}


def interpretations(resource: Resource, rendering: Rendering) -> list[Concept]:
    """Return the flags of an observation, codes of HL7's set first."""
    path = "Observation.interpretation"
    made = []
    for source in children(resource, "interpretation"):
        found = concept(source, rendering, path, INTERPRETATION)
        if found.main and found.main.code not in FLAGS:
            found = Concept(None, (), found.words)
        if found.main and not found.text and not found.main.display:
            named = replace(found.main, display=FLAG_NAMES.get(found.main.code, ""))
            found = replace(found, main=named)
        if found:
            made.append(found)
    return made
