"""What a channel carries over itself: it is not lost, the loss report leaves it out.

A row carries a leaf of the message when the value it writes tells all of that text: as
it stands, as a time, as a code table translates it, or as the text it was found equal
to. What is joined with other text, cut, or only compared may not be there: it stays
listed. What a step of ``edit`` copies is carried where the built-in map takes the field
it is copied to.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from engine.hl7 import Segment
from engine.transforms.expressions import Expression
from engine.transforms.fhir.mapped import Entry, Mapped
from engine.transforms.fhir.paths import FhirPath
from engine.transforms.leftover import Numbers, left_over
from engine.transforms.places import Spot
from engine.transforms.scope import Carried, EditContext, Leaf, Type
from engine.transforms.trace import Lookup, Loss

_TIMES: Final = frozenset({Type.DATE, Type.DATETIME})
_TIME_MARKS: Final = str.maketrans("", "", "-:T")
_PLACE: Final = re.compile(r"([^-]+(?:-\d+)?)(?:\[(\d+)\])?(?:\.(\d+))?")
"""The path of a loss: a field, or a repetition and component of one."""


def told_by(
    expression: Expression,
    written: object,
    lookups: Sequence[Lookup],
    context: EditContext,
) -> Iterator[Leaf]:
    """Yield the leaves of the message whose whole text a written value tells.

    Args:
        expression: what gave the value.
        written: the value as it stands in the resource.
        lookups: those made for this value.
        context: of the message, in the loops in which the value was made.
    """
    for source in expression.sources:
        leaf = source(context)
        if leaf is None or not (text := leaf.text):
            continue
        if isinstance(written, bool):
            told = written
        elif expression.type in _TIMES:
            marks = _TIME_MARKS
            told = str(written).translate(marks) == text.strip().translate(marks)
        else:
            known = {each.result for each in lookups if each.code == text}
            told = str(written) in {text, text.strip()} | known
        if told:
            yield leaf


def note_copied(leaves: Iterable[Leaf], spot: Spot, context: EditContext) -> None:
    """Remember that a step wrote these leaves, and nothing else, at a spot."""
    stands = partial(_is_mapped, spot, spot.raw, context)
    context.copied += [Carried(leaf, stands) for leaf in leaves]


def note_rewritten(spot: Spot, text: str, context: EditContext) -> None:
    """Remember that a text is to stand at a spot and tells all that stood there."""
    context.rewritten += [(leaf, text) for leaf in spot.leaves()]


def _is_mapped(spot: Spot, raw: str, context: EditContext, mapped: Mapped) -> bool:
    """Whether a spot is as a step left it, and nothing of its field is lost."""
    place = path_of(context.message.segments, spot.segment, spot.path.field)
    fields = {field_of(loss.path) for loss in mapped.losses}
    return bool(raw) and spot.raw == raw and place not in fields | {""}


def is_told(entry: Entry, path: FhirPath, value: object, mapped: Mapped) -> bool:
    """Whether a resource is still there and has a value at the element of a path."""
    names = [step.name for step in path.steps]
    return any(entry is each for each in mapped.entries) and value in _values(
        entry.resource, names
    )


def _values(node: object, names: Sequence[str]) -> Iterator[object]:
    """Yield what stands at an element, wherever lists on the way have it."""
    if isinstance(node, list):
        for item in node:
            yield from _values(item, names)
    elif not names:
        yield node
    elif isinstance(node, dict) and names[0] in node:
        yield from _values(node[names[0]], names[1:])


def settle(mapped: Mapped, context: EditContext) -> None:
    """Leave out of the losses what rows carried, then what steps copied and is mapped.

    Of a field that is carried in part the rest is listed by component.
    """
    for carried in (context.carried, context.copied):
        told: dict[str, tuple[Segment, int, set[Numbers]]] = {}
        for leaf, stands in carried:
            place = path_of(context.message.segments, leaf.segment, leaf.field)
            if place and stands(mapped):
                known = told.setdefault(place, (leaf.segment, leaf.field, set()))
                known[2].add(leaf[2:])
        if told:
            left = [each for loss in mapped.losses for each in _without(loss, told)]
            mapped.losses = list(dict.fromkeys(left))


def path_of(segments: Iterable[Segment], segment: Segment, field: int) -> str:
    """Return the path of a field as the losses write it, ``""`` when it is gone."""
    alike = [each for each in segments if each.id == segment.id]
    number = next((at for at, each in enumerate(alike, 1) if each is segment), 0)
    count = f"[{number}]" if number > 1 else ""
    return f"{segment.id}{count}-{field}" if number else ""


def field_of(path: str) -> str:
    """Return the field a loss is of: ``ZAL[2]-3`` of ``ZAL[2]-3[4].1``."""
    return _PLACE.match(path)[1]  # type: ignore[index]


def _without(
    loss: Loss, told: Mapping[str, tuple[Segment, int, set[Numbers]]]
) -> Iterator[Loss]:
    place, *numbers = _PLACE.match(loss.path).groups()  # type: ignore[union-attr]
    if place in told:
        repetition, component = (int(number or 0) for number in numbers)
        yield from _left(loss, place, (repetition, component), *told[place])
    else:
        yield loss


def _left(
    loss: Loss,
    place: str,
    asked: tuple[int, int],
    segment: Segment,
    field: int,
    told: set[Numbers],
) -> Iterator[Loss]:
    """Yield a loss of a field, or of one place in it, without what is told."""
    many = len(segment.positions(field)) > 1
    for number, at in left_over(segment, field, told):
        if asked[0] in (0, number) and asked[1] in (0, at):
            path = f"{place}{f'[{number}]' if many else ''}.{at}"
            yield replace(loss, path=path)
