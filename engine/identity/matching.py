"""Candidates found, compared and ranked; twins and newborns guarded.

Spec:
    identity.md 5, guard.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from engine.identity.blocking import block_keys
from engine.identity.deterministic import verdict
from engine.identity.index import PatientIndex, SourceRecord
from engine.identity.placeholders import (
    Placeholder,
    learned,
    meant,
    without_crowded,
)
from engine.identity.similarity import Levels, compare
from engine.identity.traits import Kind, Traits
from engine.identity.weights import Frequencies, Model, score, weight

_ENOUGH_TRAITS: Final = 2
_AGAINST: Final = frozenset({"no", "d2", "y1"})
_SHOWN: Final = 5
_BACKING: Final[Mapping[str, Collection[str]]] = MappingProxyType(
    {
        "ssn": {"eq", "d1", "s4"},
        "address": {"eq", "near"},
        "phone": {"eq", "d1"},
        "email": {"eq"},
        "middle": {"eq"},
    }
)
"""What has to stand behind a changed family name, besides given name and birth."""


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
    """Candidates by person, best first: those to link, those to ask about.

    ``learned`` are values that the candidates showed to stand for nobody.
    """

    linkable: tuple[Match, ...] = ()
    doubtful: tuple[Match, ...] = ()
    shared_ssn: tuple[Match, ...] = ()
    learned: tuple[Placeholder, ...] = ()


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
    traits = meant(traits, index)
    news = learned(traits, found, index)
    traits = without_crowded(traits, found)
    counts = counted(traits, index, model)
    matches = [match(traits, record, counts, model) for record in found]
    return replace(ranked(traits, matches, model), learned=news)


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
    return weighed(traits, record, levels, counts, model)


def weighed(
    traits: Traits,
    record: SourceRecord,
    levels: Levels,
    counts: Frequencies,
    model: Model,
) -> Match:
    """Return what the levels of a pair, or some of them, are worth."""
    one, other, guard = traits, record.traits, model.thresholds.guard
    bits = (
        verdict(one, other, levels, model.nicknames, counts.records).bits
        if model.rules
        else score(levels, counts, model)
    )
    thin = guard is not None and (
        bits < guard
        or _of_one_mother(one, other)
        or _is_unnamed(one, other)
        or _are_namesakes(one, other, levels)
    )
    return Match(
        record,
        levels,
        bits,
        counts,
        thin and _needs_guard(traits, record.traits, levels),
        _is_sibling(traits, record.traits, levels),
    )


def likeness(
    traits: Traits,
    records: Collection[SourceRecord],
    counts: Frequencies,
    model: Model,
) -> Match:
    """Return how a record compares with one person, by all the person's records."""
    group = sorted(
        (match(traits, each, counts, model) for each in records), key=_strength
    )
    return _with_history(traits, group, model)


def ranked(traits: Traits, matches: Iterable[Match], model: Model) -> Ranking:
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
        best = _with_history(traits, group, model)
        if best.bits >= high and not best.guarded:
            linkable.append(best)
        elif best.bits >= low:
            doubtful.append(best)
        shared.extend(each for each in group if _only_ssn(each.levels))
    if model.rules and len(linkable) > 1:  # a combination has to name one person
        doubtful, linkable = linkable + doubtful, []
    return Ranking(
        tuple(sorted(linkable, key=_strength, reverse=True)[:_SHOWN]),
        tuple(sorted(doubtful, key=_strength, reverse=True)[:_SHOWN]),
        tuple(sorted(shared, key=_strength, reverse=True)[:_SHOWN]),
    )


def _with_history(traits: Traits, group: list[Match], model: Model) -> Match:
    """Return a person's best match, with what their other records agree on."""
    best, levels = group[-1], dict[str, str]()
    if len(group) == 1:
        return best
    for each in group:
        for trait, level in each.levels.items():
            known = levels.setdefault(trait, level)
            if _worth(model, trait, level) > _worth(model, trait, known):
                levels[trait] = level
    return weighed(traits, best.record, levels, best.counts, model)


def _worth(model: Model, trait: str, level: str) -> float:
    bits = weight(model.weights, trait, level)
    return bits.same - bits.stranger


def _strength(match: Match) -> tuple[float, int]:
    """Return what sorts matches: of two equal ones the older record is stronger."""
    return match.bits, -match.record.number


def _is_unnamed(one: Traits, other: Traits) -> bool:
    return Kind.UNNAMED in {one.kind, other.kind}


def _of_one_mother(one: Traits, other: Traits) -> bool:
    return bool(one.mother) and one.mother == other.mother


def _needs_guard(traits: Traits, other: Traits, levels: Levels) -> bool:
    """Whether the pair may be twins, namesakes, or strangers born on one day.

    Not every site marks the placeholder names of twins, so two unnamed newborns who
    agree in everything may still be two people: only birth facts tell. Without a name
    the birthday is what tells them apart, so even nearly another one is too little.
    """
    if _are_namesakes(traits, other, levels):
        return True
    if _is_unnamed(traits, other) and levels.get("birth", "eq") != "eq":
        return True
    if levels.get("birth") != "eq" or _same_birth(traits, other):
        return False
    if _is_unnamed(traits, other):
        return not _one_child(levels)
    if levels.get("given") in {"no", "init", "midi"}:
        return levels.get("family") in {"eq", "tok", "jw92", None}
    return levels.get("family") in {"no", "new"} and not any(
        levels.get(trait) in agrees for trait, agrees in _BACKING.items()
    )


def _are_namesakes(one: Traits, other: Traits, levels: Levels) -> bool:
    """Whether name and home are all there is: a father and his son share both.

    However rare the name is, it says nothing there. Daughters are seldom named so.
    """
    if levels.get("birth", "no") != "no":
        return False
    own = {"ssn", "suffix"} & levels.keys()
    own |= {t for t in ("middle", "email") if levels.get(t, "no") != "no"}
    if "birth" in levels:  # of another day: their middle names are often one, too
        own -= {"middle"}
    at_home = levels.get("address") in {"eq", "near"} or levels.get("phone") == "eq"
    named = levels.get("given") in {"eq", "nick"} and levels.get("family") == "eq"
    return not own and at_home and named and "F" not in one.sex + other.sex


def _same_birth(one: Traits, other: Traits) -> bool:
    """Whether mother, order and date of birth are known and equal."""
    return bool(one.mother and one.order and one.birth) and (
        one.mother,
        one.order,
        one.birth,
    ) == (other.mother, other.order, other.birth)


def _one_child(levels: Levels) -> bool:
    """Whether birth facts leave one child of a home or mother: born alone, or then."""
    at_home = levels.get("address") in {"eq", "near"} or levels.get("mother") == "eq"
    told = levels.get("multiple") == "single" or levels.get("minute") == "eq"
    against = {levels.get(trait) for trait in ("sex", "mother", "minute", "multiple")}
    return at_home and told and "no" not in against and "one" not in against


def _is_sibling(one: Traits, other: Traits, levels: Levels) -> bool:
    """Whether birth facts say: another child of this birth."""
    if not one.order or not other.order or one.order == other.order:
        return False
    if _of_one_mother(one, other):
        return True
    return (
        one.multiple == other.multiple == "Y"
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
