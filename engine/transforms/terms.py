"""The parts of a compiled expression: typed closures, and how they read a message."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from engine.hl7 import Path, Segment
from engine.hl7.path import ALL
from engine.hl7.segment import NULL
from engine.hl7.timestamps import Precision, Timestamp
from engine.transforms.scope import EditContext, Leaf, Scope, Type, Value

Evaluate = Callable[[EditContext], Value]
ReadText = Callable[[EditContext], str]
Source = Callable[[EditContext], Leaf | None]
"""Finds a leaf of the message whose text a value may be."""

MAX_TEXT: Final = 1_000_000
"""Characters in one text an expression may give."""

MAX_LIST: Final = 10_000
"""Texts in one list an expression may give."""

_NEGATIVE_ZERO: Final = re.compile(r"^-(0*\.?0*)$")


@dataclass(frozen=True, slots=True)
class Term:
    """One checked part of an expression, where it stands and what it is.

    A ``constant`` is the same for every message; ``value`` holds what a literal gives.
    ``path`` is set where the part is just an HL7 path. ``known`` is false after a
    fault, so that one fault is reported once. ``sources`` are the leaves of which the
    value tells the whole text, should it tell it: what is only compared is none.
    """

    type: Type
    evaluate: Evaluate
    offset: int
    constant: bool = False
    value: Value = None
    path: Path | None = None
    known: bool = True
    sources: tuple[Source, ...] = ()

    @property
    def literal(self) -> bool:
        """Whether the part is written out, so that its value is known now."""
        return self.value is not None


def constant(value: Value, kind: Type, offset: int) -> Term:
    """Return a part that is the same for every message."""
    return Term(kind, lambda _context: value, offset, constant=True, value=value)


def unknown(offset: int) -> Term:
    """Return the part that stands where a fault was found."""
    return Term(Type.ANY, lambda _context: None, offset, known=False)


def path_term(path: Path, scope: Scope, offset: int) -> Term:
    """Return the part that reads a path: a text, or with ``[*]`` a list."""
    if ALL in (path.occurrence, path.repetition):
        return Term(Type.LIST, _list_reader(path, scope), offset, path=path)
    read, source = text_reader(path, scope), leaf_finder(path, scope)
    return Term(Type.TEXT, read, offset, path=path, sources=(source,))


def text_reader(path: Path, scope: Scope) -> ReadText:
    """Return the function that reads one value, as fast as the path allows."""
    segment_id, field = path.segment, path.field
    component, subcomponent = path.component or 1, path.subcomponent or 1
    depth = loop_depth(path, scope)
    if depth is not None:
        looped = scope.loops[depth].field == field and not path.repetition

        def in_loop(context: EditContext) -> str:
            segment, repetition = context.loops[depth]
            number = repetition if looped and repetition else path.repetition or 1
            return segment.text(field, component, subcomponent, number)

        return in_loop
    if path.occurrence > 1 or path.repetition > 1:
        return lambda context: context.message.read(path)

    def plain(context: EditContext) -> str:
        segment = context.message.first(segment_id)
        return "" if segment is None else segment.text(field, component, subcomponent)

    return plain


def leaf_finder(path: Path, scope: Scope) -> Source:
    """Return the function that finds the leaf which `text_reader` reads."""
    depth, find = loop_depth(path, scope), segments_at(path, scope)
    field, component, subcomponent, number = path.leaf
    looped = depth is not None and scope.loops[depth].field == field
    inside = depth if looped and not path.repetition else None

    def found(context: EditContext) -> Leaf | None:
        segments = find(context)
        if not segments:
            return None
        at = number if inside is None else context.loops[inside].repetition or number
        return Leaf(segments[0], field, at, component, subcomponent)

    return found


def loop_depth(path: Path, scope: Scope) -> int | None:
    """Return which ``for-each`` a path speaks of, counted from the outer one."""
    if path.occurrence:
        return None
    for depth in range(len(scope.loops) - 1, -1, -1):
        if scope.loops[depth].segment == path.segment:
            return depth
    return None


def _list_reader(path: Path, scope: Scope) -> Evaluate:
    depth = loop_depth(path, scope)
    component, subcomponent = path.component or 1, path.subcomponent or 1
    if depth is None:
        return lambda context: context.message.values(path)[:MAX_LIST]

    def in_loop(context: EditContext) -> Value:
        found = context.loops[depth].segment.positions(path.field)[:MAX_LIST]
        return [each.text(component, subcomponent) for each in found if each.raw]

    return in_loop


def segments_at(path: Path, scope: Scope) -> Callable[[EditContext], list[Segment]]:
    """Return the function that finds the segments a path speaks of."""
    depth = loop_depth(path, scope)
    if depth is not None:
        return lambda context: [context.loops[depth].segment]
    return lambda context: context.message.find(path)


def encoded_reader(path: Path, scope: Scope) -> ReadText:
    """Return the function that reads the encoded text at a path."""
    depth = loop_depth(path, scope)
    if depth is None:
        return lambda context: context.message.encoded(path)
    looped = scope.loops[depth].field == path.field and not path.repetition

    def in_loop(context: EditContext) -> str:
        segment, repetition = context.loops[depth]
        number = repetition if looped else max(path.repetition, 0)
        return encoded_part(segment, path, number)

    return in_loop


def encoded_part(segment: Segment, path: Path, repetition: int) -> str:
    """Return the encoded text at a path in one segment; repetition 0 is all of them."""
    if not repetition and not path.component:
        return segment.raw(path.field)
    found = segment.positions(path.field)
    number = repetition or 1
    raw = found[number - 1].raw if number <= len(found) else ""
    marks = segment.delimiters
    for mark, place in (
        (marks.component, path.component),
        (marks.subcomponent, path.subcomponent),
    ):
        if place:
            parts = raw.split(mark) if mark else [raw]
            raw = parts[place - 1] if place <= len(parts) else ""
    return raw


def is_missing(raw: str, context: EditContext) -> bool:
    """Whether encoded text holds nothing: it is empty, or delimiters only."""
    marks = context.message.delimiters
    return not raw.strip(marks.component + marks.repetition + marks.subcomponent)


def is_null(raw: str) -> bool:
    """Whether encoded text is HL7 null."""
    return raw == NULL


def text_of(value: Value) -> str:
    """Return a value as HL7 writes it; ``""`` when it is missing."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return _NEGATIVE_ZERO.sub(r"\1", f"{value:f}")
    if isinstance(value, Timestamp):
        return hl7_time(value)
    return ""


def hl7_time(moment: Timestamp) -> str:
    """Return a time in HL7 form, as precise as it is.

    Examples:
        >>> hl7_time(Timestamp(Precision.DAY, 2024, 2, 1, 0, 0, 0, "", None))
        '20240201'
    """
    parts = (f"{moment.year:04}", *(f"{part:02}" for part in moment[2:7]))
    text = "".join(parts[: moment.precision])
    offset = ""
    if moment.precision >= Precision.HOUR and moment.offset_minutes is not None:
        offset = moment.offset_text.replace(":", "")
    fraction = moment.fraction if moment.precision == Precision.SECOND else ""
    return text + fraction + offset


def instant_of(moment: Timestamp, zone: tzinfo) -> datetime:
    """Return the moment in UTC; a value without offset is read in ``zone``."""
    naive = datetime(  # noqa: DTZ001 - the zone follows
        moment.year, moment.month, moment.day, moment.hour, moment.minute,
        min(moment.second, 59),
    )  # fmt: skip
    try:
        if moment.offset_minutes is not None:
            shifted = naive - timedelta(minutes=moment.offset_minutes)
            return shifted.replace(tzinfo=UTC)
        return naive.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return naive.replace(tzinfo=UTC)


def as_text(term: Term) -> Term:
    """Return the part as text, where text is wanted."""
    if term.type is Type.TEXT or not term.known:
        return term
    if term.literal:
        return constant(text_of(term.value), Type.TEXT, term.offset)
    evaluate = term.evaluate
    return Term(
        Type.TEXT,
        lambda context: text_of(evaluate(context)),
        term.offset,
        sources=term.sources,
    )
