"""Weights fitted to a site's own records, without labels or with what people decided.

Spec:
    identity.md 13.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import log2
from typing import Final, NamedTuple

from engine.identity.index import PatientIndex, SourceRecord
from engine.identity.matching import (
    Match,
    Ranking,
    counted,
    keys_of,
    match,
    rank,
    weighed,
)
from engine.identity.placeholders import without_common
from engine.identity.similarity import Levels, compare
from engine.identity.traits import Traits
from engine.identity.weights import Bits, Model, Weights, weight

Labels = Mapping[tuple[int, int], bool]
"""What people decided: by two records' numbers, lower first, whether one person."""
_SURE: Final = 5
_SHIPPED_PAIRS: Final = Bits(200, 200, 5, 200)
"""How many pairs of each class the weights one starts from count for."""
_UNSEEN: Final = 0.5
"""What a level never seen counts for at least, where it was not held rarer before."""

_STRIDE: Final = 7_919
_STRANGERS_PER_RECORD: Final = 10


class Group(IntEnum):
    """The classes of pairs, in the order of `Bits`."""

    SAME = 0
    HOUSEHOLD = 1
    STRANGER = 2
    TWIN = 3


@dataclass(slots=True)
class Tally:
    """How often each class of pairs showed each level."""

    pairs: Counter[Group] = field(default_factory=Counter)
    levels: Counter[tuple[Group, str, str]] = field(default_factory=Counter)

    def add(self, group: Group, levels: Levels) -> None:
        """Count a pair whose class is known."""
        self.pairs[group] += 1
        self.levels.update((group, *each) for each in levels.items())

    def judge(
        self, traits: Traits, pair: Match, model: Model, *, same: bool | None
    ) -> None:
        """Count each trait of a blocked pair in the class that the others say.

        A trait that had a say in its own class would look better than it is: one that
        speaks against keeps the pairs it is wrong about from being counted, and homes
        found by their address have no other one.
        """
        if (group := group_of(pair, same)) is not None:
            self.pairs[group] += 1
        for trait, level in pair.levels.items():
            rest = {name: each for name, each in pair.levels.items() if name != trait}
            others = weighed(traits, pair.record, rest, pair.counts, model)
            if (group := group_of(others, same)) is not None:
                self.levels[group, trait, level] += 1


def trained(
    index: PatientIndex,
    model: Model,
    sample: Sequence[SourceRecord],
    labels: Labels,
    *,
    rounds: int = 2,
) -> tuple[Weights, Tally]:
    """Return weights fitted to the pairs of a sample, and what they were fitted on.

    Args:
        index: where the pairs are found, as a decision finds them.
        model: the weights to start from; they count as pairs of their own.
        sample: records drawn from the index.
        labels: what people decided about pairs outranks the score.
        rounds: how often the pairs are sorted anew by what was just fitted.
    """
    fitted, tally = model, Tally()
    for _ in range(rounds):
        tally = tallied(index, fitted, sample, labels)
        fitted = replace(fitted, weights=refit(model.weights, tally))
    return fitted.weights, tally


def tallied(
    index: PatientIndex, model: Model, sample: Sequence[SourceRecord], labels: Labels
) -> Tally:
    """Return the levels of the pairs of a sample, by class.

    Blocked pairs are sorted by the score of what is not being counted; those in between
    are left out.
    """
    tally = Tally()
    for one in sample:
        for other in _pairs_of(one, index, model):
            ruling = labels.get(_pair(one, other.record))
            tally.judge(one.traits, other, model, same=ruling)
    for left, right in _strangers(sample):
        levels = compare(left.traits, right.traits, model.nicknames)
        tally.add(Group.STRANGER, levels)
    return tally


def group_of(pair: Match, same: bool | None) -> Group | None:  # noqa: FBT001 - a ruling
    """Return the class of a blocked pair; None where nobody knows.

    ``same`` is what a person decided, None where nobody did.
    """
    levels = pair.levels
    if same or (same is None and pair.bits >= _SURE and not pair.guarded):
        return Group.SAME
    at_home = levels.get("address") in {"eq", "near"} or levels.get("phone") == "eq"
    if not at_home or (same is None and pair.bits > -_SURE):
        return None
    together = levels.get("birth") == "eq" and levels.get("given") != "eq"
    return Group.TWIN if together else Group.HOUSEHOLD


def refit(start: Weights, tally: Tally) -> Weights:
    """Return the weights that a tally and the ones to start from give together."""
    fitted: dict[str, dict[str, Bits]] = {}
    for trait, levels in start.items():
        known = {level: [*bits] for level, bits in levels.items()}
        for group in Group:
            prior = {level: 2 ** bits[group] for level, bits in known.items()}
            seen = {level: tally.levels[group, trait, level] for level in known}
            whole = sum(seen.values())
            said = sum(prior.values())  # below one where telling is evidence itself
            share = _SHIPPED_PAIRS[group] / said
            for level, bits in known.items():
                count = seen[level] + share * prior[level]
                of = whole + _SHIPPED_PAIRS[group]
                fitted_bits = log2(said * count / of)
                if not seen[level]:  # no rarer than a sample of this size can tell
                    least = min(bits[group], log2(said * _UNSEEN / of))
                    fitted_bits = max(fitted_bits, least)
                bits[group] = round(fitted_bits, 3)
        fitted[trait] = {level: Bits(*bits) for level, bits in known.items()}
    return fitted


def written(weights: Weights) -> str:
    """Return weights as the text that `weights.read_weights` reads."""
    lines = (
        ",".join((trait, level, *(f"{each:g}" for each in bits)))
        for trait, levels in weights.items()
        for level, bits in levels.items()
    )
    return "\n".join(("trait,level,m,h,u,t", *lines, ""))


def drift(before: Weights, after: Weights) -> list[tuple[str, str, float, float]]:
    """Return trait, level and evidence before and after, the largest change first.

    Evidence is the bits a level gives for "same person" against a stranger.
    """
    found = [
        (trait, level, _evidence(before, trait, level), _evidence(after, trait, level))
        for trait, levels in after.items()
        for level in levels
    ]
    return sorted(found, key=lambda each: -abs(each[3] - each[2]))


def _evidence(weights: Weights, trait: str, level: str) -> float:
    bits = weight(weights, trait, level)
    return bits.same - bits.stranger


def _pair(one: SourceRecord, other: SourceRecord) -> tuple[int, int]:
    low, high = sorted((one.number, other.number))
    return low, high


def _pairs_of(one: SourceRecord, index: PatientIndex, model: Model) -> Iterator[Match]:
    """Yield the blocked pairs of a record, each pair from its later record."""
    if one.traits.isolated:
        return
    found = index.candidates(keys_of(one.traits, index, model))
    traits = without_common(one.traits, found, index)
    counts = counted(traits, index, model)
    for other in found:
        if other.number < one.number:
            yield match(traits, other, counts, model)


def _strangers(
    sample: Sequence[SourceRecord],
) -> Iterator[tuple[SourceRecord, SourceRecord]]:
    """Yield pairs far apart in a sample: strangers but for a few in a million."""
    for place, one in enumerate(sample):
        for step in range(1, _STRANGERS_PER_RECORD + 1):
            other = sample[(place + step * _STRIDE) % len(sample)]
            if one.person != other.person:
                yield one, other


# -- what another model would do -------------------------------------------------------


class Effect(NamedTuple):
    """What another model would decide differently about a sample."""

    records: int
    linked_before: int
    linked_after: int
    made: int
    broken: int
    doubts_before: int
    doubts_after: int


def effect(
    index: PatientIndex, now: Model, then: Model, sample: Collection[SourceRecord]
) -> Effect:
    """Return what two models decide about records as if they came for the first time.

    Nothing is written: a model never changes a link that exists.
    """
    seen: Counter[str] = Counter()
    for one in sample:
        before, after = (_outcome(one, index, model) for model in (now, then))
        seen["linked_before"] += bool(before.linkable)
        seen["linked_after"] += bool(after.linkable)
        seen["made"] += bool(_persons(after) - _persons(before))
        seen["broken"] += bool(_persons(before) - _persons(after))
        seen["doubts_before"] += _asks(before)
        seen["doubts_after"] += _asks(after)
    return Effect(len(sample), *(seen[name] for name in Effect._fields[1:]))


def _outcome(one: SourceRecord, index: PatientIndex, model: Model) -> Ranking:
    if one.traits.isolated:
        return Ranking()
    keys = keys_of(one.traits, index, model)
    return rank(one.traits, keys, index, model, without={one.number})


def _persons(ranking: Ranking) -> set[str]:
    return {each.record.person for each in ranking.linkable[:1]}


def _asks(ranking: Ranking) -> bool:
    return bool(len(ranking.linkable) != 1 and (ranking.linkable or ranking.doubtful))


def linked(
    one: SourceRecord, other: SourceRecord, index: PatientIndex, model: Model
) -> bool:
    """Whether a model alone would link two records."""
    counts = counted(one.traits, index, model)
    found = match(one.traits, other, counts, model)
    return found.bits >= model.thresholds.high and not found.guarded and not found.other


class Interval(NamedTuple):
    """A share with its 95 % interval."""

    share: float
    low: float
    high: float


_Z: Final = 1.96


def interval(right: int, of: int) -> Interval:
    """Return a share with its Wilson interval; of nothing, everything is possible."""
    if not of:
        return Interval(1.0, 0.0, 1.0)
    share, spread = right / of, _Z * _Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * ((share * (1 - share) + spread / 4) / of) ** 0.5 / (1 + spread)
    return Interval(share, max(centre - half, 0.0), min(centre + half, 1.0))
