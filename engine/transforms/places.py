"""Where in a message a step reads and writes, and what it leaves in the trace."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import TransformError
from engine.hl7 import Path, Segment
from engine.hl7.escapes import decode, encode
from engine.hl7.path import ALL
from engine.hl7.segment import NULL
from engine.transforms.expressions import Expression
from engine.transforms.scope import EditContext, Leaf, LoopItem, Scope, Value
from engine.transforms.terms import encoded_part, loop_depth, segments_at
from engine.transforms.trace import Change

_RANKS: Final = {"MSH": 0, "PID": 1, "ORC": 3, "OBR": 4, "SPM": 5, "OBX": 5}
"""Segments that begin a group; a group ends where one of a lower rank stands."""

_LOOSE: Final = 6


@dataclass(frozen=True, slots=True)
class Spot:
    """One place in one message: a segment, a repetition (0 means all), a path."""

    segment: Segment
    repetition: int
    path: Path

    @property
    def raw(self) -> str:
        """The encoded text there."""
        return encoded_part(self.segment, self.path, self.repetition)

    def put(self, raw: str) -> None:
        """Write encoded text, replacing what is at and below the path."""
        path = self.path
        place: tuple[int, ...] = ()
        if self.repetition or path.component:
            place = (max(self.repetition, 1), path.component, path.subcomponent)
        self.segment.put(path.field, raw, *filter(None, place))

    def leaves(self) -> Iterator[Leaf]:
        """Yield every leaf at or below this place, as far as the field goes."""
        field, path = self.path.field, self.path
        repetition = self.repetition or min(path.component, 1)
        asked = repetition, path.component, path.subcomponent
        for number, found in enumerate(self.segment.positions(field), 1):
            for component in range(1, found.component_count + 1):
                for below in range(1, len(found.sub(component)) + 1):
                    place = number, component, below
                    if all(a in (0, b) for a, b in zip(asked, place, strict=True)):
                        yield Leaf(self.segment, field, *place)

    def leaf(self) -> "Spot":
        """Return the first leaf at or below this place."""
        path = self.path
        number = self.repetition or 1
        mark = self.segment.delimiters.subcomponent
        component = path.component or 1
        whole = encoded_part(
            self.segment,
            Path(path.segment, field=path.field, component=component),
            number,
        )
        below = path.subcomponent or (1 if mark and mark in whole else 0)
        return Spot(
            self.segment,
            number,
            Path(
                path.segment,
                path.occurrence,
                path.field,
                path.repetition,
                component,
                below,
            ),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A path in its scope: every spot of a message it means."""

    path: Path
    scope: Scope

    def spots(self, context: EditContext) -> Iterator[Spot]:
        """Return the places the path means in the message, none where it has none."""
        path = self.path
        depth = loop_depth(path, self.scope)
        if depth is not None and self.scope.loops[depth].field == path.field:
            segment, number = context.loops[depth]
            if not path.repetition:
                yield Spot(segment, number, path)
                return
        for segment in segments_at(path, self.scope)(context):
            if path.repetition != ALL:
                yield Spot(segment, path.repetition, path)
                continue
            for number in range(1, len(segment.positions(path.field)) + 1):
                yield Spot(segment, number, path)

    def first(self, context: EditContext) -> Spot | None:
        """Return the first place the path means."""
        return next(self.spots(context), None)


def write(
    spot: Spot, raw: str, context: EditContext, line: str, note: str = ""
) -> None:
    """Write encoded text at a spot and trace it, unless it is there already."""
    before = spot.raw
    if before == raw:
        return
    spot.put(raw)
    if context.changes is not None:
        context.changes.append(Change(line, name_of(spot, context), before, raw, note))


def name_of(spot: Spot, context: EditContext) -> str:
    """Return the path of a spot with the numbers that tell it from its like."""
    path = spot.path
    alike = context.message.all(path.segment)
    occurrence = 0
    if len(alike) > 1:
        occurrence = next(
            (at for at, each in enumerate(alike, 1) if each is spot.segment), 0
        )
    many = len(spot.segment.positions(path.field)) > 1
    repetition = spot.repetition if many else 0
    return str(
        Path(
            path.segment,
            occurrence,
            path.field,
            repetition,
            path.component,
            path.subcomponent,
        )
    )


def note_absence(target: Target, context: EditContext, line: str) -> None:
    """Trace that a step had no segment to work on."""
    if context.changes is not None:
        note = f"the message has no {target.path.segment} here"
        context.changes.append(Change(line, str(target.path), "", "", note))


def map_leaves(raw: str, segment: Segment, change: Callable[[str], str]) -> str:
    """Return encoded text with every leaf changed; null and structure stay."""
    delimiters = segment.delimiters
    marks = [delimiters.repetition, delimiters.component, delimiters.subcomponent]
    return _map_parts(raw, [mark for mark in marks if mark], segment, change)


def _map_parts(
    raw: str, marks: list[str], segment: Segment, change: Callable[[str], str]
) -> str:
    if marks:
        return marks[0].join(
            _map_parts(part, marks[1:], segment, change) for part in raw.split(marks[0])
        )
    if not raw or raw == NULL:
        return raw
    text = decode(raw, segment.delimiters)
    changed = change(text)
    return raw if changed == text else encode(changed, segment.delimiters)


def cut_to_fit(raw: str, target: Path, repetition: int, segment: Segment) -> str:
    """Return encoded text cut to its first part where the target is deeper."""
    delimiters = segment.delimiters
    for mark, deeper in (
        (delimiters.repetition, repetition or target.component),
        (delimiters.component, target.component),
        (delimiters.subcomponent, target.subcomponent),
    ):
        if mark and deeper:
            raw = raw.split(mark, 1)[0]
    return raw


def settled(expression: Expression, context: EditContext) -> Value:
    """Return the value of an expression.

    Raises:
        TransformError: a code table had no row, and the channel says that is an error.
    """
    value = expression.evaluate(context)
    if context.stopping is not None:
        stop_for_miss(context)
    return value


def holds(expression: Expression | None, context: EditContext) -> bool:
    """Whether a condition is true; none at all is.

    Raises:
        TransformError: as `settled`.
    """
    return expression is None or settled(expression, context) is True


def stop_for_miss(context: EditContext) -> None:
    """Stop the message for a code that a table does not know, if one asks for it.

    Raises:
        TransformError: always, when a miss asks for it.
    """
    miss, context.stopping = context.stopping, None
    if miss is not None:
        sentence = f"no row for the code in table {miss.table}"
        raise TransformError(sentence, "table-miss", miss.label)


def group_of(item: LoopItem, context: EditContext) -> list[Segment]:
    """Return the segments that belong to one: those after it up to the next group."""
    segments = context.message.segments
    start = next((at for at, each in enumerate(segments) if each is item.segment), None)
    if start is None:
        return []
    wanted = item.segment.id
    rank = _RANKS.get(wanted, _LOOSE)
    group: list[Segment] = []
    for segment in segments[start + 1 :]:
        if segment.id == wanted or _RANKS.get(segment.id, _LOOSE) < min(rank, _LOOSE):
            break
        group.append(segment)
    return group


def begins_new_group(segment_id: str, before: str) -> bool:
    """Whether a segment starts the numbering of another kind of segment anew."""
    if segment_id == "NTE":
        return before != "NTE"
    if segment_id in ("OBR", "ORC"):
        return before in ("PID", "MSH")
    return before != segment_id and before in _RANKS
