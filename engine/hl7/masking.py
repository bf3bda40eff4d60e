"""The only way a message may be shown or logged without patient data.

Kept are delimiters, lengths, segment ids, codes, assigning authorities and what MSH
says about the exchange. Everything else is covered, what the dictionary does not know
included: a value is shown because it is known to be harmless, never the other way
round.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.hl7.dictionary import DEFAULT_VERSION, components, fields
from engine.hl7.message import Message
from engine.hl7.segment import HEADERS, NULL, Segment

COVER: Final = "*"
_KEEP: Final = "keep"
_COVERED: Final = "covered"
_CODES: Final = frozenset({"ID", "IS", "SI"})
_LOOKS_LIKE_A_CODE: Final = re.compile(r"[A-Za-z0-9_.:+/-]{1,20}")
_SEGMENT_ID: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_CODED: Final = {1: "ID", 3: "ID", 4: "ID", 6: "ID", 10: "ID", 12: "ID"}
_COMPONENTS: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        **dict.fromkeys(("CE", "CWE", "CNE", "CF"), _CODED),
        "EI": {2: _KEEP, 3: _KEEP, 4: _KEEP},
        "HD": {1: _KEEP, 2: _KEEP, 3: _KEEP},
        "XAD": {6: "ID", 7: "ID"},
    }
)
"""Where not every component of type ID or IS may be seen, and where others may."""
_FIELDS: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "MSH": {
            **dict.fromkeys((*range(1, 7), *range(9, 26)), _KEEP),
            7: _COVERED,
            8: _COVERED,
        },
        "MSA": {1: _KEEP, 2: _KEEP, 4: _KEEP},
        "ERR": {2: _KEEP},
        "BHS": {1: _KEEP, 2: _KEEP},
        "FHS": {1: _KEEP, 2: _KEEP},
        "PID": {12: _COVERED},
    }
)
"""Fields whose data type says too little about what they carry."""


class Place(NamedTuple):
    """Where a value stands that may not be seen; numbers are 0 where there is none.

    ``field_type`` is the dictionary's, empty for a field it does not know.
    """

    segment: str
    nth: int
    field: int
    field_type: str
    repetition: int = 1
    component: int = 0
    subcomponent: int = 0

    def inside(self, number: int) -> "Place":
        """Return the place of a component, or below one of a subcomponent."""
        if self.component:
            return self._replace(subcomponent=number)
        return self._replace(component=number)

    @property
    def is_observed(self) -> bool:
        """Whether a value that was measured may stand here."""
        return (self.segment, self.field) == ("OBX", 5)

    @property
    def path(self) -> str:
        """The path as people write it: ``OBX[2]-5.1``."""
        place = f"{self.segment}[{self.nth}]" if self.nth > 1 else self.segment
        place += f"-{self.field}"
        place += f"[{self.repetition}]" if self.repetition > 1 else ""
        place += f".{self.component}" if self.component else ""
        return place + (f".{self.subcomponent}" if self.subcomponent else "")


Change = Callable[[str, Place], str]


def mask(message: Message) -> str:
    """Return the message, segments ended by CR, with patient data covered.

    Delimiters stay where they are, so that it parses like the original.
    """
    return changed(message, lambda raw, _: mask_value(raw))


def changed(message: Message, change: Change) -> str:
    """Return the message with every value changed that may not be seen.

    ``change`` is given each as it is encoded, and its place. A line that is no segment
    is covered whole.
    """
    version = message.version or DEFAULT_VERSION
    seen: Counter[str] = Counter()
    lines = []
    for segment in message.segments:
        seen[segment.id] += 1
        lines.append(_segment(segment, seen[segment.id], version, change))
    return "".join(f"{line}\r" for line in lines)


def mask_value(text: str) -> str:
    """Return as many covers as the value has characters."""
    return COVER * len(text)


def _segment(segment: Segment, nth: int, version: str, change: Change) -> str:
    if not _SEGMENT_ID.fullmatch(segment.id):  # a broken line may begin with anything
        return mask_value(segment.encoded)
    mark = segment.delimiters.field
    known, special = fields(segment.id, version), _FIELDS.get(segment.id, {})
    parts = [segment.id]
    for number in range(1, segment.field_count + 1):
        found = known.get(number)
        place = Place(segment.id, nth, number, found.data_type if found else "")
        wanted = special.get(number, place.field_type or _COVERED)
        parts.append(_field(segment, place, wanted, version, change))
    if segment.id in HEADERS:
        del parts[1]
    return mark.join(parts)


def _field(
    segment: Segment, place: Place, data_type: str, version: str, change: Change
) -> str:
    raw, marks = segment.raw(place.field), segment.delimiters
    if data_type == _KEEP or not raw:
        return raw
    levels = marks.component + marks.subcomponent
    parts = raw.split(marks.repetition) if marks.repetition else [raw]
    return marks.repetition.join(
        _value(part, data_type, levels, version, place._replace(repetition=at), change)
        for at, part in enumerate(parts, 1)
    )


def _value(
    raw: str, data_type: str, levels: str, version: str, place: Place, change: Change
) -> str:
    """Return one repetition, component or leaf; ``levels`` separate what is in it."""
    if not raw or raw == NULL or data_type == _KEEP:
        return raw
    if levels:
        parts = raw.split(levels[0])
        inside = place.inside if len(parts) > 1 or not place.component else None
        return levels[0].join(
            _value(
                part,
                _type(data_type, at, version),
                levels[1:],
                version,
                inside(at) if inside else place,
                change,
            )
            for at, part in enumerate(parts, 1)
        )
    if data_type in _CODES and _LOOKS_LIKE_A_CODE.fullmatch(raw):
        return raw
    return change(raw, place)


def _type(data_type: str, number: int, version: str) -> str:
    """Return the type of one component; a simple type is its own first component."""
    if data_type in _COMPONENTS:
        return _COMPONENTS[data_type].get(number, _COVERED)
    if known := components(data_type, version):
        return known[number].data_type if number in known else _COVERED
    return data_type if number == 1 else _COVERED
