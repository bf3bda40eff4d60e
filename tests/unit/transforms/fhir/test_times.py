"""T01 to T03: times as precise as they were written."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.fhir import MapContext
from engine.transforms.fhir.times import later, moment
from tests.fhir_messages import (
    adt,
    losses,
    obr,
    observation,
    obx,
    oru,
    pid,
    pv1,
    resource,
)

OSLO = ZoneInfo("Europe/Oslo")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("1980", "1980"),
        ("198001", "1980-01"),
        ("19800229", "1980-02-29"),
        ("20240000", "2024"),
        ("20240300", "2024-03"),
        ("00000000", ""),
        ("0000", ""),
        ("yesterday", ""),
        ("20240230", ""),
    ],
)
def test_t01_a_date_is_as_precise_as_it_was_sent(sent, expected):
    assert moment(sent, "", None).text == expected


def test_t01_the_time_of_birth_is_an_extension_of_the_date():
    patient = resource(adt("A01", pid(f7="198001021530-0500"), pv1()), "Patient")

    assert patient["birthDate"] == "1980-01-02"
    [time] = patient["_birthDate"]["extension"]
    assert time["valueDateTime"] == "1980-01-02T15:30:00-05:00"


def test_t01_a_date_is_never_made_an_instant():
    report = resource(oru(obx(), order=obr(f22="20240102")), "DiagnosticReport")

    assert "issued" not in report


def test_t02_the_senders_own_offset_is_kept():
    sent = observation(obx(f14="20240102030405+0130"))

    assert sent["effectiveDateTime"] == "2024-01-02T03:04:05+01:30"


def test_t02_without_one_the_offset_of_the_message_counts():
    sent = observation(obx(f14="20240102030405"))

    assert sent["effectiveDateTime"] == "2024-01-02T03:04:05-05:00"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("202407011200", "2024-07-01T12:00:00+02:00"),
        ("202401011200", "2024-01-01T12:00:00+01:00"),
    ],
)
def test_t02_then_the_zone_of_the_feed_with_daylight_saving_of_that_day(sent, expected):
    assert moment(sent, "", OSLO).text == expected


def test_t02_without_any_zone_the_time_is_cut_and_the_cut_is_listed():
    data = oru(obx(f14="20240102030405"), order=obr(f7="", f22=""), zone="")

    assert observation(data)["effectiveDateTime"] == "2024-01-02"
    assert losses(data)["OBX-14"] == "cut-to-date"


def test_t02_a_cut_inside_a_data_type_is_listed_each_time():
    data = adt("A01", pid(), pv1(f7="1^Doe^D^^^^^^^^^^^^^^^^202401020304"), zone="")
    context = MapContext(site="cut")

    for _ in range(2):
        assert losses(data, context=context)["PV1"] == "cut-to-date"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("202401020304-0500", "2024-01-02T03:04:00-05:00"),
        ("20240102000000-0500", "2024-01-02T00:00:00-05:00"),
        ("202401022400-0500", "2024-01-03T00:00:00-05:00"),
        ("20240102030405.1234-0500", "2024-01-02T03:04:05.1234-05:00"),
    ],
)
def test_t03_forms_of_a_time(sent, expected):
    assert moment(sent, "", None).text == expected


def test_t03_what_no_rule_reads_is_listed():
    data = adt("A01", pid(f7="long ago"), pv1())

    assert "birthDate" not in resource(data, "Patient")
    assert losses(data)["PID-7"] == "unreadable"


def test_minutes_move_a_time_and_leave_a_date_alone():
    assert later("2024-01-02T23:30:00+01:00", 45) == "2024-01-03T00:15:00+01:00"
    assert later("2024-01-02", 45) == ""


@given(st.datetimes().map(lambda at: at.strftime("%Y%m%d%H%M%S").zfill(14)))
def test_digits_of_a_time_with_a_zone_all_survive(sent):
    text = moment(sent + "+0100", "", None).text

    assert "".join(c for c in text.removesuffix("+01:00") if c.isdigit()) == sent
