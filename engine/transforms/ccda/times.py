"""Times: FHIR dates and periods as values with two faces, a CDA time and its words."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from engine.transforms.ccda.elements import XSI_TYPE, Element, null
from engine.transforms.ccda.facts import Resource, child, text
from engine.transforms.ccda.rendering import Rendering

_FHIR_TIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_LAST_HOUR, _LAST_MINUTE, _LAST_ZONE = 23, 59, 14


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as it was sent: ``text`` is FHIR's form, ``ts`` HL7's."""

    text: str
    ts: str

    @property
    def words(self) -> str:
        """The time for a reader, with the zone when it was sent."""
        return re.sub(r"(?<=:\d\d)(?=[+-])", " ", self.text.replace("T", " "))

    def element(self, name: str, xsi_type: str = "") -> Element:
        """Return the time as the value of an element."""
        typed = {XSI_TYPE: xsi_type} if xsi_type else {}
        return Element(name, {**typed, "value": self.ts}, [])


def moment(value: object) -> Moment | None:
    """Return a FHIR date, dateTime or instant; None when absent or not in the calendar.

    Precision and offset stay as they are.

    Examples:
        >>> moment("2024-01-02T15:30:00.25-05:00").ts
        '20240102153000.25-0500'
        >>> moment("2024").ts, moment("2024-13")
        ('2024', None)
    """
    return _moment(value.strip()) if isinstance(value, str) else None


@lru_cache(maxsize=1024)  # the same few times stand on all results of a report
def _moment(value: str) -> Moment | None:
    if not (match := _FHIR_TIME.fullmatch(value)):
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups("")
    if not (_in_calendar(year, month, day) and _on_clock(hour, minute, second, zone)):
        return None
    offset = "+0000" if zone == "Z" else zone.replace(":", "")
    digits = year + month + day + hour + minute + second
    return Moment(match[0], digits + fraction + offset)


def _in_calendar(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return False
    return True


def _on_clock(hour: str, minute: str, second: str, zone: str) -> bool:
    if not hour:
        return True
    zone_hours = zone[1:3] if zone not in ("", "Z") else "0"
    zone_minutes = zone[4:6] if zone not in ("", "Z") else "0"
    return (
        int(hour) <= _LAST_HOUR
        and max(int(minute), int(second or 0), int(zone_minutes)) <= _LAST_MINUTE
        and int(zone_hours) <= _LAST_ZONE
    )


def is_to_come(found: Moment, now: datetime) -> bool:
    """Whether a time lies on a day after that of an instant."""
    end, today = found.ts[: len("YYYYMMDD")], f"{now:%Y%m%d}"
    return end > today[: len(end)]


def time_stamp(instant: datetime) -> str:
    """Return an aware instant as an HL7 time, to the second with its offset."""
    return instant.strftime("%Y%m%d%H%M%S%z")


@dataclass(frozen=True, slots=True)
class Span:
    """An interval whose ends may be unknown; ``doubted`` keeps an impossible one.

    An end before its beginning, or of something done that is still to come, was sent by
    mistake: it is shown as sent and unknown in the entry.
    """

    low: Moment | None = None
    high: Moment | None = None
    doubted: bool = False

    def __bool__(self) -> bool:
        return bool(self.low or self.high)

    @property
    def words(self) -> str:
        """Both ends for a reader, one date when they are equal."""
        low = self.low.words if self.low else ""
        high = self.high.words if self.high else ""
        if not high or low == high:
            return low
        return f"{low} to {high}" if low else f"until {high}"

    def bounds(self, *, closed: bool = False) -> list[Element]:
        """Return low and, when known or ``closed``, high; unknown ends are ``UNK``."""
        low = self.low.element("low") if self.low else null("low")
        if self.high and not self.doubted:
            return [low, self.high.element("high")]
        return [low, null("high")] if closed or self.doubted else [low]

    def element(self, name: str = "effectiveTime", xsi_type: str = "") -> Element:
        """Return an interval, a single time where both ends agree, or ``UNK``."""
        if not self:
            return null(name, "UNK", xsi_type)
        if self.is_point and self.low:
            return self.low.element(name)
        typed = {XSI_TYPE: xsi_type} if xsi_type else {}
        return Element(name, typed, self.bounds())

    @property
    def is_point(self) -> bool:
        """Whether both ends are the same time."""
        return self.low is not None and self.low == self.high


def span(
    low: Moment | None, high: Moment | None, rendering: Rendering, path: str
) -> Span:
    """Return an interval; a reversed one is marked, with a finding."""
    if low and high and _is_after(low, high):
        rendering.find("reversed-interval", path, "an interval ends before it begins")
        return Span(low, high, doubted=True)
    return Span(low, high)


def _is_after(low: Moment, high: Moment) -> bool:
    shared = min(len(low.ts), len(high.ts), len("YYYYMMDD"))
    if low.ts[:shared] != high.ts[:shared]:
        return low.ts[:shared] > high.ts[:shared]
    first, last = _instant(low.text), _instant(high.text)
    return first is not None and last is not None and first > last


def _instant(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else None


def when(resource: Resource, name: str, rendering: Rendering) -> Span:
    """Return ``nameDateTime``, ``nameInstant`` or ``namePeriod`` of a resource.

    A single time is an interval whose ends are equal.
    """
    kind = text(resource, "resourceType")
    for ending in ("DateTime", "Instant"):
        if value := resource.get(f"{name}{ending}"):
            return point(value, rendering, f"{kind}.{name}")
    period = child(resource, f"{name}Period")
    return period_of(period, rendering, f"{kind}.{name}Period")


def period_of(period: Resource, rendering: Rendering, path: str) -> Span:
    """Return a FHIR Period as an interval."""
    low = known(period.get("start"), rendering, path)
    high = known(period.get("end"), rendering, path)
    return span(low, high, rendering, path)


def point(value: object, rendering: Rendering, path: str) -> Span:
    """Return a single time as an interval whose ends are equal."""
    single = known(value, rendering, path)
    return Span(single, single)


def known(value: object, rendering: Rendering, path: str) -> Moment | None:
    """Return a time, or None with a finding when it is there and cannot be read."""
    found = moment(value)
    if found is None and value:
        rendering.find("unreadable-time", path, "a time is not in the calendar")
    return found
