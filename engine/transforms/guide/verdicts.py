"""A Bundle against what the guide expects: placed, elsewhere, missing, unexplained.

Spec:
    fhir.md section 10.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.hl7 import Message, Path
from engine.hl7.escapes import decode
from engine.transforms.fhir.sources import parts_of, short
from engine.transforms.fhir.times import offset_of
from engine.transforms.guide.choices import CONSTANTS, SETTINGS, Choice, chosen
from engine.transforms.guide.expected import Expectation, expectations, places_of
from engine.transforms.guide.fitness import bound, fits, lacks_zone
from engine.transforms.guide.hollow import hollow
from engine.transforms.guide.homes import Homes, groups_of, homes_of
from engine.transforms.guide.images import decoded, is_image, is_site_uri, squashed
from engine.transforms.guide.leaves import Leaf, leaves_of
from engine.transforms.guide.places import Place
from engine.transforms.guide.result import COMPLAINTS, Result, Verdict
from engine.transforms.guide.tables import Guide

__all__ = ["COMPLAINTS", "Result", "Verdict"]

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GAPS: Final = re.compile(r"[\s/,<>=^-]+|\\\.br\\")
_LONG: Final = 5
_CODING: Final = re.compile(r"(.+)\.coding\[\d+\]\.code")


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the guide expects of one message, to judge any number of Bundles by.

    ``values`` are the message's own, ``codes`` what the tables and R4 may put for them.
    """

    wanted: Sequence[Expectation]
    not_mapped: Sequence[Result]
    values: frozenset[str]
    codes: frozenset[str]


def yardstick(guide: Guide, message: Message, structure: str) -> Yardstick:
    """Return what the maps of a message structure expect of a message."""
    wanted = expectations(guide, message, structure)
    if not offset_of(message.segments[0].text(7)):  # no zone, no instant (T02)
        wanted = [
            replace(each, sure=each.sure and not lacks_zone(each.place, each.value))
            for each in wanted
        ]
    mapped = {each.path.partition(".")[0] for each in wanted}
    values = frozenset(
        decode(part.value, message.delimiters, message.charset)
        for part in parts_of(message)
    )
    return Yardstick(
        wanted,
        list(_not_mapped(message, mapped, places_of(guide, structure))),
        values,
        frozenset(code for each in wanted for code in each.codes) | _constants(guide),
    )


def check_transform(
    guide: Guide,
    message: Message,
    structure: str,
    bundle: Mapping[str, object],
    choices: tuple[Choice, ...] = (),
) -> list[Result]:
    """Return the verdict of every component of a message and value of its Bundle.

    Args:
        guide: the tables.
        message: what was received.
        structure: message structure whose maps count.
        bundle: any engine's Bundle of it, JSON-ready.
        choices: decisions that count as well, `choices.CHOICES`; none for the guide
            alone.
    """
    return judge(yardstick(guide, message, structure), bundle, choices)


def judge(
    by: Yardstick, bundle: Mapping[str, object], choices: tuple[Choice, ...] = ()
) -> list[Result]:
    """Return the verdicts on one Bundle, see `check_transform`.

    A component that the guide wants at two places is looked for at both.
    """
    leaves = _Leaves(leaves_of(bundle))
    once = {(each.path, each.place.text, each.unit): each for each in by.wanted}
    homes = homes_of((each, leaves.at(each)) for each in once.values())
    places: dict[tuple[str, str], list[Expectation]] = {}
    for each in by.wanted:
        places.setdefault((each.path, each.place.text), []).append(each)
    taken = {
        (each.unit, each.place)
        for each in by.wanted
        if each.place.is_single and _is_placed(each, leaves, homes)
    }
    found = [
        result
        if (result.verdict not in COMPLAINTS or not _is_full(alike, taken))
        else replace(result, verdict=Verdict.UNFIT)
        for alike in places.values()
        if (result := _judged(alike, leaves, homes, choices)) is not None
    ]
    unexplained = _unexplained(by, leaves.all, own=bool(choices))
    return [*found, *by.not_mapped, *unexplained, *hollow(bundle)]


def share_placed(results: Iterable[Result]) -> float:
    """Return the share of mapped components that are placed, 1.0 of none."""
    counted = [
        each.verdict
        for each in results
        if each.verdict in (Verdict.PLACED, Verdict.ELSEWHERE, Verdict.MISSING)
    ]
    placed = counted.count(Verdict.PLACED)
    return placed / len(counted) if counted else 1.0


class _Leaves:
    """The values of a Bundle, findable by type and path."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self.all = list(leaves)
        self._below: dict[tuple[str, str], list[Leaf]] = {}
        for leaf in self.all:
            path = _lenient(leaf.path)
            self._below.setdefault((leaf.kind, ""), []).append(leaf)
            for end in [at for at, sign in enumerate(path) if sign == "."]:
                if not path[end:].startswith(".extension"):
                    self._below.setdefault((leaf.kind, path[:end]), []).append(leaf)
            self._below.setdefault((leaf.kind, path), []).append(leaf)

    def at(self, each: Expectation) -> list[Leaf]:
        """Return the values at a place that say what a component says."""
        path = _lenient(each.place.path)
        return [
            leaf
            for leaf in self._below.get((each.place.kind, path), ())
            if is_image(each.value, leaf.value, each.codes, path=path)
        ]

    def holding(self, each: Expectation) -> list[Leaf]:
        """Return the values anywhere that say what a component says."""
        return [
            leaf for leaf in self.all if is_image(each.value, leaf.value, each.codes)
        ]


def _judged(
    alike: Sequence[Expectation],
    leaves: _Leaves,
    homes: Homes,
    choices: tuple[Choice, ...],
) -> Result | None:
    """Return the verdict of one component at one place; None where nobody is sure."""
    first = alike[0]
    rows = "; ".join(dict.fromkeys(each.row for each in alike))
    wanted: tuple[str, ...] = (first.place.text,)
    if any(_is_placed(each, leaves, homes) for each in alike):
        return Result(Verdict.PLACED, first.path, first.value, wanted, (), rows)
    holding = leaves.holding(first)
    found = tuple(dict.fromkeys(leaf.numbered for leaf in holding))
    if any(_is_chosen(each, holding, choices) for each in alike):
        verdict = Verdict.PLACED
    elif not any(each.sure for each in alike):
        return None
    elif not any(_fits(each) for each in alike):
        verdict = Verdict.UNFIT
    else:
        verdict = Verdict.ELSEWHERE if holding else Verdict.MISSING
    return Result(verdict, first.path, first.value, wanted, found, rows)


def _is_full(
    alike: Sequence[Expectation], taken: Container[tuple[object, Place]]
) -> bool:
    """Whether another component has the only element there is for these."""
    return all((each.unit, each.place) in taken for each in alike)


def _fits(each: Expectation) -> bool:
    return fits(each.place, each.value, each.codes)


def _is_placed(each: Expectation, leaves: _Leaves, homes: Homes) -> bool:
    return any(
        all(
            thing in homes.get(group, (thing,))
            for group, thing in groups_of(each, leaf)
        )
        for leaf in leaves.at(each)
    )


def _lenient(path: str) -> str:
    """Return a path without case, and extensions in extensions as one."""
    return path.lower().replace("extension.extension", "extension")


def _is_chosen(
    each: Expectation, holding: Sequence[Leaf], choices: tuple[Choice, ...]
) -> bool:
    """Whether a value stands where a decision of ours puts it."""
    path = re.sub(r"\[\d+\]", "", each.path)
    for pattern in chosen(choices, path, each.place.text):
        allowed = re.compile(pattern)
        if not pattern or any(
            allowed.fullmatch(f"{leaf.kind}.{leaf.path}") for leaf in holding
        ):
            return True
    return False


def _not_mapped(
    message: Message, mapped: set[str], known: set[str]
) -> Iterator[Result]:
    """Return the populated components that no row of the guide takes."""
    for part in parts_of(message):
        path = part.path
        above = Path(path.segment, path.occurrence, path.field, path.repetition)
        if str(short(above)) not in mapped:
            reason = (
                "" if path.segment in known else "the structure has no such segment"
            )
            yield Result(Verdict.NOT_MAPPED, str(short(path)), part.value, row=reason)


def _unexplained(
    by: Yardstick, leaves: Sequence[Leaf], *, own: bool
) -> Iterator[Result]:
    """Return the values of the Bundle that nothing accounts for.

    With ``own``, what this product writes of itself is a setting or a constant too.
    """
    squashes = {squashed(value) for value in by.values}
    astray = _astray(by.wanted, leaves)
    for leaf in leaves:
        place = f"{leaf.kind}.{leaf.path}"
        if own and (leaf.value in CONSTANTS or SETTINGS.fullmatch(place)):
            continue
        known = leaf.value in by.codes or squashed(leaf.value) in squashes
        known = known or leaf.value in bound(Place(leaf.kind, leaf.path))
        known = known or _is_key(leaf) or _is_made_of(leaf.value, by.values)
        if known and (leaf.resource, leaf.numbered) not in astray:
            continue
        yield Result(Verdict.UNEXPLAINED, value=leaf.value, found=(leaf.numbered,))


def _astray(
    wanted: Sequence[Expectation], leaves: Sequence[Leaf]
) -> set[tuple[object, str]]:
    """Return the one-letter codes that say otherwise than their concept.

    That some field has the same letter explains nothing, where the guide wants another
    code in this concept and finds it beside.
    """
    said: dict[str, list[Expectation]] = {}
    for each in wanted:
        said.setdefault(each.place.text, []).append(each)
    concepts: dict[tuple[object, str], dict[str, bool]] = {}
    for leaf in leaves:
        concept = _CODING.fullmatch(leaf.numbered)
        if concept and (here := said.get(f"{leaf.kind}.{leaf.path}")):
            is_said = len(leaf.value) > 1 or any(
                is_image(each.value, leaf.value, each.codes) for each in here
            )
            found = concepts.setdefault((leaf.resource, concept[1]), {})
            found[leaf.numbered] = is_said
    return {
        (resource, place)
        for (resource, _), found in concepts.items()
        if any(found.values())
        for place, is_said in found.items()
        if not is_said
    }


def _is_key(leaf: Leaf) -> bool:
    """Whether a leaf names a system, or a thing by a key made for it."""
    if leaf.path.endswith(("system", "valueUri", ".url", "endpoint")) and is_site_uri(
        leaf.value
    ):
        return True
    return _UUID.fullmatch(leaf.value) is not None


def _is_made_of(found: str, values: frozenset[str]) -> bool:
    """Whether a leaf is an image of one component, or several of them put together."""
    if any(is_image(each, found) for each in values):
        return True
    words = {squashed(word) for each in values for word in _GAPS.split(each)}
    whole = squashed(" ".join(values))
    return all(
        word in words or (len(word) >= _LONG and word in whole)
        for word in map(squashed, _GAPS.split(decoded(found)))
    )


def _constants(guide: Guide) -> set[str]:
    """Return the constants of the tables."""
    rows = [
        row
        for maps in (guide.segments, guide.datatypes)
        for map_ in maps.values()
        for row in map_
    ]
    return {row.constant.strip('"').strip() for row in rows if row.constant}
