"""How often and for how long: RPT and RI to Timing.

FHIR's Timing has rules of its own: an offset needs an event, a time of day excludes
one, a period needs a unit. What would break them stays out and is listed as lost.

Spec:
    HL7 v2-to-FHIR 1.0.0, data type maps RPT[Timing], RI[Timing], TQ[ServiceRequest],
    vocabulary maps RepeatPattern and EventRelatedPeriod; FHIR R4, Timing (tim-1 to 10).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7 import Repetition
from engine.hl7.timestamps import read_time
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import code, plain, put
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.quantities import number
from engine.transforms.fhir.systems import HL7, UCUM
from engine.transforms.fhir.times import later

_PATTERNS: Final = HL7 + "v2-0335"
_GTS: Final = HL7 + "v3-GTSAbbreviation"
_GTS_CODES: Final = frozenset(
    ("BID", "TID", "QID", "QOD", "QD", "AM", "PM", "BED", "WK", "MO", "Q1H", "Q2H",
     "Q3H", "Q4H", "Q6H", "Q8H")
)  # fmt: skip
_TABLE_CODE: Final = re.compile(
    r"Q\d+(?:[SMHDWL]|J[1-7]+)|\d+ID|QAM|QPM|QHS|QSHIFT|C|PRN\w*|Once|[APICMDV]{1,2}"
)
_EVENTS: Final = frozenset(
    ("HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD",
     "PCV")
)  # fmt: skip
_DURING: Final = frozenset(("C", "CM", "CD", "CV"))
_DAYS: Final = ("", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
        **dict.fromkeys(("min", "m", "minute", "minutes"), "min"),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
        **dict.fromkeys(("d", "day", "days"), "d"),
        **dict.fromkeys(("wk", "w", "week", "weeks"), "wk"),
        **dict.fromkeys(("mo", "mon", "month", "months"), "mo"),
        **dict.fromkeys(("a", "ann", "y", "yr", "year", "years"), "a"),
    }
)
_LETTERS: Final = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
_OLD_DURATION: Final = re.compile(r"([SMHDWLX])(\d{1,4})", re.ASCII)
_MINUTES: Final = {"min": 1, "h": 60, "d": 1440, "wk": 10_080}
_OFFSET: Final = 5


def timing(conversion: Conversion, tq1: Node) -> Element:
    """Return a TQ1 as Timing; ``{}`` where it says nothing of the kind."""
    repeat: Element = {}
    _add_bounds(conversion, tq1, repeat)
    count = tq1.text(14).strip()
    if count.isdecimal() and int(count) > 0:
        repeat["count"] = int(count)
    elif count:
        tq1.leave(14)
    found: Element = {}
    source = tq1.first(3) if tq1.has(3) else None
    if source is not None:
        put(found, "code", _pattern(conversion, source))
        _add_pattern(source, repeat)
    _add_length(tq1, repeat)
    _add_moments(tq1, repeat)
    put(found, "repeat", repeat)
    return found


def old_timing(conversion: Conversion, tq: Repetition) -> Element:
    """Return a TQ as Timing: interval, duration, start, end, total."""
    repeat: Element = {}
    span: Element = {}
    put(span, "start", conversion.feed.date_time(tq.text(4)))
    put(span, "end", conversion.feed.date_time(tq.text(5)))
    put(repeat, "boundsPeriod", span)
    for_long = _OLD_DURATION.fullmatch(tq.text(3).strip().upper())
    if for_long and for_long[1] == "X":
        repeat["count"] = int(for_long[2])
    elif for_long and "boundsPeriod" not in repeat:
        repeat["boundsDuration"] = _duration(
            Digits(int(for_long[2])), _LETTERS[for_long[1]]
        )
    total = tq.text(12).strip()
    if total.isdecimal() and int(total) > 0:
        repeat["count"] = int(total)
    times = [read_time(text) for text in tq.sub(2)[1:2] if text]
    put(repeat, "timeOfDay", [time for time in times if time])
    found: Element = {}
    pattern = [*tq.sub(2), ""][0]
    put(found, "code", _pattern_of(conversion, code(pattern), ""))
    put(found, "repeat", repeat)
    return found


def _pattern(conversion: Conversion, source: Repetition) -> Element:
    """Return RPT.1, a coded value within a component."""
    parts = [*source.sub(1), "", ""]
    return _pattern_of(conversion, code(plain(parts[0])), plain(parts[1]))


def _pattern_of(conversion: Conversion, symbol: str, words: str) -> Element:
    if not symbol:
        return {"text": words} if words else {}
    if symbol.upper() in _GTS_CODES:
        system, symbol = _GTS, symbol.upper()
    elif _TABLE_CODE.fullmatch(symbol):
        system = _PATTERNS
    else:
        system = conversion.feed.own_codes("0335")
    return {"coding": [{"system": system, "code": symbol}], "text": words or symbol}


def _add_pattern(source: Repetition, repeat: Element) -> None:
    """RPT.2 to RPT.10: days of the week, period, event and its offset."""
    if source.text(2) == "DW":
        days = [
            _DAYS[int(text)]
            for text in (source.text(3), source.text(4))
            if text.isdecimal() and 0 < int(text) < len(_DAYS)
        ]
        put(repeat, "dayOfWeek", days)
    period, unit = number(source.text(5)), _UNITS.get(source.text(6).strip().lower())
    if period is not None and unit:
        repeat["period"], repeat["periodUnit"] = period, unit
    event = source.text(8).strip().upper()
    if event not in _EVENTS:
        return
    repeat["when"] = [event]
    offset = source.text(9).strip()
    minutes = _MINUTES.get(_UNITS.get(source.text(10).strip().lower(), "min"), 0)
    if offset.isdecimal() and minutes and event not in _DURING:
        repeat["offset"] = int(offset) * minutes


def _add_bounds(conversion: Conversion, tq1: Node, repeat: Element) -> None:
    """TQ1-7, 8 and 6: from when to when, or for how long."""
    span: Element = {}
    conversion.put_time(span, "start", tq1, 7)
    conversion.put_time(span, "end", tq1, 8)
    length = _measured(tq1, 6)
    if not length:
        put(repeat, "boundsPeriod", span)
    elif not span:
        repeat["boundsDuration"] = _duration(*length)
    elif "end" in span or not _add_end(span, *length):
        tq1.leave(6)
        repeat["boundsPeriod"] = span
    else:
        repeat["boundsPeriod"] = span


def _add_end(span: Element, value: Digits, unit: str) -> bool:
    """Reckon the end from start and duration; tell whether that can be done."""
    if unit in _MINUTES:
        put(span, "end", later(str(span["start"]), float(value) * _MINUTES[unit]))
    return "end" in span


def _measured(tq1: Node, field: int) -> tuple[Digits, str] | None:
    """Return a CQ of time as number and FHIR unit; None leaves the field."""
    source = tq1.first(field) if tq1.has(field) else None
    if source is None:
        return None
    value = number(source.text())
    parts = [one.strip().lower() for one in source.sub(2)]
    unit = next((_UNITS[one] for one in parts if one in _UNITS), "")
    if value is None or not unit:
        tq1.leave(field)
        return None
    return value, unit


def _duration(value: Digits, unit: str) -> Element:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _add_length(tq1: Node, repeat: Element) -> None:
    """TQ1-13: how long each time takes."""
    if length := _measured(tq1, 13):
        repeat["duration"], repeat["durationUnit"] = length


def _add_moments(tq1: Node, repeat: Element) -> None:
    """TQ1-4 and 5: at which times of day, how long before or after an event."""
    if "when" in repeat:
        _add_offset(tq1, repeat)
        return
    times = [read_time(source.text()) for source in tq1.all(4) if tq1.has(4)]
    put(repeat, "timeOfDay", [time for time in times if time])
    if "timeOfDay" not in repeat:
        tq1.leave(4)


def _add_offset(tq1: Node, repeat: Element) -> None:
    offset = _measured(tq1, _OFFSET)
    if offset is None or "offset" in repeat or _DURING.issuperset(_events(repeat)):
        tq1.leave(_OFFSET)
        return
    value, unit = offset
    if unit in _MINUTES and value.isdecimal():
        repeat["offset"] = int(value) * _MINUTES[unit]
    else:
        tq1.leave(_OFFSET)


def _events(repeat: Element) -> list[str]:
    found = repeat["when"]
    return found if isinstance(found, list) else []
