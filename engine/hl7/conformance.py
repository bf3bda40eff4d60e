"""Compare a message with the dictionary of its version: findings, never exceptions."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from engine.hl7 import dictionary
from engine.hl7.dictionary import MANY, Part
from engine.hl7.escapes import is_broken
from engine.hl7.finding import Finding
from engine.hl7.message import Message
from engine.hl7.segment import HEADERS, Segment
from engine.hl7.timestamps import read_time, read_timestamp

__all__ = ["CONDITIONS", "Finding", "check"]

CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "segment_missing": "100",
        "segment_order": "100",
        "segment_unknown": "100",
        "field_required": "101",
        "data_type": "102",
        "too_many_repetitions": "198",
        "bad_escape": "199",
        "version_unknown": "203",
    }
)
"""HL7 table 0357 by finding, where a strict channel rejects it; others never reject."""

_MOST_REMEMBERED: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9]{1,3}")
"""What may stand in a finding; a broken line may begin with a name."""
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_READS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {
        "DT": read_timestamp,
        "DTM": read_timestamp,
        "TS": read_timestamp,
        "TM": read_time,
        "NM": _NUMBER.fullmatch,
        "SI": re.compile(r"\d+", re.ASCII).fullmatch,
    }
)


def check(message: Message, version: str = "") -> list[Finding]:
    """Return where the message departs from its version, in message order.

    Z segments and unknown versions are taken as they are: only what the dictionary
    knows can be wrong. Lengths are not looked at, nor are tables: hl7apy's lack codes
    that the standard has (CWE in 0125).

    Args:
        message: any message.
        version: an HL7 version; empty means MSH-12.
    """
    version = version or message.version or dictionary.DEFAULT_VERSION
    findings: list[Finding] = []
    if not dictionary.is_known_version(version):
        findings.append(Finding("version_unknown", "MSH-12"))
    findings.extend(_order(message, version))
    for segment, place in _placed(message):
        findings.extend(_check_segment(segment, place, version))
        findings.extend(_check_escapes(segment, place, message.charset))
    return findings


def check_shape(message: Message, version: str = "") -> list[Finding]:
    """Return what `check` finds about segments and escapes, for a few microseconds.

    Fields are not looked at: required ones, data types and repetitions are left out.
    """
    version = version or message.version or dictionary.DEFAULT_VERSION
    findings = list(_order(message, version))
    escape = message.delimiters.escape
    texts = (each.encoded for each in message.segments)
    if escape and any(text.count(escape) > text.startswith("MSH") for text in texts):
        for segment, place in _placed(message):
            findings.extend(_check_escapes(segment, place, message.charset))
    return findings


def _placed(message: Message) -> Iterator[tuple[Segment, str]]:
    """Give each segment with its place, such as ``OBX[2]``."""
    seen: Counter[str] = Counter()
    for segment in message.segments:
        seen[segment.id] += 1
        named = _NAME.fullmatch(segment.id)
        yield segment, f"{segment.id}[{seen[segment.id]}]" if named else ""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What to look at in one kind of segment."""

    last: int
    required: tuple[int, ...]
    reads: tuple[tuple[int, str], ...]
    most: Mapping[int, int]


@lru_cache(maxsize=1024)
def _rules(segment_id: str, version: str) -> _Rules | None:
    """Return None for a Z or unknown segment; withdrawn fields may still be sent."""
    defined = dictionary.fields(segment_id, version)
    if not defined:
        return None
    fields = defined.values()
    return _Rules(
        last=max(defined),
        required=tuple(field.number for field in fields if field.required),
        reads=tuple((f.number, f.data_type) for f in fields if f.data_type in _READS),
        most={f.number: max(f.maximum, 1) for f in fields if f.maximum != MANY},
    )


def _check_segment(segment: Segment, place: str, version: str) -> Iterator[Finding]:
    rules = _rules(segment.id, version)
    if rules:
        yield from _check_fields(segment, rules, place)


def _check_escapes(segment: Segment, place: str, codec: str) -> Iterator[Finding]:
    marks = segment.delimiters
    own = segment.id == "MSH"  # MSH-2 names the escape character
    if marks.escape and segment.encoded.count(marks.escape) > own:
        first = 3 if segment.id in HEADERS else 1
        for number, raw in enumerate(segment.encoded_fields()[first:], first):
            if marks.escape in raw and is_broken(raw, marks, codec):
                yield Finding("bad_escape", f"{place}-{number}" if place else "")


def _check_fields(segment: Segment, rules: _Rules, place: str) -> Iterator[Finding]:
    for number in rules.required:
        if not segment.raw(number):
            yield Finding("field_required", f"{place}-{number}")
    if segment.field_count > rules.last and segment.populated()[-1] > rules.last:
        yield Finding("field_unknown", f"{place}-{segment.populated()[-1]}")
    yield from _check_repetitions(segment, rules, place)
    for number, data_type in rules.reads:
        if segment.raw(number) and not _is_of_type(segment, number, data_type):
            yield Finding("data_type", f"{place}-{number}", f"not a {data_type}")


def _is_of_type(segment: Segment, number: int, data_type: str) -> bool:
    texts = [found.text() for found in segment.repetitions(number)]
    return all(_READS[data_type](text) for text in texts if text)


def _check_repetitions(
    segment: Segment, rules: _Rules, place: str
) -> Iterator[Finding]:
    mark = segment.delimiters.repetition
    if mark and mark in segment.encoded:
        for number in segment.populated()[2 if segment.id == "MSH" else 0 :]:
            if segment.raw(number).count(mark) >= rules.most.get(number, sys.maxsize):
                yield Finding("too_many_repetitions", f"{place}-{number}")


@dataclass(frozen=True, slots=True)
class _Slot:
    """One segment of a flattened structure.

    ``loops`` are the starts of the repeating groups around it, innermost first.
    """

    name: str
    repeats: bool
    loops: tuple[int, ...]


@lru_cache(maxsize=512)
def _slots(structure: str, version: str) -> tuple[_Slot, ...]:
    found: list[_Slot] = []

    def flatten(parts: Sequence[Part], loops: tuple[int, ...]) -> None:
        for part in parts:
            repeats = part.maximum == MANY
            if part.parts:
                flatten(part.parts, (len(found), *loops) if repeats else loops)
            else:
                found.append(_Slot(part.name, repeats, loops))

    flatten(dictionary.structure(structure, version), ())
    return tuple(found)


def _order(message: Message, version: str) -> Sequence[Finding]:
    """Return which segments are unknown, missing or out of order."""
    name = dictionary.structure_of(message.message_type, message.trigger_event, version)
    ids = tuple(segment.id for segment in message.segments)
    known = _known_order if len(ids) <= _MOST_REMEMBERED else _known_order.__wrapped__
    return known(name, version, ids)


@lru_cache(maxsize=2048)
def _known_order(
    structure: str, version: str, ids: tuple[str, ...]
) -> tuple[Finding, ...]:
    """Return the findings of a sequence of segments; a feed sends a few of them."""
    return (*_unknown(ids, version), *_out_of_order(structure, version, ids))


def _unknown(ids: Sequence[str], version: str) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for name in ids:
        seen[name] += 1
        if not name.startswith("Z") and not dictionary.fields(name, version):
            place = f"{name}[{seen[name]}]"
            yield Finding("segment_unknown", place if _NAME.fullmatch(name) else "")


def _out_of_order(
    structure: str, version: str, ids: Sequence[str]
) -> Iterator[Finding]:
    """Follow the structure segment by segment; what cannot follow is out of order."""
    slots = _slots(structure, version)
    if not slots:
        return
    for missing in _missing(dictionary.structure(structure, version), set(ids)):
        yield Finding("segment_missing", missing)
    names = {slot.name for slot in slots}
    position, seen = -1, Counter[str]()
    for name in ids:
        seen[name] += 1
        if name in names:
            following = _follow(slots, position, name)
            if following is None:
                yield Finding("segment_order", f"{name}[{seen[name]}]")
            else:
                position = following


def _follow(slots: Sequence[_Slot], position: int, name: str) -> int | None:
    """Return the slot a segment may take after the one at ``position``."""
    here = slots[position] if position >= 0 else _Slot("", repeats=False, loops=())
    if here.repeats and here.name == name:
        return position
    end = len(slots)
    ways = [(start, position + 1) for start in here.loops]
    for start, stop in (*ways[:1], (position + 1, end), *ways[1:]):
        for index in range(start, stop):
            if slots[index].name == name:
                return index
    return None


def _missing(parts: Sequence[Part], present: set[str]) -> Iterator[str]:
    """Yield the segments that the structure requires and nobody sent."""
    for part in parts:
        if part.minimum and part.parts:
            yield from _missing(part.parts, present)
        elif part.minimum and part.name not in present:
            yield part.name
