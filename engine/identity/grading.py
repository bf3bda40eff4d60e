"""How sure an answer to ``$match`` is: posterior and grade of each person.

Spec:
    identity.md 5 and 11 (``Patient/$match``, ITI-119).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import exp2

from engine.identity.matching import Match
from engine.identity.weights import Model


class Grade(StrEnum):
    """FHIR's match-grade."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"
    CERTAINLY_NOT = "certainly-not"


@dataclass(frozen=True, slots=True)
class Graded:
    """One person who may be meant, by their best record."""

    match: Match
    grade: Grade

    @property
    def person(self) -> str:
        """The enterprise identifier."""
        return self.match.record.person

    @property
    def posterior(self) -> float:
        """Probability of being the same person, 0 to 1."""
        return posterior(self.match.bits)


def posterior(bits: float) -> float:
    """Return the probability that so many bits mean.

    Examples:
        >>> posterior(0), posterior(-3000), posterior(3000)
        (0.5, 0.0, 1.0)
    """
    if abs(bits) > 1000:  # noqa: PLR2004 - beyond what a float holds
        return 1.0 if bits > 0 else 0.0
    return 1 / (1 + exp2(-bits))


def graded(matches: Iterable[Match], model: Model) -> list[Graded]:
    """Return the persons of some compared records, the likeliest first.

    Certain is who would be linked without a doubt: at the upper threshold, past the
    guard, and nobody else there. Whoever is left out before this changes no grade of
    the others' scores, so an answer does not tell that somebody was left out.
    """
    persons: defaultdict[str, list[Match]] = defaultdict(list)
    for each in matches:
        persons[each.record.person].append(each)
    best = [
        max(group, key=lambda each: (each.bits, -each.record.number))
        for group in persons.values()
        if not any(each.other for each in group)
    ]
    best.sort(key=lambda each: (-each.bits, each.record.number))
    high = [each for each in best if each.bits >= model.thresholds.high]
    alone = len(high) == 1 and not high[0].guarded
    return [Graded(each, _grade(each, model, alone=alone)) for each in best]


def _grade(match: Match, model: Model, *, alone: bool) -> Grade:
    if match.bits >= model.thresholds.high:
        return Grade.CERTAIN if alone else Grade.PROBABLE
    if match.bits >= model.thresholds.low:
        return Grade.POSSIBLE
    return Grade.CERTAINLY_NOT
