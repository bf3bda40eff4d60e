"""The golden record: the best value of each field, with where it comes from.

Spec:
    identity.md 9.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from engine.identity.index import Identifier
from engine.identity.traits import Traits

_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("given", "middle", "family", "suffix"),
    "birth": ("birth", "minute"),
    "sex": ("sex",),
    "ssn": ("ssn", "last_four"),
    "address": ("number", "street", "city", "state", "zip5"),
    "phone": ("phone",),
    "email": ("email",),
    "birth facts": ("multiple", "order"),
    "death": ("death",),
}
"""Fields that only make sense together come from one record."""


@dataclass(frozen=True, slots=True)
class SourceValues:
    """A record as survivorship sees it; missing and placeholder values are ``""``.

    ``verified`` names groups that were checked at the source (PID-32).
    """

    record: int
    authority: str
    traits: Traits
    time: str
    message: int = 0
    identifiers: tuple[Identifier, ...] = ()
    verified: frozenset[str] = frozenset()


class Chosen(NamedTuple):
    """One group of the golden record: its values, where they are from, and why."""

    values: tuple[str, ...]
    record: int
    message: int
    time: str
    rule: str


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """A person's best traits; ``chosen`` tells the source of each group."""

    traits: Traits
    chosen: Mapping[str, Chosen]
    identifiers: tuple[Identifier, ...]
    former_names: tuple[tuple[str, ...], ...] = ()
    former_addresses: tuple[tuple[str, ...], ...] = ()


def golden(sources: Sequence[SourceValues], ranks: Sequence[str] = ()) -> GoldenRecord:
    """Return the golden record of one person.

    A record that its system removed has a say only where no other is left.

    Args:
        sources: the person's records.
        ranks: assigning authorities, the most trusted first.
    """
    staying = [each for each in sources if not each.traits.removed] or sources
    chosen = {
        group: found
        for group in _GROUPS
        if (found := _chosen(group, staying, ranks)) is not None
    }
    best = Traits()._asdict()
    for group, found in chosen.items():
        best.update(zip(_GROUPS[group], found.values, strict=True))
    numbers = dict.fromkeys(each for source in sources for each in source.identifiers)
    return GoldenRecord(
        Traits(**best),
        chosen,
        tuple(numbers),
        _former("name", sources, chosen),
        _former("address", sources, chosen),
    )


_Read = Callable[[Traits], tuple[str, ...]]


def _reader(traits: Sequence[str]) -> _Read:
    """Return what reads some traits at once: it is asked for every person shown."""
    places = [Traits._fields.index(trait) for trait in traits]
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1))


_READERS: Final[Mapping[str, _Read]] = {
    group: _reader(traits) for group, traits in _GROUPS.items()
}


def _values(group: str, source: SourceValues) -> tuple[str, ...]:
    return _READERS[group](source.traits)


def _chosen(
    group: str, sources: Sequence[SourceValues], ranks: Sequence[str]
) -> Chosen | None:
    """Narrow the sources by one rule after the other until one value is left."""
    left = [source for source in sources if any(_values(group, source))]
    if not left:
        return None
    deciding = "only value"
    if len(left) > 1 and _differ(group, left):
        for name, worth in _rules(group, left, ranks):
            best = max(worth(source) for source in left)
            narrowed = [source for source in left if worth(source) == best]
            if len(narrowed) < len(left):
                left, deciding = narrowed, name
            if not _differ(group, left):
                break
        else:
            deciding = "first record"
    source = min(left, key=lambda each: each.record)
    values = _values(group, source)
    return Chosen(values, source.record, source.message, source.time, deciding)


def _differ(group: str, sources: Sequence[SourceValues]) -> bool:
    first = _values(group, sources[0])
    return any(_values(group, source) != first for source in sources[1:])


Worth = Callable[[SourceValues], float | str]


def _rules(
    group: str, left: Sequence[SourceValues], ranks: Sequence[str]
) -> tuple[tuple[str, Worth], ...]:
    rank = {authority: -place for place, authority in enumerate(ranks)}
    count = Counter(_values(group, source) for source in left)
    return (
        ("complete", lambda each: _completeness(group, each)),
        ("verified", lambda each: group in each.verified),
        ("source rank", lambda each: rank.get(each.authority, -len(ranks))),
        ("most recent", lambda each: each.time),
        ("most frequent", lambda each: count[_values(group, each)]),
    )


def _completeness(group: str, source: SourceValues) -> float:
    """Return 0 where a group lacks what it is for: a given name, a street."""
    needed = {"name": source.traits.given, "address": source.traits.street}
    return float(bool(needed.get(group, "x")))


def _former(
    group: str, sources: Sequence[SourceValues], chosen: Mapping[str, Chosen]
) -> tuple[tuple[str, ...], ...]:
    """Return the values that lost, each once, latest first."""
    if group not in chosen:
        return ()
    ordered = sorted(sources, key=lambda each: each.time, reverse=True)
    values = dict.fromkeys(_values(group, source) for source in ordered)
    values.pop(chosen[group].values)
    return tuple(each for each in values if any(each))
