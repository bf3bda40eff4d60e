"""A message field by field: path, name, value, and the table a code comes from."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.hl7 import Message, Segment, dictionary
from engine.transforms.ccda.incoming import document_in

CONTENT: Final = 5
"""OBX-5, where a document may stand."""

Names = Mapping[str, str]
"""What the site calls its own fields, by path: ``ZPI-2``, ``ZPI-2.1``."""
NO_NAMES: Final[Names] = MappingProxyType({})


class Field(NamedTuple):
    """One filled place of a message; ``table`` says what is known of a code."""

    path: str
    name: str
    value: str
    table: str


def fields_of(
    message: Message, names: Names = NO_NAMES, *, everything: bool = False
) -> Iterator[Field]:
    """Yield one row for each filled leaf, or for each field with ``everything``."""
    seen: dict[str, int] = {}
    for segment in message.segments:
        seen[segment.id] = number = seen.get(segment.id, 0) + 1
        many = len(message.all(segment.id)) > 1
        name = f"{segment.id}[{number}]" if many else segment.id
        for each in _fields(segment, name, message.version, everything=everything):
            yield each if each.name else each._replace(name=_own_name(each.path, names))


def _own_name(path: str, names: Names) -> str:
    """Return what the site calls a place, wherever its segment and field repeat."""
    place = _REPEATED.sub("", path)
    field, _, component = place.partition(".")
    told = names.get(field, ""), names.get(place, "") if component else ""
    return ": ".join(filter(None, told))


_REPEATED: Final = re.compile(r"\[\d+\]")


def _fields(
    segment: Segment, name: str, version: str, *, everything: bool
) -> Iterator[Field]:
    known = dictionary.fields(segment.id, version)
    last = max(segment.field_count, *known, 0) if everything else segment.field_count
    for number in range(1, last + 1):
        raw = segment.raw(number)
        if segment.id == "OBX" and number == CONTENT and document_in(segment):
            continue  # a document is shown as one, not as a field
        if raw or everything:
            yield from _leaves(segment, number, f"{name}-{number}", version)


def _leaves(segment: Segment, number: int, path: str, version: str) -> Iterator[Field]:
    """Yield the components of every repetition of one field."""
    definition = dictionary.fields(segment.id, version).get(number)
    repetitions = segment.positions(number)
    for index, repetition in enumerate(repetitions, 1):
        place = f"{path}[{index}]" if len(repetitions) > 1 else path
        count = repetition.component_count
        for component in range(1, count + 1):
            value = (
                '""' if repetition.is_null(component) else repetition.text(component)
            )
            if not value and count > 1:
                continue
            at = (segment.id, number, component if count > 1 else 0)
            table = definition.table if definition and component == 1 else ""
            yield Field(
                f"{place}.{component}" if count > 1 else place,
                dictionary.name_of(at, version),
                value,
                _meaning(table, value, version),
            )


def _meaning(table: str, value: str, version: str) -> str:
    """Return the table of a coded value, and whether it lists the value."""
    if not table:
        return ""
    name, codes = dictionary.table(table, version)
    missing = ", not listed there" if codes and value and value not in codes else ""
    return f"{table} {name}{missing}".strip()
