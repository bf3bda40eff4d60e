"""Functions over dates and times: as precise as the message is, and no more."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import date as day
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from engine.hl7.timestamps import Precision, Timestamp, read_timestamp
from engine.transforms.calls import Call
from engine.transforms.scope import EditContext, Value, timestamp_of
from engine.transforms.terms import Evaluate, hl7_time, instant_of
from engine.transforms.text_functions import whole

_LETTERS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "Y": (r"(?P<Y>\d{4})", Precision.YEAR),
        "m": (r"(?P<m>\d{1,2})", Precision.MONTH),
        "d": (r"(?P<d>\d{1,2})", Precision.DAY),
        "j": (r"(?P<j>\d{3})", Precision.DAY),
        "H": (r"(?P<H>\d{1,2})", Precision.HOUR),
        "M": (r"(?P<M>\d{1,2})", Precision.MINUTE),
        "S": (r"(?P<S>\d{1,2})", Precision.SECOND),
        "z": (r"(?P<z>[+-]\d{2}:?\d{2})", Precision.HOUR),
    }
)
"""strftime letters: how each is read, and the precision it needs to be written."""
_PLACEHOLDER: Final = re.compile(r"%(.?)", re.DOTALL)
PATTERN_HINT: Final = "use %Y %m %d %H %M %S %z %j"
_ORDER: Final = "YmdHMS"
_PATTERN_AT: Final = 1

Reading = Callable[[str], Timestamp | None]


def date(call: Call) -> Evaluate | None:
    """Compile ``date(text[, pattern])``."""
    return _reading(call, lambda found, _zone: cut_to_day(found))


def datetime_(call: Call) -> Evaluate | None:
    """Compile ``datetime(text[, pattern])``; without offset it is the channel's."""
    return _reading(call, with_offset)


def _reading(
    call: Call, finish: Callable[[Timestamp, tzinfo], Timestamp]
) -> Evaluate | None:
    read: Reading = read_timestamp
    if len(call.arguments) > 1:
        pattern = call.literal(_PATTERN_AT)
        fault = reading_fault(pattern)
        if fault:
            call.fault(_PATTERN_AT, fault, PATTERN_HINT)
            return None
        read = reader_of(pattern)
    evaluate, note = (
        call.arguments[0].evaluate,
        f"{call.name}() could not read its value",
    )

    def run(context: EditContext) -> Value:
        text = str(evaluate(context)).strip()
        found = read(text) if text else None
        if found is None:
            if text:
                context.notes.append(note)
            return None
        return finish(found, context.zone)

    return run


def cut_to_day(moment: Timestamp) -> Timestamp:
    """Return the date of a time."""
    return moment._replace(
        precision=min(moment.precision, Precision.DAY),
        hour=0, minute=0, second=0, fraction="", offset_minutes=None,
    )  # fmt: skip


def with_offset(moment: Timestamp, zone: tzinfo) -> Timestamp:
    """Return the time with the zone's offset where none was written."""
    if moment.offset_minutes is not None or moment.precision < Precision.HOUR:
        return moment
    offset = timestamp_of(instant_of(moment, zone).astimezone(zone)).offset_minutes
    return moment._replace(offset_minutes=offset)


def pattern_fault(pattern: str) -> str:
    """Return why a date pattern cannot be used, or ``""``."""
    letters = _PLACEHOLDER.findall(pattern)
    bad = [letter for letter in letters if letter not in _LETTERS and letter != "%"]
    if bad:
        return f"'%{bad[0]}' is not a date letter"
    return "" if letters else "this pattern has no date letters"


def reading_fault(pattern: str) -> str:
    """Return why a date cannot be read by a pattern, or ``""``."""
    return pattern_fault(pattern) or _gap(pattern)


def _gap(pattern: str) -> str:
    """Return why a date cannot be read by a pattern that leaves parts out."""
    letters = set(_PLACEHOLDER.findall(pattern))
    given = "".join(letter for letter in _ORDER if letter in letters)
    if "j" in letters:
        given = given[:1] + "md" + given[1:].strip("md")
    if given and _ORDER.startswith(given):
        return ""
    return "this pattern leaves out a part of the date"


def reader_of(pattern: str) -> Reading:
    """Return the function that reads a text by a pattern; each letter counts once."""
    seen: set[str] = set()
    parts: list[str] = []
    position = 0
    for found in _PLACEHOLDER.finditer(pattern):
        parts.append(re.escape(pattern[position : found.start()]))
        letter = found[1]
        if letter == "%":
            parts.append("%")
        elif letter in seen:
            parts.append(f"(?P={letter})")
        else:
            parts.append(_LETTERS[letter][0])
        seen.add(letter)
        position = found.end()
    form = re.compile("".join(parts) + re.escape(pattern[position:]), re.ASCII)

    def read(text: str) -> Timestamp | None:
        match = form.fullmatch(text)
        return _assembled(match.groupdict()) if match else None

    return read


def _assembled(parts: Mapping[str, str]) -> Timestamp | None:
    """Return the time that the parts of a pattern say, through the HL7 reader."""
    known = {letter: part.zfill(2) for letter, part in parts.items()}
    if "j" in parts:
        first = day(max(int(parts["Y"]), 1), 1, 1)
        moment = first + timedelta(days=min(max(int(parts["j"]), 1), 366) - 1)
        known |= {"m": f"{moment.month:02}", "d": f"{moment.day:02}"}
    text = "".join(known.get(letter, "") for letter in _ORDER)
    return read_timestamp(text + parts.get("z", "").replace(":", ""))


def format_date(call: Call) -> Evaluate | None:
    """Compile ``format_date(date, pattern)``: missing when the date is too coarse."""
    pattern = call.literal(_PATTERN_AT)
    fault = pattern_fault(pattern)
    if fault:
        call.fault(_PATTERN_AT, fault, PATTERN_HINT)
        return None
    evaluate = call.arguments[0].evaluate

    def run(context: EditContext) -> Value:
        moment = evaluate(context)
        if not isinstance(moment, Timestamp):
            return ""
        text = shown(moment, pattern)
        if text is None:
            context.notes.append("format_date() needs a more precise date")
        return text or ""

    return run


def shown(moment: Timestamp, pattern: str) -> str | None:
    """Return the time as a pattern writes it, or in HL7 form where there is none.

    None when the pattern asks for more than the time says.
    """
    if not pattern:
        return hl7_time(moment)
    letters = [letter for letter in _PLACEHOLDER.findall(pattern) if letter != "%"]
    if any(moment.precision < _LETTERS[letter][1] for letter in letters):
        return None
    parts = {
        "Y": f"{moment.year:04}",
        "m": f"{moment.month:02}",
        "d": f"{moment.day:02}",
        "H": f"{moment.hour:02}",
        "M": f"{moment.minute:02}",
        "S": f"{moment.second:02}",
        "z": moment.offset_text.replace(":", ""),
        "j": f"{day(moment.year, moment.month, moment.day).timetuple().tm_yday:03}",
        "%": "%",
    }
    return _PLACEHOLDER.sub(lambda found: parts[found[1]], pattern)


def to_zone(call: Call) -> Evaluate | None:
    """Compile ``to_zone(datetime, zone)``."""
    name = call.literal(1)
    try:
        zone = ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        call.fault(1, f"{name!r} is not a time zone", "write it like America/Detroit")
        return None
    evaluate = call.arguments[0].evaluate

    def run(context: EditContext) -> Value:
        moment = evaluate(context)
        if not isinstance(moment, Timestamp):
            return None
        return in_zone(moment, zone, context.zone)

    return run


def in_zone(moment: Timestamp, zone: tzinfo, default: tzinfo) -> Timestamp | None:
    """Return a time as a clock in another zone shows it; None for a mere date."""
    if moment.precision < Precision.HOUR:
        return None
    try:
        moved = timestamp_of(instant_of(moment, default).astimezone(zone))
    except OverflowError:
        return None
    return moved._replace(precision=moment.precision, fraction=moment.fraction)


def age(call: Call) -> Evaluate:
    """Compile ``age(date[, at])``: whole years, at the message time by default."""
    evaluate = call.arguments[0].evaluate
    at = call.arguments[1].evaluate if len(call.arguments) > 1 else _message_time

    def run(context: EditContext) -> Value:
        born, then = evaluate(context), at(context)
        if not isinstance(born, Timestamp) or not isinstance(then, Timestamp):
            return None
        if min(born.precision, then.precision) < Precision.DAY:
            context.notes.append("age() needs whole dates")
            return None
        before = (then.month, then.day) < (born.month, born.day)
        return Decimal(then.year - born.year - before)

    return run


def _message_time(context: EditContext) -> Timestamp:
    """Return MSH-7, or when the message was received where it says no day."""
    sent = read_timestamp(context.message.segments[0].text(7))
    if sent is not None and sent.precision >= Precision.DAY:
        return sent
    return timestamp_of(context.received_at.astimezone(context.zone))


def add_days(moment: Timestamp, count: Decimal) -> Timestamp | None:
    """Return the date so many days later; None for a date without day."""
    if moment.precision < Precision.DAY:
        return None
    try:
        later = datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + timedelta(
            days=whole(count)
        )
    except OverflowError:
        return None
    return moment._replace(year=later.year, month=later.month, day=later.day)


def days_between(first: Timestamp, second: Timestamp) -> Decimal | None:
    """Return the days from the first date to the second."""
    if min(first.precision, second.precision) < Precision.DAY:
        return None
    days = [day(moment.year, moment.month, moment.day) for moment in (first, second)]
    return Decimal((days[1] - days[0]).days)
