"""What agreement is worth: weights in bits, the score of three classes, thresholds.

Spec:
    identity.md 5.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import log2
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.identity.similarity import Levels, Nicknames

Weights = Mapping[str, Mapping[str, tuple[float, float, float]]]
"""By trait and level, log2 P(level | class): same person, household, stranger."""

SHIPPED: Final[Weights] = MappingProxyType(
    {
        "given": {
            "eq": (-0.26, -6.19, -8.43), "nick": (-3.59, -8.16, -8.75),
            "init": (-6.11, -9.84, -10.04), "swap": (-6.95, -11.86, -21.30),
            "mid": (-6.71, -9.99, -9.26), "jw92": (-5.56, -8.67, -10.06),
            "jw84": (-6.55, -8.24, -8.53), "no": (-5.67, -0.04, -0.02),
        },
        "family": {
            "eq": (-0.15, -0.33, -10.23), "tok": (-5.32, -5.92, -14.39),
            "swap": (-6.97, -11.92, -21.34), "jw92": (-5.27, -5.20, -12.05),
            "jw84": (-6.70, -7.15, -10.68), "no": (-5.12, -2.70, 0.0),
        },
        "birth": {
            "eq": (-0.06, -6.57, -14.88), "swap": (-7.47, -14.23, -15.95),
            "d1": (-5.28, -8.31, -9.88), "md": (-8.61, -9.24, -8.83),
            "y01": (-8.02, -12.35, -13.04), "y1": (-15.50, -8.67, -10.29),
            "d2": (-13.18, -5.80, -6.47), "no": (-12.33, -0.05, -0.02),
        },
        "ssn": {
            "eq": (-0.73, -7.72, -19.53), "d1": (-4.13, -8.70, -19.53),
            "d2": (-9.55, -10.53, -19.53), "s4": (-1.65, -10.82, -15.50),
            "s4no": (-6.74, -1.59, -1.63), "no": (-6.86, -0.60, -0.56),
        },
        "sex": {
            "eq": (-0.04, -1.22, -1.00), "no": (-5.18, -0.81, -1.00),
        },
        "address": {
            "eq": (-0.63, -0.14, -12.79), "near": (-4.16, -6.76, -15.57),
            "street": (-12.26, -13.00, -10.65), "zip": (-8.07, -10.02, -7.72),
            "city": (-13.11, -15.81, -12.33), "no": (-1.78, -3.63, -0.01),
        },
        "phone": {
            "eq": (-0.56, -2.02, -14.74), "d1": (-5.14, -7.40, -20.23),
            "no": (-1.78, -0.42, 0.0),
        },
        "middle": {
            "eq": (-2.71, -12.95, -10.89), "init": (-0.27, -4.11, -4.15),
            "jw": (-11.92, -10.84, -10.92), "no": (-5.66, -0.09, -0.09),
        },
        "suffix": {
            "eq": (0.0, -2.43, -1.00), "no": (-8.91, -0.30, -1.00),
        },
        "email": {
            "eq": (0.0, -12.35, -19.43), "no": (-11.97, 0.0, 0.0),
        },
    }
)  # fmt: skip
"""Fitted on a synthetic feed of 20,000 registrations; ssn levels of -19 and below mean
"never seen"."""

_UNKNOWN_LEVEL: Final = (-9.0, -9.0, -9.0)
_LAST_FOUR_AT_BEST: Final = -13.3
_MEAN_AGREEMENT: Final = MappingProxyType({"given": 0.00310, "family": 0.00098})
_RAREST: Final = 2e-5
SAME_PER_RECORD, HOUSEHOLD_PER_RECORD = 1.17, 1.45
SMALLEST_INDEX: Final = 50


class Mode(StrEnum):
    """Named thresholds."""

    SAFE = "safe"
    BALANCED = "balanced"


class Thresholds(NamedTuple):
    """Bits: link at ``high``, doubt from ``low``; twins and newborns link at ``guard``.

    A ``guard`` of None is off.
    """

    high: float
    low: float
    guard: float | None


THRESHOLDS: Final[Mapping[Mode, Thresholds]] = MappingProxyType(
    {Mode.SAFE: Thresholds(6, -6, 16), Mode.BALANCED: Thresholds(3, -1, None)}
)


@dataclass(frozen=True, slots=True)
class Model:
    """Everything a decision depends on besides the index.

    ``names`` counts given and family names of the records the weights come from,
    ``trained_on`` those records; the counts of the index are added.
    """

    version: str = "shipped"
    thresholds: Thresholds = THRESHOLDS[Mode.SAFE]
    weights: Weights = field(default_factory=lambda: SHIPPED)
    nicknames: Nicknames = field(default_factory=dict)
    formal: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    trained_on: int = 0


class Frequencies(NamedTuple):
    """How common the names in question are, and how many records there are.

    ``given`` and ``family`` count records, training included.
    """

    given: int
    family: int
    records: int


class Score(NamedTuple):
    """Evidence in bits; ``same``, ``household`` and ``stranger`` are lm, lh and lu."""

    bits: float
    same: float
    household: float
    stranger: float


def score(levels: Levels, counts: Frequencies, model: Model) -> Score:
    """Return the log2 odds that two records are one person.

    A household member who shares the address is a third answer beside "same" and
    "stranger"; the odds against a stranger grow with the index.
    """
    same, household, stranger = sums(levels, model.weights)
    for trait, count in (("given", counts.given), ("family", counts.family)):
        if levels.get(trait) == "eq":
            stranger += rarity(trait, count, counts.records)
    against = log2_sum(
        log2(HOUSEHOLD_PER_RECORD) + household,
        log2(max(counts.records, SMALLEST_INDEX)) + stranger,
    )
    bits = same + log2(SAME_PER_RECORD) - against
    return Score(bits, same, household, stranger)


def overlay_score(levels: Levels, weights: Weights) -> float:
    """Return the log2 odds that an update still speaks of the same person.

    Spec:
        identity.md 7.
    """
    same, household, stranger = sums(levels, weights)
    against = log2_sum(log2(0.012) + household, log2(0.008) + stranger)
    return same + log2(0.98) - against


def sums(levels: Levels, weights: Weights) -> tuple[float, float, float]:
    """Return the three sums over the traits present on both sides."""
    same = household = stranger = 0.0
    for trait, level in levels.items():
        m, h, u = weights[trait].get(level, _UNKNOWN_LEVEL)
        same += m
        household += h
        stranger += u
    return same, household, stranger


def rarity(trait: str, count: int, records: int) -> float:
    """Return the bits a common (above 0) or rare name adds to the stranger's side."""
    share = max((count + 1) / (records + 2), _RAREST)
    return log2(share / _MEAN_AGREEMENT[trait])


def log2_sum(left: float, right: float) -> float:
    """Return log2(2**left + 2**right) without leaving the range of a float."""
    high, low = max(left, right), min(left, right)
    return high + log2(1 + 2 ** (low - high))


def posterior(bits: float) -> float:
    """Return the probability of "same person" that a score stands for."""
    return 1 / (1 + 2 ** -max(min(bits, 500), -500))


def shipped_model(
    names: str, short_forms: Mapping[str, Collection[str]], mode: Mode = Mode.SAFE
) -> Model:
    """Return the model that comes with the engine.

    Args:
        names: the file ``shipped/names.csv``: ``trait,value,count`` lines.
        short_forms: short forms by formal name.
        mode: names the thresholds.
    """
    counts: dict[str, dict[str, int]] = {"records": {}, "given": {}, "family": {}}
    for line in names.splitlines()[1:]:
        trait, value, count = line.split(",")
        counts[trait][value] = int(count)
    nicknames: defaultdict[str, set[str]] = defaultdict(set)
    formal: defaultdict[str, set[str]] = defaultdict(set)
    for name, shorts in short_forms.items():
        for short in shorts:
            nicknames[name].add(short)
            nicknames[short].add(name)
            formal[short].add(name)
    given = counts["given"]
    return Model(
        thresholds=THRESHOLDS[mode],
        nicknames={name: frozenset(known) for name, known in nicknames.items()},
        formal={
            short: tuple(sorted(known, key=lambda name: (-given.get(name, 0), name)))
            for short, known in formal.items()
        },
        names=counts,
        trained_on=counts["records"][""],
    )
