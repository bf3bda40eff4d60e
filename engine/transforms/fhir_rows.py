"""Rows of ``map``: what a site changes in the resources of the built-in map.

Spec:
    channel-format.md 6.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Final

from engine.errors import TransformError
from engine.hl7 import Message, Segment
from engine.hl7.timestamps import Precision, Timestamp
from engine.transforms.carrying import is_told, settle, told_by
from engine.transforms.expressions import Expression
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.keys import criteria, key, own_system
from engine.transforms.fhir.mapped import Element, Entry, Mapped
from engine.transforms.fhir.paths import FhirPath, remove, write
from engine.transforms.map_steps import offered, take_back
from engine.transforms.overruled import Make, overruled
from engine.transforms.places import holds, settled
from engine.transforms.scope import (
    Carried,
    EditContext,
    LoopItem,
    PythonCall,
    Type,
    Value,
)
from engine.transforms.taking_out import leave
from engine.transforms.trace import Change

Run = Callable[[Mapped, EditContext], None]
Source = Expression | str
"""What a row writes: an expression, or the text after ``value``."""

_NUMBERS: Final = frozenset({"integer", "positiveInt", "unsignedInt"})
_TIMES: Final = frozenset({"dateTime", "instant"})


@dataclass(frozen=True, slots=True)
class MapRow:
    """One compiled row; ``run`` changes the mapped resources in place."""

    name: str
    line: str
    run: Run = field(repr=False, compare=False)
    when: Expression | None = None


def run_rows(
    rows: Sequence[MapRow],
    mapped: Mapped,
    context: EditContext,
    make: Make | None = None,
) -> None:
    """Run rows in order over the resources of one message.

    Args:
        rows: of the channel.
        mapped: what the built-in map made; changed in place.
        context: of the message.
        make: the built-in map, to list what of the message the rows take out again;
            None where nobody looks at the losses.

    Raises:
        TransformError: a row could not write what it says.
    """
    if rows:
        before = [(entry, entry.resource) for entry in mapped.entries]
        context.reference = _references(mapped, context)
        _run(rows, mapped, context)
        if make is not None:
            listed = {loss.path for loss in mapped.losses}
            found = overruled(before, mapped, context.message, make)
            mapped.losses += [loss for loss in found if loss.path not in listed]
    settle(mapped, context)


def _run(rows: Sequence[MapRow], mapped: Mapped, context: EditContext) -> None:
    for row in rows:
        if holds(row.when, context):
            row.run(mapped, context)


def misfit(path: FhirPath, given: Type) -> str:
    """Return why an expression's type cannot stand at a path, or ``""``."""
    name = path.steps[-1].name if path.steps else path.type
    if path.leaf == "boolean" and given not in (Type.BOOLEAN, Type.ANY):
        return f"{name} needs true or false, the expression gives {given}"
    if path.leaf == "Reference" and given not in (Type.REFERENCE, Type.ANY):
        return f"{name} needs reference(...), the expression gives {given}"
    if path.leaf in _NUMBERS | {"decimal"} and given in (Type.BOOLEAN, Type.LIST):
        return f"{name} needs a number, the expression gives {given}"
    if path.leaf[:1].isupper() and path.leaf != "Reference":
        return f"{name} is of type {path.leaf}: write one of its elements"
    return ""


def set_row(line: str, path: FhirPath, source: Source) -> MapRow:
    """Return a row that writes one element of every resource it means."""
    return MapRow("set", line, _writer(Writing(line, path, source)))


def append_row(line: str, path: FhirPath, source: Source) -> MapRow:
    """Return a row that adds to a repeating element."""
    return MapRow("append", line, _writer(Writing(line, path, source, append=True)))


def remove_row(line: str, path: FhirPath) -> MapRow:
    """Return a row that drops an element, or all resources of a type.

    With a resource goes what refers to it.
    """

    def run(mapped: Mapped, context: EditContext) -> None:
        chosen = _chosen(mapped, path.type, context)
        if chosen:
            _note(context, line, path.names, "", "removed")
        if not path.steps:
            dropped = {id(entry) for entry in chosen}
            leave(mapped, [one for one in mapped.entries if id(one) not in dropped])
            return
        for entry in chosen:
            remove(mapped.own(entry), path)

    return MapRow("remove", line, run)


def add_row(
    line: str,
    kind: str,
    fields: Sequence[tuple[FhirPath, Source]],
    site: str,
    name: str = "",
) -> MapRow:
    """Return a row that adds a resource; its identity follows message and name.

    A row that moves in its file makes the same resource again. ``name`` is what
    ``reference(type, name)`` of later rows calls it.
    """
    writings = [Writing(line, path, source) for path, source in fields]

    def run(mapped: Mapped, context: EditContext) -> None:
        resource: Element = {"resourceType": kind}
        system, number = own_system(site), _name_of(context, kind, name)
        url = "urn:uuid:" + key(site, kind, system, number)
        query, position = criteria(system, number), _position(context)
        made = Entry(resource, url, "PUT", query, position)
        made.owned = True
        for writing in writings:
            writing.put(mapped, made, context)
        known = resource.setdefault("identifier", [])
        if isinstance(known, list):
            known.append({"system": system, "value": number})
        mapped.entries.append(made)
        if name:
            context.named[kind, name] = made.reference

    return MapRow("add", line, run)


def for_each_row(line: str, segment_id: str, rows: Sequence[MapRow]) -> MapRow:
    """Return a row that runs others once for each segment of a kind."""

    def run(mapped: Mapped, context: EditContext) -> None:
        outer = context.index
        for index, segment in enumerate(context.message.all(segment_id), 1):
            context.loops.append(LoopItem(segment))
            context.index = index
            _run(rows, mapped, context)
            context.loops.pop()
        context.index = outer

    return MapRow("for-each", line, run)


def choose_row(
    line: str, branches: Sequence[tuple[Expression | None, Sequence[MapRow]]]
) -> MapRow:
    """Return a row that runs the first branch whose condition is true."""

    def run(mapped: Mapped, context: EditContext) -> None:
        for when, rows in branches:
            if holds(when, context):
                _run(rows, mapped, context)
                return

    return MapRow("choose", line, run)


def python_row(line: str, call: PythonCall) -> MapRow:
    """Return a row in which a site's own function changes the resources."""

    def run(mapped: Mapped, context: EditContext) -> None:
        if context.run_map is None:
            raise TransformError("Python steps cannot run here", "python-unavailable")
        made = context.run_map(call, context, offered(mapped))
        take_back(mapped, made, line, partial(_name_of, context))

    return MapRow("python", line, run)


@dataclass(frozen=True, slots=True)
class Writing:
    """What one row, or one of its fields, writes at which path."""

    line: str
    path: FhirPath
    source: Source
    append: bool = False

    def put(self, mapped: Mapped, entry: Entry, context: EditContext) -> None:
        """Write into one resource, and remember the leaves whose text it tells."""
        before = len(context.lookups)
        value = _fitting(self.line, self.path, self.source, context)
        if value is None:
            return
        write(mapped.own(entry), self.path, value, append=self.append)
        _note(context, self.line, self.path.names, value)
        if isinstance(self.source, Expression):
            lookups = context.lookups[before:]
            for leaf in told_by(self.source, value, lookups, context):
                stands = partial(is_told, entry, self.path, value)
                context.carried.append(Carried(leaf, stands))


def _writer(writing: Writing) -> Run:
    def run(mapped: Mapped, context: EditContext) -> None:
        for entry in _chosen(mapped, writing.path.type, context):
            writing.put(mapped, entry, context)

    return run


def _note(
    context: EditContext, line: str, path: str, after: object, note: str = ""
) -> None:
    """Note that a row wrote, and trace what, where somebody wants a trace."""
    context.wrote.setdefault(path.partition(".")[0], {})[line] = None
    if context.changes is not None:
        context.changes.append(Change(line, path, "", str(after), note))


def _chosen(mapped: Mapped, kind: str, context: EditContext) -> list[Entry]:
    """Return the resources a row means: in a loop, those of the current segment."""
    found = mapped.all(kind)
    position = _position(context)
    if position < 0:
        return found
    own = [entry for entry in found if entry.segment == position]
    return own or (found if len(found) == 1 else [])


def _position(context: EditContext) -> int:
    if not context.loops:
        return -1
    return _index(context.message, context.loops[-1].segment)


def _index(message: Message, wanted: Segment) -> int:
    return next(i for i, each in enumerate(message.segments) if each is wanted)


def _name_of(context: EditContext, kind: str, name: str = "") -> str:
    """Return what names the next resource of a type that is added to a message."""
    word = f"{kind}.{name}" if name else kind
    context.added[word] = nth = context.added.get(word, 0) + 1
    message, channel = context.message, str(context.names.get("channel.name", ""))
    return "-".join((message["MSH-4"], message.control_id, channel, word, str(nth)))


def _references(
    mapped: Mapped, context: EditContext
) -> Callable[[str, str], Element | None]:
    def reference(kind: str, wanted: str) -> Element | None:
        if (kind, wanted) in context.named:
            return context.named[kind, wanted]
        for entry in mapped.all(kind):
            if not wanted or wanted in entry.criteria:
                return entry.reference
        return None

    return reference


def _fitting(line: str, path: FhirPath, source: Source, context: EditContext) -> object:
    """Return what a row writes, which a required binding must allow."""
    value = _json(path, source, context)
    if path.codes and value is not None and value not in path.codes:
        allowed = ", ".join(sorted(path.codes))
        raise TransformError(
            f"row {line}: {path.names} takes only {allowed}", "row-not-in-binding"
        )
    return value


def _json(path: FhirPath, source: Source, context: EditContext) -> object:
    """Return what a source gives as JSON of the path's type; None when missing."""
    value: Value = source if isinstance(source, str) else settled(source, context)
    if value is None or value in ("", []):
        return None
    if isinstance(value, Timestamp):
        return _time(value, path.leaf)
    if path.leaf == "boolean" and isinstance(value, str):
        return value == "true"
    if path.leaf in _NUMBERS or path.leaf == "decimal":
        return _number(path, value)
    return str(value) if isinstance(value, Decimal) else value


def _number(path: FhirPath, value: Value) -> object:
    text = str(value)
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise TransformError(
            f"{path.type}.{path.steps[-1].name} needs a number", "row-not-a-number"
        ) from error
    return int(number) if path.leaf in _NUMBERS else Digits(text)


def _time(value: Timestamp, leaf: str) -> str:
    """Return a time as FHIR writes it; a time of day needs an offset."""
    if leaf not in _TIMES or value.precision < Precision.HOUR or not value.offset_text:
        return value.date_text
    return f"{value.date_text}T{value.time_text}{value.offset_text}"
