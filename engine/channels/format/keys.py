"""The table of keys: one row for each, made from the classes that hold the values."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import timedelta
from functools import cache
from typing import (
    Annotated,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from engine.channels.format.kinds import (
    BY_TYPE,
    SIZE,
    ExpressionKind,
    Key,
    Kind,
    NotAKey,
)
from engine.transforms.edits import Step
from engine.transforms.expressions import Expression
from engine.transforms.fhir_rows import MapRow

COMPILED: Final = (Step, MapRow)
"""What is written as a mapping, but has forms of its own instead of keys."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like: one of a few words, a kind, or something built of them.

    ``words`` are fixed words, ``kind`` reads one text, ``expression`` compiles one.
    ``inside`` is a class with keys of its own, ``items`` the shape of list items, and
    ``names`` with ``values`` the shapes of a mapping's keys and values.
    """

    words: tuple[str, ...] = ()
    kind: Kind | None = None
    expression: ExpressionKind | None = None
    inside: type | None = None
    items: "Shape | None" = None
    names: "Shape | None" = None
    values: "Shape | None" = None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key: its name in the file, the field behind it and what it holds."""

    name: str
    field: str
    shape: Shape
    description: str
    required: bool
    default: object
    marks: tuple[object, ...] = ()

    @property
    def written_default(self) -> str:
        """The default as a channel file would write it; ``""`` where there is none."""
        default = self.default
        if isinstance(default, bool):
            return str(default).lower()
        if isinstance(default, timedelta):
            return _span(default)
        if isinstance(default, int) and self.shape.kind is SIZE:
            return _size(default)
        if isinstance(default, tuple):
            return f"[{', '.join(map(str, default))}]" if default else ""
        return str(default) if isinstance(default, str | int | float) else ""


@cache
def keys_of(cls: type) -> Mapping[str, KeyRow]:
    """Return the keys of a class by their name in the file, in order."""
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, KeyRow] = {}
    for each in fields(cls):
        annotation = hints[each.name]
        marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
        if any(isinstance(mark, NotAKey) for mark in marks):
            continue
        row = _row(each, annotation, marks)
        found[row.name] = row
    return found


def _row(each: Field[object], annotation: object, marks: tuple[object, ...]) -> KeyRow:
    named = [mark.name for mark in marks if isinstance(mark, Key)]
    name = named[0] if named else each.name.rstrip("_").replace("_", "-")
    required = each.default is MISSING and each.default_factory is MISSING
    default = None if each.default is MISSING else each.default
    if each.default_factory is not MISSING:
        default = each.default_factory()
    words = [mark for mark in marks if isinstance(mark, str)]
    return KeyRow(
        name=name,
        field=each.name,
        shape=shape_of(annotation),
        description=words[-1] if words else "",
        required=required,
        default=default,
        marks=marks,
    )


def shape_of(annotation: object, marks: tuple[object, ...] = ()) -> Shape:
    """Return the shape that an annotation describes."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0], (*arguments[1:], *marks))
    if origin in (Union, types.UnionType):
        return _union(arguments, marks)
    if origin is Literal:
        return Shape(words=tuple(map(str, arguments)))
    if origin is tuple and Ellipsis in arguments:
        return Shape(items=shape_of(arguments[0], marks))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return Shape(names=shape_of(arguments[0]), values=shape_of(arguments[1], marks))
    return _single(annotation, marks)


def _union(arguments: tuple[object, ...], marks: tuple[object, ...]) -> Shape:
    parts = [part for part in arguments if part is not type(None)]
    words = tuple(
        str(word)
        for part in parts
        if get_origin(part) is Literal
        for word in get_args(part)
    )
    rest = [part for part in parts if get_origin(part) is not Literal]
    if not rest:
        return Shape(words=words)
    found = shape_of(rest[0], marks)
    return Shape(words, found.kind, found.expression, found.inside, found.items)


def _single(annotation: object, marks: tuple[object, ...]) -> Shape:
    for mark in marks:
        if isinstance(mark, Kind):
            return Shape(kind=mark)
        if isinstance(mark, ExpressionKind):
            return Shape(expression=mark)
    if annotation is Expression:
        return Shape(expression=ExpressionKind())
    if isinstance(annotation, type) and annotation in BY_TYPE:
        return Shape(kind=BY_TYPE[annotation])
    assert isinstance(annotation, type), annotation
    return Shape(inside=annotation)


def walk(
    cls: type, above: str = "", seen: tuple[type, ...] = ()
) -> Iterator[tuple[str, KeyRow]]:
    """Return every key below a class with its path, such as ``source.mllp.port``."""
    for row in keys_of(cls).values():
        path = f"{above}{row.name}"
        yield path, row
        shape = row.shape.items or row.shape.values or row.shape
        mark = "[]." if row.shape.items else ".NAME." if row.shape.values else "."
        if shape.inside and shape.inside not in (*COMPILED, *seen):
            yield from walk(shape.inside, path + mark, (*seen, cls))


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


def _size(count: int) -> str:
    for size, letters in ((1024**2, "MB"), (1024, "KB")):
        if count % size == 0:
            return f"{count // size}{letters}"
    return f"{count}B"
