"""Which resource of a Bundle is which thing of the message.

The values of one thing belong together: those of a segment in one resource, those of
one repetition of a field in one member of a list. A Bundle does not say which is which,
so the resource that holds most of a thing is taken for it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from engine.transforms.guide.expected import Expectation
from engine.transforms.guide.leaves import Leaf

_BY_NUMBER: Final = 8
"""How much more a number tells who somebody is than a name that others share."""

Group: TypeAlias = tuple[object, ...]
"""What belongs together: a segment's values, or those of one repetition of a field."""

Homes: TypeAlias = dict[Group, set[object]]
"""For each group the resources, or members of lists, that may be it."""

Tally: TypeAlias = Counter[object]
"""How much of a group each resource, or member of a list, holds."""


def groups_of(each: Expectation, leaf: Leaf) -> Iterator[tuple[Group, object]]:
    """Yield what an expectation belongs to, and which thing a leaf would make that."""
    yield each.unit, leaf.resource
    if leaf.member:
        head = each.path.partition(".")[0]
        yield (head, each.place.kind, leaf.path.partition(".")[0]), leaf.member


def homes_of(held: Iterable[tuple[Expectation, list[Leaf]]]) -> Homes:
    """Return for each group what holds the most of it.

    A doctor can be in a message twice, and in the Bundle twice. Both ask for the fuller
    resource then, and nothing would ask for the other, so each thing has one of its own
    where there are enough of them.

    Args:
        held: what is expected, each once, with the values that say it.
    """
    tallies: dict[Group, Tally] = {}
    units: set[Group] = set()
    for each, leaves in held:
        units.add(each.unit)
        weight = _BY_NUMBER if each.place.path.endswith("identifier.value") else 1
        for group, thing in {pair for leaf in leaves for pair in groups_of(each, leaf)}:
            tallies.setdefault(group, Counter())[thing] += weight
    homes = {group: _fullest(tally) for group, tally in tallies.items()}
    things = {group: tally for group, tally in tallies.items() if group in units}
    whole = {group: homes[group] for group in things}
    _settle(whole)
    _give_home(whole, things)
    return homes | whole


def _fullest(tally: Tally) -> set[object]:
    most = max(tally.values())
    return {thing for thing, count in tally.items() if count == most}


def _settle(homes: Homes) -> None:
    """Leave what is certainly another thing to that, where a group has a choice."""
    certain = {next(iter(home)) for home in homes.values() if len(home) == 1}
    for group, home in homes.items():
        if len(home) > 1 and home - certain:
            homes[group] = home - certain


def _give_home(homes: Homes, tallies: Mapping[Group, Tally]) -> None:
    """Let what nobody asks for be the thing it holds nearly all of.

    Only a group that shares its home can go there, and only to what holds more than
    half of what its home does.
    """
    asked = Counter(thing for home in homes.values() for thing in home)
    spare: dict[object, dict[Group, int]] = {}
    for group, tally in tallies.items():
        most = max(tally.values())
        shares = all(asked[thing] > 1 for thing in homes[group])
        for thing, count in tally.items():
            if shares and not asked[thing] and count * 2 > most:
                spare.setdefault(thing, {})[group] = most - count
    for thing, lacking in spare.items():
        least = min(lacking.values())
        for group, count in lacking.items():
            if count == least:
                homes[group] = {thing}
