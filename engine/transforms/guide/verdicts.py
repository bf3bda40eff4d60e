"""A Bundle against what the guide expects: placed, elsewhere, missing, unexplained.

Spec:
    fhir.md section 10.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.hl7 import Message, Path
from engine.hl7.escapes import decode
from engine.transforms.fhir.bindings import REQUIRED
from engine.transforms.fhir.sources import parts_of, short
from engine.transforms.guide.choices import CONSTANTS, SETTINGS, Choice, chosen
from engine.transforms.guide.expected import Expectation, expectations, places_of
from engine.transforms.guide.images import decoded, is_image, is_site_uri, squashed
from engine.transforms.guide.leaves import Leaf, leaves_of
from engine.transforms.guide.places import Place
from engine.transforms.guide.tables import Guide

_FIELD: Final = re.compile(r"[^-]+-\d+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GAPS: Final = re.compile(r"[\s/,]+|\\\.br\\")
_LONG: Final = 5


class Verdict(StrEnum):
    """What became of one component, or of one value of the Bundle."""

    PLACED = "placed"
    ELSEWHERE = "elsewhere"
    MISSING = "missing"
    NOT_MAPPED = "not mapped by the guide"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Result:
    """One verdict; ``value`` is patient data.

    ``wanted`` is where the guide wants the component, ``found`` where it is, ``row``
    the rows that say so. Of a value that nothing explains only ``found`` is known.
    """

    verdict: Verdict
    path: str = ""
    value: str = ""
    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    row: str = ""


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
    leaves = list(leaves_of(bundle))
    wanted = expectations(guide, message, structure)
    by_component: dict[tuple[str, str], list[Expectation]] = {}
    for each in wanted:
        by_component.setdefault((each.path, each.place.kind), []).append(each)
    homes = _homes(wanted, leaves)
    found = [
        result
        for alike in by_component.values()
        if (result := _judged(alike, leaves, homes, choices)) is not None
    ]
    known = places_of(guide, structure)
    mapped = {each.path.partition(".")[0] for each in wanted}
    found += _not_mapped(message, mapped, known)
    own = bool(choices)
    return [*found, *_unexplained(guide, message, leaves, wanted, own=own)]


def share_placed(results: Iterable[Result]) -> float:
    """Return the share of mapped components that are placed, 1.0 of none."""
    counted = [
        each.verdict
        for each in results
        if each.verdict in (Verdict.PLACED, Verdict.ELSEWHERE, Verdict.MISSING)
    ]
    placed = counted.count(Verdict.PLACED)
    return placed / len(counted) if counted else 1.0


def _homes(
    wanted: Sequence[Expectation], leaves: Sequence[Leaf]
) -> dict[tuple[int, str, int, int], set[int]]:
    """Return for each unit the resources that hold the most of its values."""
    by_place: dict[Place, list[Leaf]] = {}
    for leaf in leaves:
        by_place.setdefault(Place(leaf.kind, leaf.path), []).append(leaf)
    counts: dict[tuple[int, str, int, int], dict[int, int]] = {}
    for each in wanted:
        held = {
            leaf.resource
            for leaf in by_place.get(each.place, ())
            if is_image(each.value, leaf.value, each.codes)
        }
        tally = counts.setdefault(each.unit, {})
        for resource in held:
            tally[resource] = tally.get(resource, 0) + 1
    return {
        unit: {at for at, count in tally.items() if count == max(tally.values())}
        for unit, tally in counts.items()
    }


def _judged(
    alike: Sequence[Expectation],
    leaves: Sequence[Leaf],
    homes: Mapping[tuple[int, str, int, int], set[int]],
    choices: tuple[Choice, ...],
) -> Result | None:
    """Return the verdict of one component; None where the guide is not sure."""
    first = alike[0]
    holding = [
        leaf for leaf in leaves if is_image(first.value, leaf.value, first.codes)
    ]
    wanted = tuple(dict.fromkeys(each.place.text for each in alike))
    found = tuple(dict.fromkeys(leaf.numbered for leaf in holding))
    rows = "; ".join(dict.fromkeys(each.row for each in alike))
    verdict = Verdict.ELSEWHERE if holding else Verdict.MISSING
    placed = any(_is_placed(each, leaves, homes) for each in alike)
    if placed or any(_is_chosen(each, holding, choices) for each in alike):
        verdict = Verdict.PLACED
    elif not any(each.sure for each in alike):
        return None
    return Result(verdict, first.path, first.value, wanted, found, rows)


def _is_placed(
    each: Expectation,
    leaves: Sequence[Leaf],
    homes: Mapping[tuple[int, str, int, int], set[int]],
) -> bool:
    home, path = homes.get(each.unit, set()), _lenient(each.place.path)
    for leaf in leaves:
        if leaf.kind != each.place.kind or (home and leaf.resource not in home):
            continue
        below = _lenient(leaf.path)
        if path and below != path and not _is_part(below, path):
            continue
        if is_image(each.value, leaf.value, each.codes):
            return True
        if path.endswith("system") and is_site_uri(leaf.value):
            return True
    return False


def _is_part(below: str, path: str) -> bool:
    """Whether a value is part of an element; an extension only stands beside it."""
    rest = below[len(path) :]
    return below.startswith(path + ".") and not rest.startswith(".extension")


def _lenient(path: str) -> str:
    """Return a path without case, and extensions in extensions as one."""
    return path.lower().replace("extension.extension", "extension")


def _is_chosen(
    each: Expectation, holding: Sequence[Leaf], choices: tuple[Choice, ...]
) -> bool:
    """Whether a value stands where a decision of ours puts it."""
    found = _FIELD.match(each.path)
    field = re.sub(r"\[\d+\]", "", found[0]) if found else ""
    for pattern in chosen(choices, field, each.place.text):
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
    guide: Guide,
    message: Message,
    leaves: Sequence[Leaf],
    wanted: Sequence[Expectation],
    *,
    own: bool,
) -> Iterator[Result]:
    """Return the values of the Bundle that nothing accounts for.

    With ``own``, what this product writes of itself is a setting or a constant too.
    """
    values = {
        decode(part.value, message.delimiters, message.charset)
        for part in parts_of(message)
    }
    squashes = {squashed(value) for value in values}
    codes = {code for each in wanted for code in each.codes} | _constants(guide)
    for leaf in leaves:
        place = f"{leaf.kind}.{leaf.path}"
        if own and (leaf.value in CONSTANTS or SETTINGS.fullmatch(place)):
            continue
        known = leaf.value in codes or squashed(leaf.value) in squashes
        if known or is_site_uri(leaf.value) or _UUID.fullmatch(leaf.value):
            continue
        if not _is_made_of(leaf.value, values):
            yield Result(Verdict.UNEXPLAINED, value=leaf.value, found=(leaf.numbered,))


def _is_made_of(found: str, values: set[str]) -> bool:
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
    """Return the constants and FHIR codes of the tables, and the codes R4 requires."""
    rows = [
        row
        for maps in (guide.segments, guide.datatypes)
        for map_ in maps.values()
        for row in map_
    ]
    found = {row.constant.strip('"').strip() for row in rows if row.constant}
    for allowed in REQUIRED.values():
        found |= allowed
    for vocabulary in guide.vocabularies.values():
        for codes in vocabulary.values():
            found |= codes
    return found
