"""DT, DTM and TM: times as precise as they were written, and no more."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

_DTM: Final = re.compile(
    r"(?P<year>\d{4})"
    r"(?:(?P<month>\d\d)(?:(?P<day>\d\d)"
    r"(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)"
    r"(?P<fraction>\.\d{1,9})?)?)?)?)?)?"
    r"(?P<offset>[+-]\d{4})?",
    re.ASCII,
)
_TM: Final = re.compile(
    r"(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?P<fraction>\.\d{1,9})?)?)?"
    r"(?P<offset>[+-]\d{4})?",
    re.ASCII,
)
_MIDNIGHT_AFTER: Final = 24
_MAX_OFFSET_HOURS: Final = 14


class Precision(IntEnum):
    """The smallest part that was written."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    HOUR = 4
    MINUTE = 5
    SECOND = 6


class Timestamp(NamedTuple):
    """One DT or DTM value. Parts beyond `precision` hold their lowest value."""

    precision: Precision
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    fraction: str
    offset_minutes: int | None

    @property
    def date_text(self) -> str:
        """The date in ISO form as far as it is known: ``2024``, ``2024-02``, ..."""
        parts = (f"{self.year:04}", f"{self.month:02}", f"{self.day:02}")
        return "-".join(parts[: min(self.precision, Precision.DAY)])

    @property
    def time_text(self) -> str:
        """The time of day as ``HH:MM:SS`` with its fraction; ``""`` for a date."""
        if self.precision < Precision.HOUR:
            return ""
        return f"{self.hour:02}:{self.minute:02}:{self.second:02}{self.fraction}"

    @property
    def offset_text(self) -> str:
        """The offset as ``+02:00``; ``""`` where none was written."""
        if self.offset_minutes is None:
            return ""
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"{'-' if self.offset_minutes < 0 else '+'}{hours:02}:{minutes:02}"

    def instant(self, zone: timezone | None = None) -> datetime:
        """Return the moment as an aware UTC datetime.

        Args:
            zone: what to assume where the value has no offset; None means UTC.
        """
        if self.offset_minutes is not None:
            zone = timezone(timedelta(minutes=self.offset_minutes))
        micro = int(self.fraction[1:7].ljust(6, "0")) if self.fraction else 0
        moment = datetime(
            self.year, self.month, self.day, self.hour, self.minute, self.second, micro,
            tzinfo=zone or UTC,
        )  # fmt: skip
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # 99991231 is written for "without end"
            return moment.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def read_timestamp(text: str) -> Timestamp | None:
    """Return what a DT, DTM or TS value says; None when no rule reads it.

    ``24:00`` is midnight of the next day; a value of zeros says nothing.

    Spec:
        HL7 v2.9 chapter 2A, DTM: ``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]``.

    Examples:
        >>> read_timestamp("198001").date_text
        '1980-01'
        >>> read_timestamp("202401022400-0500").date_text
        '2024-01-03'
        >>> read_timestamp("00000000") is None
        True
    """
    found = _DTM.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    parts = [int(part) for part in (year, month, day, hour, minute, second) if part]
    precision = Precision(len(parts))
    value = [*parts, *(1, 1, 1, 0, 0, 0)[len(parts) :]]
    return _checked(precision, value, fraction or "", offset)


def read_time(text: str) -> str | None:
    """Return a TM value as ``HH:MM:SS`` with its fraction, without the offset.

    Examples:
        >>> read_time("0830")
        '08:30:00'
    """
    found = _TM.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second, fraction, _ = found.groups()
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:  # noqa: PLR2004
        return None
    return f"{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"


def _checked(
    precision: Precision, value: list[int], fraction: str, offset: str | None
) -> Timestamp | None:
    year, month, day, hour, minute, second = value
    minutes = _offset(offset)
    next_day = hour == _MIDNIGHT_AFTER and not (minute or second)
    try:
        moment = datetime(  # noqa: DTZ001 - the offset is kept beside it
            year, month, day, 0 if next_day else hour, minute, second
        )
        moment += timedelta(days=1) if next_day else timedelta()
    except (ValueError, OverflowError):
        return None
    if offset and minutes is None:
        return None
    return Timestamp(
        precision, moment.year, moment.month, moment.day, moment.hour,
        moment.minute, moment.second, fraction, minutes,
    )  # fmt: skip


def _offset(text: str | None) -> int | None:
    if not text:
        return None
    hours, minutes = int(text[1:3]), int(text[3:])
    if hours > _MAX_OFFSET_HOURS or minutes > 59:  # noqa: PLR2004 - minutes
        return None
    total = hours * 60 + minutes
    return -total if text[0] == "-" else total


def read_date(text: str) -> date | None:
    """Return a whole date from the first eight digits of a DT or DTM value."""
    found = read_timestamp(text[:8])
    if found is None or found.precision is not Precision.DAY:
        return None
    return date(found.year, found.month, found.day)
