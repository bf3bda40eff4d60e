"""The only way a message may be shown or logged without patient data.

Kept are delimiters, lengths, segment ids, codes, assigning authorities and what MSH
says about the exchange. Everything else is covered, what the dictionary does not know
included: a value is shown because it is known to be harmless, never the other way
round.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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


def mask(message: Message) -> str:
    """Return the message, segments ended by CR, with patient data covered.

    Delimiters stay where they are, so that it parses like the original.
    """
    version = message.version or DEFAULT_VERSION
    return "".join(f"{_segment(each, version)}\r" for each in message.segments)


def mask_value(text: str) -> str:
    """Return as many covers as the value has characters."""
    return COVER * len(text)


def _segment(segment: Segment, version: str) -> str:
    if not _SEGMENT_ID.fullmatch(segment.id):  # a broken line may begin with anything
        return mask_value(segment.encoded)
    mark = segment.delimiters.field
    known, special = fields(segment.id, version), _FIELDS.get(segment.id, {})
    parts = [segment.id]
    for number in range(1, segment.field_count + 1):
        definition = known.get(number)
        data_type = definition.data_type if definition else _COVERED
        parts.append(_field(segment, number, special.get(number, data_type), version))
    if segment.id in HEADERS:
        del parts[1]
    return mark.join(parts)


def _field(segment: Segment, number: int, data_type: str, version: str) -> str:
    raw, marks = segment.raw(number), segment.delimiters
    if data_type == _KEEP or not raw:
        return raw
    levels = marks.component + marks.subcomponent
    parts = raw.split(marks.repetition) if marks.repetition else [raw]
    masked = (_value(part, data_type, levels, version) for part in parts)
    return marks.repetition.join(masked)


def _value(raw: str, data_type: str, levels: str, version: str) -> str:
    """Return one repetition, component or leaf; ``levels`` separate what is in it."""
    if not raw or raw == NULL or data_type == _KEEP:
        return raw
    if levels:
        parts = raw.split(levels[0])
        types = (_type(data_type, i, version) for i in range(1, len(parts) + 1))
        return levels[0].join(
            _value(part, part_type, levels[1:], version)
            for part, part_type in zip(parts, types, strict=True)
        )
    if data_type in _CODES and _LOOKS_LIKE_A_CODE.fullmatch(raw):
        return raw
    return mask_value(raw)


def _type(data_type: str, number: int, version: str) -> str:
    """Return the type of one component; a simple type is its own first component."""
    if data_type in _COMPONENTS:
        return _COMPONENTS[data_type].get(number, _COVERED)
    if known := components(data_type, version):
        return known[number].data_type if number in known else _COVERED
    return data_type if number == 1 else _COVERED
