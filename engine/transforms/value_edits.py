"""Edit steps that write values: set, copy, trim, translate and their relatives."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from engine.hl7 import Path
from engine.hl7.escapes import decode, encode
from engine.hl7.segment import NULL
from engine.transforms.calendar_functions import Reading, in_zone, shown
from engine.transforms.carrying import note_copied, note_rewritten, told_by
from engine.transforms.code_tables import CodeTable, MissPolicy, OnMissing
from engine.transforms.edits import Run
from engine.transforms.expressions import Expression
from engine.transforms.message_functions import looker
from engine.transforms.pattern_functions import Pattern, substituted, writable
from engine.transforms.places import (
    Spot,
    Target,
    cut_to_fit,
    holds,
    map_leaves,
    note_absence,
    settled,
    stop_for_miss,
    write,
)
from engine.transforms.scope import EditContext, LoopItem, Scope
from engine.transforms.terms import text_of

_CASES: Final[Mapping[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
}


def each_spot(
    target: Target, line: str, change: Callable[[Spot, EditContext], str]
) -> Run:
    """Return a step that writes, at every place of a path, what ``change`` gives."""

    def run(context: EditContext) -> None:
        spots = list(target.spots(context))
        if not spots:
            note_absence(target, context, line)
        for spot in spots:
            write(spot, change(spot, context), context, line)

    return run


def set_value(target: Target, value: Expression, line: str) -> Run:
    """Return ``set``: one value, replacing what is at and below the path."""

    def run(context: EditContext) -> None:
        before = len(context.lookups)
        text = text_of(settled(value, context))
        spots = list(target.spots(context))
        if not spots:
            note_absence(target, context, line)
        for spot in spots:
            write(spot, encode(text, spot.segment.delimiters), context, line)
        if spots:
            told = told_by(value, text, context.lookups[before:], context)
            note_copied(told, spots[0], context)

    return run


def copy(source: Target, target: Target, line: str, *, moves: bool) -> Run:
    """Return ``copy`` or ``move``: structure, repetitions and null go along."""

    def run(context: EditContext) -> None:
        found = source.first(context)
        if found is None:
            note_absence(source, context, line)
            return
        raw = found.raw
        if source.path.segment == "MSH" and source.path.field in (1, 2):
            raw = encode(raw, found.segment.delimiters)
        spots = list(target.spots(context))
        if not spots:
            note_absence(target, context, line)
        for spot in spots:
            fitting = cut_to_fit(raw, spot.path, spot.repetition, spot.segment)
            write(spot, fitting, context, line)
        if spots and spots[0].raw == raw:
            note_copied(found.leaves(), spots[0], context)
        if moves and spots:
            write(found, "", context, line)

    return run


def put_raw(target: Target, raw: str, line: str) -> Run:
    """Return ``clear`` (empty) or ``set-null``."""
    return each_spot(target, line, lambda _spot, _context: raw)


def append(
    target: Target, parts: Mapping[int, Expression], line: str, *, whole: bool
) -> Run:
    """Return ``append``: one more repetition, from one value or from components."""

    def run(context: EditContext) -> None:
        texts = {
            number: text_of(settled(part, context)) for number, part in parts.items()
        }
        spots = list(target.spots(context))
        if not spots:
            note_absence(target, context, line)
        for spot in spots:
            marks = spot.segment.delimiters
            encoded = {at: encode(text, marks) for at, text in texts.items()}
            last = max(encoded)
            added = marks.component.join(
                encoded.get(number, "") for number in range(1, last + 1)
            )
            raw = encoded[1] if whole else added
            before = Spot(
                spot.segment, 0, Path(spot.path.segment, field=spot.path.field)
            )
            joined = before.raw + marks.repetition + raw if before.raw else raw
            write(before, joined, context, line)

    return run


def keep_repetitions(target: Target, condition: Expression, line: str) -> Run:
    """Return ``keep-repetitions``: those for which the condition is false go."""

    def run(context: EditContext) -> None:
        for spot in list(target.spots(context)):
            found = spot.segment.positions(spot.path.field)
            kept = []
            for number, repetition in enumerate(found, 1):
                context.loops.append(LoopItem(spot.segment, number))
                context.index = number
                if holds(condition, context):
                    kept.append(repetition.raw)
                context.loops.pop()
            mark = spot.segment.delimiters.repetition
            write(spot, mark.join(kept), context, line)

    return run


def change_leaves(
    targets: Sequence[Target], change: Callable[[str], str], line: str
) -> Run:
    """Return a step that changes every leaf at and below its paths."""

    def run(context: EditContext) -> None:
        for target in targets:
            for spot in target.spots(context):
                changed = map_leaves(spot.raw, spot.segment, change)
                write(spot, changed, context, line)

    return run


def case_of(word: str) -> Callable[[str], str]:
    """Return what ``case`` does for ``upper``, ``lower`` or ``title``."""
    return _CASES[word]


def replacing(find: str, with_: str, pattern: Pattern | None) -> Callable[[str], str]:
    """Return what ``replace`` does: literally, or by an RE2 pattern."""
    if pattern is None:
        return lambda text: text.replace(find, with_)

    def change(text: str) -> str:
        found = substituted(pattern, with_, writable(text))
        return text if found is None else found

    return change


def change_leaf(
    target: Target, change: Callable[[str], str], line: str, note: str = ""
) -> Run:
    """Return a step that changes the first leaf at each place of its path.

    What it writes tells what was there, unless there is a ``note`` that it is cut.
    """

    def run(context: EditContext) -> None:
        for spot in [each.leaf() for each in target.spots(context)]:
            raw = spot.raw
            if raw and raw != NULL:
                text = decode(raw, spot.segment.delimiters, context.message.charset)
                changed = change(text)
                if changed != text:
                    if not note:
                        note_rewritten(spot, changed, context)
                    encoded = encode(changed, spot.segment.delimiters)
                    write(spot, encoded, context, line, note)

    return run


def split(target: Target, separator: str, into: Sequence[Target], line: str) -> Run:
    """Return ``split``: one text into several places, the rest into the last."""

    def run(context: EditContext) -> None:
        found = target.first(context)
        if found is None:
            note_absence(target, context, line)
            return
        leaf = found.leaf()
        text = decode(leaf.raw, leaf.segment.delimiters, context.message.charset)
        parts = text.split(separator, len(into) - 1)
        for place, part in zip(into, parts, strict=False):
            for spot in place.spots(context):
                write(spot, encode(part, spot.segment.delimiters), context, line)

    return run


def join(sources: Sequence[Target], separator: str, into: Target, line: str) -> Run:
    """Return ``join``: several texts into one place, missing ones left out."""

    def run(context: EditContext) -> None:
        texts = []
        for source in sources:
            for spot in source.spots(context):
                leaf = spot.leaf()
                if leaf.raw and leaf.raw != NULL:
                    marks = leaf.segment.delimiters
                    texts.append(decode(leaf.raw, marks, context.message.charset))
        for spot in into.spots(context):
            joined = encode(separator.join(texts), spot.segment.delimiters)
            write(spot, joined, context, line)

    return run


def format_date(
    target: Target, read: Reading, pattern: str, zone: ZoneInfo | None, line: str
) -> Run:
    """Return ``format-date``: what cannot be read stays, with a note."""

    def run(context: EditContext) -> None:
        def change(text: str) -> str:
            moment = read(text.strip())
            if moment is not None and zone is not None:
                moment = in_zone(moment, zone, context.zone)
            found = None if moment is None else shown(moment, pattern)
            if found is None:
                context.notes.append("format-date could not read its value")
                return text
            return found

        change_leaf(target, change, line)(context)

    return run


def translate(target: Target, table: CodeTable, column: str, scope: Scope) -> Run:
    """Return ``translate``: a code table lookup in place."""
    look = looker(table, column, scope)
    policy: MissPolicy = scope.policy or table.on_missing
    note = f"table {table.name}"

    def run(context: EditContext) -> None:
        for spot in [each.leaf() for each in target.spots(context)]:
            marks = spot.segment.delimiters
            if not spot.raw or spot.raw == NULL:
                continue
            code = decode(spot.raw, marks, context.message.charset)
            result = look(code, context)
            if context.stopping is not None:
                stop_for_miss(context)
            if result != code or policy.kind is OnMissing.EMPTY:
                note_rewritten(spot, result, context)
                write(spot, encode(result, marks), context, scope.line, note)

    return run


def redact(targets: Sequence[Target], how: str, line: str) -> Run:
    """Return ``redact``: remove, mask, or replace by a pseudonym where one is given.

    Without a way to make pseudonyms that nobody can reverse, the value is removed.
    """

    def run(context: EditContext) -> None:
        change = {"mask": masked, "pseudonym": context.pseudonym}.get(how)
        for target in targets:
            for spot in target.spots(context):
                raw = map_leaves(spot.raw, spot.segment, change) if change else ""
                write(spot, raw, context, line, "redacted")

    return run


def masked(text: str) -> str:
    """Return the text with every letter ``X`` and every digit ``0``."""
    return "".join(
        "0" if letter.isdigit() else "X" if letter.isalpha() else letter
        for letter in text
    )
