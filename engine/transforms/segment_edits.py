"""Edit steps that add, remove, order and walk over segments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.hl7 import Message, Path, Segment
from engine.hl7.escapes import encode
from engine.transforms.carrying import note_rewritten
from engine.transforms.edits import Run, Step, Verdict, run_steps
from engine.transforms.expressions import Expression
from engine.transforms.places import (
    Spot,
    Target,
    begins_new_group,
    group_of,
    holds,
    settled,
    write,
)
from engine.transforms.scope import EditContext, LoopItem, Scope
from engine.transforms.terms import text_of
from engine.transforms.trace import Change


@dataclass(frozen=True, slots=True)
class Anchor:
    """The segment a step puts something beside: the looped one, or by message."""

    segment: str
    after: bool
    scope: Scope

    def find(self, context: EditContext) -> Segment | None:
        """Return the segment: after the last of its kind, or before the first."""
        for depth in range(len(self.scope.loops) - 1, -1, -1):
            if self.scope.loops[depth].segment == self.segment:
                looped = context.loops[depth].segment
                there = any(each is looped for each in context.message.segments)
                return looped if there else None
        alike = context.message.all(self.segment)
        return (alike[-1] if self.after else alike[0]) if alike else None


def _position(segment: Segment, message: Message) -> int:
    return next(at for at, each in enumerate(message.segments) if each is segment)


def _trace(context: EditContext, line: str, path: str, note: str) -> None:
    if context.changes is not None:
        context.changes.append(Change(line, path, "", "", note))


def add_segment(
    segment_id: str,
    anchor: Anchor | None,
    fields: Mapping[Path, Expression],
    line: str,
) -> Run:
    """Return ``add-segment``: beside its anchor, at the end where none is named."""

    def run(context: EditContext) -> None:
        message = context.message
        place = len(message.segments)
        if anchor is not None:
            beside = anchor.find(context)
            if beside is None:
                _trace(
                    context, line, segment_id, f"the message has no {anchor.segment}"
                )
                return
            place = _position(beside, message) + anchor.after
        made = message.new_segment(segment_id)
        for path, value in fields.items():
            text = text_of(settled(value, context))
            if text:
                Spot(made, 0, path).put(encode(text, message.delimiters))
        message.insert(place, made)
        _trace(context, line, segment_id, "added")

    return run


def remove_segment(segment_id: str, condition: Expression | None, line: str) -> Run:
    """Return ``remove-segment``: all of a kind, or those the condition is true for."""

    def run(context: EditContext) -> None:
        doomed = []
        for number, segment in enumerate(context.message.all(segment_id), 1):
            context.loops.append(LoopItem(segment))
            context.index = number
            if holds(condition, context):
                doomed.append(segment)
            context.loops.pop()
        for segment in doomed:
            context.message.remove(segment)
            _trace(context, line, segment_id, "removed")

    return run


def move_segment(segment_id: str, anchor: Anchor, line: str) -> Run:
    """Return ``move-segment``: all of a kind, in their order, beside the anchor."""

    def run(context: EditContext) -> None:
        message = context.message
        beside = anchor.find(context)
        moving = message.all(segment_id)
        if beside is None or not moving:
            return
        for segment in moving:
            message.remove(segment)
        place = _position(beside, message) + anchor.after
        for offset, segment in enumerate(moving):
            message.insert(place + offset, segment)
        _trace(context, line, segment_id, "moved")

    return run


def renumber(segment_id: str, line: str) -> Run:
    """Return ``renumber``: 1, 2, 3 … in field 1, anew in each group."""
    path = Path(segment_id, field=1)

    def run(context: EditContext) -> None:
        number = 0
        for segment in context.message.segments:
            if segment.id == segment_id:
                number += 1
                spot = Spot(segment, 0, path)
                note_rewritten(spot, str(number), context)
                write(spot, str(number), context, line)
            elif begins_new_group(segment_id, segment.id):
                number = 0

    return run


@dataclass(frozen=True, slots=True)
class Walk:
    """What a ``for-each`` walks over: segments, or the repetitions at a place."""

    segment: str
    repetitions: Target | None
    outer: Scope

    def items(self, context: EditContext) -> list[LoopItem]:
        """Return the items in order; an inner loop sees its outer one's group only."""
        if self.repetitions is not None:
            return [
                LoopItem(spot.segment, spot.repetition)
                for spot in self.repetitions.spots(context)
            ]
        loops = self.outer.loops
        if loops and loops[-1].segment != self.segment and context.loops:
            group = group_of(context.loops[-1], context)
            return [LoopItem(each) for each in group if each.id == self.segment]
        return [LoopItem(each) for each in context.message.all(self.segment)]


def for_each(
    walk: Walk, condition: Expression | None, steps: Sequence[Step], line: str
) -> Run:
    """Return ``for-each``: its steps once per item for which the condition is true."""

    def run(context: EditContext) -> Verdict | None:
        items = walk.items(context)
        outer = context.index
        if not items:
            _trace(
                context, line, walk.segment, f"the message has no {walk.segment} here"
            )
        for number, item in enumerate(items, 1):
            context.loops.append(item)
            context.index = number
            verdict = None
            if holds(condition, context):
                verdict = run_steps(steps, context)
            context.loops.pop()
            if verdict is not None:
                return verdict
        context.index = outer
        return None

    return run
