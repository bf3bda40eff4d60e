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

Weights = Mapping[str, Mapping[str, "Bits"]]
"""By trait and level, the bits of each class."""


class Bits(NamedTuple):
    """log2 P(level | class): same person, household, stranger, born together."""

    same: float
    household: float
    stranger: float
    twin: float


_UNKNOWN_LEVEL: Final = Bits(-9.0, -9.0, -9.0, -9.0)
_MEAN_AGREEMENT: Final = MappingProxyType({"given": 0.00310, "family": 0.00098})
_RAREST: Final = 2e-5
SAME_PER_RECORD, HOUSEHOLD_PER_RECORD, TWINS_PER_RECORD = 1.17, 1.45, 0.03
SMALLEST_INDEX: Final = 50
_SAME, _HOUSEHOLD, _TWIN = map(
    log2, (SAME_PER_RECORD, HOUSEHOLD_PER_RECORD, TWINS_PER_RECORD)
)


class Mode(StrEnum):
    """Named thresholds."""

    SAFE = "safe"
    BALANCED = "balanced"
    DETERMINISTIC = "deterministic"


class Thresholds(NamedTuple):
    """Bits: link at ``high``, doubt from ``low``; twins and newborns link at ``guard``.

    A ``guard`` of None is off.
    """

    high: float
    low: float
    guard: float | None


THRESHOLDS: Final[Mapping[Mode, Thresholds]] = MappingProxyType(
    {
        Mode.SAFE: Thresholds(6, -6, 10),
        Mode.BALANCED: Thresholds(3, -1, None),
        Mode.DETERMINISTIC: Thresholds(6, -6, 10),
    }
)


@dataclass(frozen=True, slots=True)
class Model:
    """Everything a decision depends on besides the index.

    ``names`` counts given and family names of the records the weights come from,
    ``trained_on`` those records; the counts of the index are added. Where
    ``rules`` stands, approved combinations of traits decide and nothing is weighed.
    """

    version: str = "shipped"
    thresholds: Thresholds = THRESHOLDS[Mode.SAFE]
    weights: Weights = field(default_factory=dict)
    nicknames: Nicknames = field(default_factory=dict)
    formal: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    trained_on: int = 0
    rules: bool = False


class Frequencies(NamedTuple):
    """How common the names in question are, and how many records there are.

    ``given`` and ``family`` count records, training included.
    """

    given: int
    family: int
    records: int


def score(levels: Levels, counts: Frequencies, model: Model) -> float:
    """Return the log2 odds that two records are one person.

    Others who agree are a member of the household, a brother or sister of the same
    birth, or a stranger; the odds against a stranger grow with the index.
    """
    same, *others = classes(levels, counts, model)
    return same - log2_sum(*others)


def classes(levels: Levels, counts: Frequencies, model: Model) -> Bits:
    """Return evidence and prior of each class together."""
    same, household, stranger, twin = sums(levels, model.weights)
    for trait, count in (("given", counts.given), ("family", counts.family)):
        if levels.get(trait) == "eq":
            stranger += rarity(trait, count, counts.records)
    return Bits(
        same + _SAME,
        household + _HOUSEHOLD,
        stranger + log2(max(counts.records, SMALLEST_INDEX)),
        twin + _TWIN,
    )


def overlay_score(levels: Levels, weights: Weights) -> float:
    """Return the log2 odds that an update still speaks of the same person.

    Spec:
        identity.md 7.
    """
    same, household, stranger, _ = sums(levels, weights)
    against = log2_sum(log2(0.012) + household, log2(0.008) + stranger)
    return same + log2(0.98) - against


def sums(levels: Levels, weights: Weights) -> Bits:
    """Return the sums of each class over the traits present on both sides."""
    same = household = stranger = twin = 0.0
    for trait, level in levels.items():
        m, h, u, t = weight(weights, trait, level)
        same += m
        household += h
        stranger += u
        twin += t
    return Bits(same, household, stranger, twin)


def weight(weights: Weights, trait: str, level: str) -> Bits:
    """Return the bits of a level; one that training never saw speaks for nobody."""
    return weights.get(trait, {}).get(level, _UNKNOWN_LEVEL)


def rarity(trait: str, count: int, records: int) -> float:
    """Return the bits a common (above 0) or rare name adds to the stranger's side."""
    share = max((count + 1) / (records + 2), _RAREST)
    return log2(share / _MEAN_AGREEMENT[trait])


def log2_sum(*bits: float) -> float:
    """Return log2 of the sum of 2**bits without leaving the range of a float."""
    high = max(bits)
    return high + log2(sum(2 ** (each - high) for each in bits))


def posterior(bits: float) -> float:
    """Return the probability of "same person" that a score stands for."""
    return 1 / (1 + 2 ** -max(min(bits, 500), -500))


def read_weights(text: str) -> Weights:
    """Return the weights of a file of ``trait,level,m,h,u,t`` lines."""
    found: defaultdict[str, dict[str, Bits]] = defaultdict(dict)
    for line in text.splitlines()[1:]:
        trait, level, *bits = line.split(",")
        found[trait][level] = Bits(*map(float, bits))
    return dict(found)


def shipped_model(
    names: str,
    weights: str,
    short_forms: Mapping[str, Collection[str]],
    mode: Mode = Mode.SAFE,
) -> Model:
    """Return the model that comes with the engine.

    Args:
        names: the file ``shipped/names.csv``: ``trait,value,count`` lines.
        weights: the file ``shipped/weights.csv``: ``trait,level,m,h,u,t`` lines.
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
        weights=read_weights(weights),
        nicknames={name: frozenset(known) for name, known in nicknames.items()},
        formal={
            short: tuple(sorted(known, key=lambda name: (-given.get(name, 0), name)))
            for short, known in formal.items()
        },
        names=counts,
        trained_on=counts["records"][""],
        rules=mode is Mode.DETERMINISTIC,
    )
