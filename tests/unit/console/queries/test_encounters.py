"""Encounters on one line of time: two beds at once argue against one person."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.console.queries.encounters import (
    LEFT,
    WIDTH,
    Visit,
    _instant,
    clashing,
    drawn,
)

NOON = datetime(2030, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STAY = Visit(
    record=1,
    kind="inpatient",
    status="finished",
    number="urn:hosp|V1",
    place="NORTH/4W/12/A",
    authority="HOSP",
    begin=NOON - 5 * DAY,
    end=NOON - 2 * DAY,
    message=7,
)
OTHER = replace(STAY, record=2, number="urn:hosp|V2", place="SOUTH/ICU/1", message=9)


def test_two_inpatient_stays_in_two_places_at_once_clash():
    assert clashing([STAY, OTHER], NOON) == [(STAY, OTHER)]


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "outpatient"},
        {"status": "planned"},
        {"status": "cancelled"},
        {"number": STAY.number},
        {"place": "NORTH/4W"},
        {"place": ""},
        {"begin": STAY.end},
        {"begin": STAY.begin - DAY, "end": STAY.begin},
        {"begin": STAY.begin - DAY, "end": None, "status": "unknown"},
    ],
    ids=" ".join,
)
def test_what_one_person_can_have_had_does_not_clash(given):
    assert clashing([STAY, replace(OTHER, **given)], NOON) == []


def test_a_stay_that_goes_on_lasts_till_now_and_two_systems_are_two_places():
    goes_on = replace(OTHER, begin=STAY.begin - DAY, end=None, status="in-progress")
    elsewhere = replace(goes_on, place="", authority="CLINIC")

    assert clashing([STAY, goes_on], NOON) == [(STAY, goes_on)]
    assert clashing([STAY, elsewhere], NOON) == [(STAY, elsewhere)]


def test_visits_are_drawn_to_one_scale_and_marked_where_they_clash():
    third = replace(OTHER, number="urn:hosp|V3", begin=NOON, end=NOON, kind="emergency")

    found = drawn([STAY, OTHER, third], [2, 3, 1], NOON)

    assert [number for number, _ in found.lanes] == [2, 1]
    assert [each.clashes for each in found.visits] == [True, True, False]
    first, _, last = found.visits
    assert (first.x, last.x) == (LEFT, WIDTH - 4)
    assert first.x + first.width < last.x
    assert first.called == "V1"
    assert first.where == "NORTH 4W 12 A"
    assert found.height > max(y for _, y in found.lanes)


@pytest.mark.parametrize(
    ("text", "last", "found"),
    [
        ("2030-01-10T12:00:00+00:00", False, NOON),
        ("2030-01-10", False, NOON.replace(hour=0)),
        ("2030-01-10", True, NOON.replace(hour=0) + DAY),
        ("2030-01", False, None),
        ("2030-01-1x", False, None),
        (None, False, None),
    ],
)
def test_a_day_is_over_at_midnight_and_a_month_is_no_time(text, last, found):
    assert _instant(text, UTC, last=last) == found


def test_a_visit_is_told_in_a_sentence():
    goes_on = replace(STAY, kind="", days=("2030-01-05", ""), end=None, clashes=True)

    assert STAY.sentence == (
        "inpatient V1, NORTH 4W 12 A, 2030-01-05 12:00 to 2030-01-08 12:00"
    )
    assert goes_on.sentence == (
        "visit V1, NORTH 4W 12 A, 2030-01-05 to no end told; two places at once"
    )
