"""Candidates found, compared and ranked; twins and newborns guarded.

Spec:
    identity.md 5, guard.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from engine.identity.blocking import block_keys
from engine.identity.index import PatientIndex, SourceRecord
from engine.identity.similarity import Levels, compare
from engine.identity.traits import Kind, Traits
from engine.identity.weights import Frequencies, Model, score

_ENOUGH_TRAITS: Final = 2
_AGAINST: Final = frozenset({"no", "d2", "y1"})
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate record and how it compares.

    ``guarded`` tells that the pair looks like twins or an unnamed newborn and the
    evidence is too thin for that; ``other`` that birth facts say two people.
    """

    record: SourceRecord
    levels: Levels
    bits: float
    counts: Frequencies
    guarded: bool = False
    other: bool = False


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates by person, best first: those to link, those to ask about."""

    linkable: tuple[Match, ...] = ()
    doubtful: tuple[Match, ...] = ()
    shared_ssn: tuple[Match, ...] = ()


def rank(
    traits: Traits,
    keys: list[int],
    index: PatientIndex,
    model: Model,
    without: Collection[int] = (),
) -> Ranking:
    """Return the persons a record may belong to.

    Args:
        traits: of the record in question.
        keys: its block keys.
        index: where candidates are looked for.
        model: weights and thresholds.
        without: numbers of records that are not to be considered.
    """
    found = [
        record
        for record in index.candidates(keys)
        if record.number not in without and not record.traits.isolated
    ]
    if not found:
        return Ranking()
    counts = counted(traits, index, model)
    return ranked([match(traits, record, counts, model) for record in found], model)


def enough(traits: Traits) -> bool:
    """Whether at least two identifying traits are known."""
    facts = (traits.given, traits.family, traits.birth, traits.last_four)
    return sum(map(bool, facts)) >= _ENOUGH_TRAITS


def keys_of(traits: Traits, index: PatientIndex, model: Model) -> list[int]:
    """Return the block keys a record with these traits has in an index."""
    return block_keys(traits, model.formal, index.secret)


def counted(traits: Traits, index: PatientIndex, model: Model) -> Frequencies:
    """Return how common the names are: in training and in the index."""
    live = index.frequencies(traits.given, traits.family)
    names = model.names
    return Frequencies(
        live.given + names.get("given", {}).get(traits.given, 0),
        live.family + names.get("family", {}).get(traits.family, 0),
        live.records + model.trained_on,
    )


def match(
    traits: Traits, record: SourceRecord, counts: Frequencies, model: Model
) -> Match:
    """Return how one candidate compares."""
    levels = compare(traits, record.traits, model.nicknames)
    bits = score(levels, counts, model).bits
    guard = model.thresholds.guard
    guarded = (
        guard is not None and bits < guard and _needs_guard(traits, record, levels)
    )
    return Match(
        record,
        levels,
        bits,
        counts,
        guarded,
        _is_sibling(traits, record.traits, levels),
    )


def ranked(matches: Iterable[Match], model: Model) -> Ranking:
    """Return the best match of each person, sorted into what they allow."""
    persons: defaultdict[str, list[Match]] = defaultdict(list)
    for each in matches:
        persons[each.record.person].append(each)
    high, low, _ = model.thresholds
    linkable: list[Match] = []
    doubtful: list[Match] = []
    shared: list[Match] = []
    for group in persons.values():
        group.sort(key=_strength)
        if any(each.other for each in group):
            continue
        clear = [each for each in group if not each.guarded and each.bits >= high]
        if clear:
            linkable.append(clear[-1])
        elif group[-1].bits >= low:
            doubtful.append(group[-1])
        shared.extend(each for each in group if _only_ssn(each.levels))
    return Ranking(
        tuple(sorted(linkable, key=_strength, reverse=True)[:_SHOWN]),
        tuple(sorted(doubtful, key=_strength, reverse=True)[:_SHOWN]),
        tuple(sorted(shared, key=_strength, reverse=True)[:_SHOWN]),
    )


def _strength(match: Match) -> tuple[float, int]:
    """Return what sorts matches: of two equal ones the older record is stronger."""
    return match.bits, -match.record.number


def _needs_guard(traits: Traits, record: SourceRecord, levels: Levels) -> bool:
    """Whether the pair may be twins, or an unnamed newborn and a brother."""
    other = record.traits
    if _same_birth(traits, other):
        return False
    if Kind.UNNAMED in {traits.kind, other.kind}:
        return True
    return (
        levels.get("given") in {"no", "init"}
        and levels.get("birth") == "eq"
        and levels.get("family") in {"eq", "tok", "jw92", None}
    )


def _same_birth(one: Traits, other: Traits) -> bool:
    """Whether mother, order and date of birth are known and equal."""
    return bool(one.mother and one.order and one.birth) and (
        one.mother,
        one.order,
        one.birth,
    ) == (other.mother, other.order, other.birth)


def _is_sibling(one: Traits, other: Traits, levels: Levels) -> bool:
    """Whether birth facts say: another child of this birth."""
    if not one.order or not other.order or one.order == other.order:
        return False
    if one.mother and one.mother == other.mother:
        return True
    return (
        bool(one.multiple and other.multiple)
        and levels.get("birth") == "eq"
        and "eq" in {levels.get("family"), levels.get("address")}
    )


def _only_ssn(levels: Levels) -> bool:
    """Whether the SSN agrees while given name and birth speak against."""
    return (
        levels.get("ssn") == "eq"
        and levels.get("given", "no") == "no"
        and levels.get("birth", "no") in _AGAINST
        and len(levels) > 1
    )
