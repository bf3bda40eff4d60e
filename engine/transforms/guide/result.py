"""What can be said of a component of a message, and of a value of its Bundle."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What became of one component at one place, or of one value of the Bundle."""

    PLACED = "placed"
    ELSEWHERE = "elsewhere"
    MISSING = "missing"
    UNFIT = "cannot stand there"
    NOT_MAPPED = "not mapped by the guide"
    UNEXPLAINED = "unexplained"


COMPLAINTS: Final = frozenset((Verdict.ELSEWHERE, Verdict.MISSING, Verdict.UNEXPLAINED))
"""Verdicts that tell of a fault of the transform."""


@dataclass(frozen=True, slots=True)
class Result:
    """One verdict; ``value`` is patient data.

    ``wanted`` is where the guide wants the component, ``found`` where it is, ``row``
    the rows that say so. Of a value that nothing explains only ``found`` is known.
    """

    verdict: Verdict
    path: str = ""
    value: str = ""
    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    row: str = ""
