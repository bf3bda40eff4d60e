"""HL7 v2 times to FHIR: as precise as they were written, and never in an invented zone.

Spec:
    fhir.md T01 to T03; FHIR R4, data types dateTime, date, instant, time.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from engine.hl7.timestamps import Precision, Timestamp, read_timestamp

_DATE_LENGTH: Final = 8


class Moment(NamedTuple):
    """One value as FHIR writes it; ``cut`` tells that its time of day had no zone."""

    text: str
    cut: bool = False

    @property
    def instant(self) -> str:
        """The value where it has time and zone, else ``""``."""
        return self.text if "T" in self.text else ""

    @property
    def date(self) -> str:
        """The date alone, as far as it is known."""
        return self.text.partition("T")[0]


NOTHING: Final = Moment("")


@lru_cache(maxsize=8192)
def moment(text: str, offset: str, zone: ZoneInfo | None) -> Moment:
    """Return a DT, DTM or TS value for FHIR; empty text where no rule reads it.

    Args:
        text: the value as sent.
        offset: the offset of MSH-7 as ``+02:00``, or ``""``.
        zone: the feed's zone, for values that no offset explains.
    """
    stamp = read_timestamp(text) or _without_trailing_zeros(text)
    if stamp is None:
        return NOTHING
    if stamp.precision < Precision.HOUR:
        return Moment(stamp.date_text)
    offset = stamp.offset_text or offset or _offset_in(stamp, zone)
    if not offset:
        return Moment(stamp.date_text, cut=True)
    return Moment(f"{stamp.date_text}T{stamp.time_text}{offset}")


@lru_cache(maxsize=4096)
def offset_of(text: str) -> str:
    """Return the offset a time was written with as ``+02:00``, or ``""``."""
    stamp = read_timestamp(text)
    return stamp.offset_text if stamp else ""


def later(text: str, minutes: float) -> str:
    """Return a dateTime with a zone moved by some minutes.

    ``""`` for a mere date, and where the calendar ends before.
    """
    if "T" not in text:
        return ""
    try:
        moved = datetime.fromisoformat(text) + timedelta(minutes=minutes)
    except OverflowError:
        return ""
    return moved.isoformat()


def _without_trailing_zeros(text: str) -> Timestamp | None:
    """Read ``20240000`` as the year 2024: zeros at the end stand for nothing."""
    written = text.strip()
    if len(written) != _DATE_LENGTH or not written.endswith("00"):
        return None
    return read_timestamp(written[:4] if written.endswith("0000") else written[:6])


def _offset_in(stamp: Timestamp, zone: ZoneInfo | None) -> str:
    """Return the offset a zone had at that local time, daylight saving included."""
    if zone is None:
        return ""
    local = datetime(
        stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute, tzinfo=zone
    )
    text = local.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
