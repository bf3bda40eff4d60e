"""What rows of ``map`` take away of the built-in map's values: its fields are lost.

The map keeps no record of what it reads. Where rows took a value out or wrote over it,
parts of the message are exchanged, many at once, then fewer, and the message is mapped
again: a part that changes nothing but what is gone is lost. That costs some tens of
mappings; what was found is remembered for messages of the same shape, and one mapping
tells whether it holds for the next of them too.

Spec:
    fhir.md section 8, ``channel-rule``.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias, TypeVar

from engine.errors import EngineError
from engine.hl7 import Message
from engine.transforms.fhir.mapped import Element, Entry, Mapped
from engine.transforms.fhir.sources import (
    Part,
    Spot,
    Traced,
    another,
    field_path,
    leaves_of,
    parts_of,
)
from engine.transforms.trace import CHANNEL_RULE, Loss

Make: TypeAlias = Callable[[Message], Mapped]
"""The built-in map, with all it knows beside the message."""
Before: TypeAlias = Sequence[tuple[Entry, Element]]
"""The entries as the built-in map made them: what rows change is a copy."""

Item = TypeVar("Item")

_MOST: Final = 512
_REMEMBERED: Final[OrderedDict[object, tuple[frozenset[int], set[Spot]]]] = (
    OrderedDict()
)
"""By shape the numbers of the lost parts, and all that exchanging them changes."""

_PATIENCE: Final = 50
"""So often parts of one kind are told from one another; then all of them are listed."""

_NUMBER: Final = re.compile(r"\[\d+\]")


def overruled(
    before: Before, mapped: Mapped, message: Message, make: Make
) -> list[Loss]:
    """Return what of the message is in the resources no more since rows changed them.

    A field of which nothing is left is listed whole, else its components are.

    Args:
        before: the entries before the rows, each with its resource then.
        mapped: what the rows left.
        message: as it was mapped.
        make: maps it again, without rows.
    """
    gone = set(_gone(before, mapped))
    if not gone:
        return []
    search = _Search(before, gone, message, make)
    shape = (*((part.segment, part.path) for part in search.parts), frozenset(gone))
    known = _REMEMBERED.get(shape)
    if known is None or search.differing(known[0]) != known[1]:
        lost = frozenset(search.lost())
        known = _REMEMBERED[shape] = lost, search.differing(lost)
        if len(_REMEMBERED) > _MOST:
            _REMEMBERED.popitem(last=False)
    return list(_losses(known[0], search.parts))


def _gone(before: Before, mapped: Mapped) -> Iterator[Spot]:
    """Yield the values that were there and are not, wherever in its list each stood."""
    now = {id(entry): entry.resource for entry in mapped.entries}
    for number, (entry, old) in enumerate(before):
        new = now.get(id(entry), {})
        if new is old:
            continue
        left = Counter(map(_unnumbered, leaves_of(new).items()))
        for place, value in leaves_of(old).items():
            name = _unnumbered((place, value))
            left[name] -= 1
            if left[name] < 0 and not _is_key(entry, value):
                yield number, place


def _unnumbered(leaf: tuple[str, str]) -> tuple[str, str]:
    """Return place and value without the numbers, which a removal shifts."""
    return _NUMBER.sub("", leaf[0]), leaf[1]


def _is_key(entry: Entry, value: str) -> bool:
    """Whether a value is a hash: it depends on fields and tells none of them."""
    return value.startswith("urn:uuid:") or entry.full_url.endswith(value)


class _Search:
    """One message in its parts, and the values of its resources that are gone."""

    def __init__(
        self, before: Before, gone: set[Spot], message: Message, make: Make
    ) -> None:
        entries = [entry for entry, _ in before]
        leaves = [leaves_of(resource) for _, resource in before]
        self.parts = list(parts_of(message))
        self._traced = Traced(Mapped(entries=entries), leaves, {})
        self._gone = gone
        self._message = message
        self._make = make
        self._patience = _PATIENCE

    def differing(self, numbers: Iterable[int]) -> set[Spot]:
        """Return the values that are others when these parts are, keys left aside."""
        twin = self._message.copy()
        for number in numbers:
            part = self.parts[number]
            part.write(twin, another(part.value))
        leaves, entries = self._traced.leaves, self._traced.mapped.entries
        try:
            found = self._traced.differing(self._make(twin))
        except EngineError:  # no event the map knows: anything may depend on it
            found = {(at, each) for at, every in enumerate(leaves) for each in every}
        return {
            (number, place)
            for number, place in found
            if not _is_key(entries[number], leaves[number][place])
        }

    def lost(self) -> Iterator[int]:
        """Yield the numbers of the parts of which nothing is left.

        They change what is gone and nothing else; and so does, or changes nothing at
        all, what else stands in the same fields.
        """
        found = set(self._sole(self._by_kind(range(len(self.parts)))))
        yield from found
        touched = {_field(self.parts[number]) for number in found}
        others = [
            number
            for number, part in enumerate(self.parts)
            if _field(part) in touched and number not in found
        ]
        for group in self._by_kind(others):
            if self.differing(group) <= self._gone:
                yield from group

    def _by_kind(self, numbers: Iterable[int]) -> list[list[int]]:
        """Return parts in groups: a component of a field in all segments of an id."""
        found: dict[object, list[int]] = {}
        for number in numbers:
            path = self.parts[number].path
            kind = path.segment, path.field, path.component, path.subcomponent
            found.setdefault(kind, []).append(number)
        return list(found.values())

    def _sole(self, groups: Sequence[Sequence[int]]) -> Iterator[int]:
        """Yield the parts in groups of a kind that change nothing but what is gone."""
        changed = self.differing(number for group in groups for number in group)
        if not changed & self._gone:
            return
        if len(groups) > 1:
            for half in _halves(groups):
                yield from self._sole(half)
        elif changed <= self._gone:
            yield from groups[0]
        elif len(groups[0]) > 1:
            self._patience -= 1
            if self._patience < 0:
                yield from groups[0]
                return
            for part in _halves(groups[0]):
                yield from self._sole([part])


def _halves(found: Sequence[Item]) -> Iterator[Sequence[Item]]:
    middle = len(found) // 2
    yield found[:middle]
    yield found[middle:]


def _losses(numbers: AbstractSet[int], parts: Sequence[Part]) -> Iterator[Loss]:
    """Yield a loss for each field of which nothing is left, else for each component."""
    fields: dict[tuple[int, int], list[int]] = {}
    for number, part in enumerate(parts):
        fields.setdefault(_field(part), []).append(number)
    for members in fields.values():
        lost = [parts[number] for number in members if number in numbers]
        if len(lost) == len(members):
            yield Loss(field_path(lost[0].path), CHANNEL_RULE)
            continue
        many = any(parts[number].path.repetition > 1 for number in members)
        for part in lost:
            repetition = f"[{part.path.repetition}]" if many else ""
            place = f"{field_path(part.path)}{repetition}.{part.path.component}"
            yield Loss(place, CHANNEL_RULE, part.value)


def _field(part: Part) -> tuple[int, int]:
    return part.segment, part.path.field
