"""Times: as precise as they were written, and no more."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7.timestamps import Precision, read_date, read_time, read_timestamp

MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - written without zone
MINUTES = st.integers(-14 * 60, 14 * 60)


@given(moment=MOMENTS, minutes=MINUTES)
def test_an_instant_is_read_as_it_was_written(moment, minutes):
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    found = read_timestamp(
        f"{moment.year:04}{moment:%m%d%H%M%S.%f}{sign}{hours:02}{rest:02}"
    )

    assert found is not None
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert found.instant() == aware.astimezone(UTC)
    assert f"{found.date_text}T{found.time_text}{found.offset_text}" == (
        f"{aware.isoformat(timespec='microseconds')}"
    )


@given(text=st.one_of(st.text(max_size=24), st.text("0129+-.", max_size=24)))
def test_reading_never_raises(text):
    found = read_timestamp(text)

    if found is not None:
        found.instant()
        assert text.strip().startswith(found.date_text[:4]) or found.hour == 0
    read_time(text)
    read_date(text)


@pytest.mark.parametrize(
    ("text", "precision", "date_text", "time_text"),
    [
        ("1980", Precision.YEAR, "1980", ""),
        ("198002", Precision.MONTH, "1980-02", ""),
        ("19800229", Precision.DAY, "1980-02-29", ""),
        ("1980022908", Precision.HOUR, "1980-02-29", "08:00:00"),
        ("198002290830", Precision.MINUTE, "1980-02-29", "08:30:00"),
        ("19800229083015.25", Precision.SECOND, "1980-02-29", "08:30:15.25"),
        ("198002282400", Precision.MINUTE, "1980-02-29", "00:00:00"),
    ],
)
def test_precision_is_what_was_written(text, precision, date_text, time_text):
    found = read_timestamp(f" {text} ")

    assert found is not None
    assert found.precision is precision
    assert (found.date_text, found.time_text) == (date_text, time_text)
    assert found.offset_text == ""


@pytest.mark.parametrize(
    "text",
    ["", "00000000", "19810229", "198013", "1980022925", "198002292401", "1980-02-29",
     "99991231240000", "19800229+1500", "19800229+0099", "yesterday"],
)  # fmt: skip
def test_what_is_no_time_is_none(text):
    assert read_timestamp(text) is None


def test_without_an_offset_the_callers_zone_counts():
    found = read_timestamp("20300101")

    assert found is not None
    assert found.instant() == datetime(2030, 1, 1, tzinfo=UTC)
    assert found.instant(timezone(timedelta(hours=1))) == datetime(
        2029, 12, 31, 23, tzinfo=UTC
    )


def test_the_end_of_time_has_an_instant():
    found = read_timestamp("99991231235959-0500")

    assert found is not None
    assert found.instant() == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("08", "08:00:00"),
        ("0830", "08:30:00"),
        ("083015.5+0100", "08:30:15.5"),
        ("2400", None),
        ("0860", None),
        ("083060", None),
        ("8:30", None),
    ],
)
def test_a_time_of_day_is_read(text, expected):
    assert read_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("19800229", date(1980, 2, 29)),
        ("198002290830", date(1980, 2, 29)),
        ("1980", None),
        ("x", None),
    ],
)
def test_a_whole_date_is_read(text, expected):
    assert read_date(text) == expected
