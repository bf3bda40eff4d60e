"""SIU: appointments, who takes part in them and when (D18)."""

import pytest

from tests.builders import er7
from tests.fhir_messages import codes, extensions, losses, mapped, msh, pid, resource
from tests.fhir_messages import segment as line

SCH = {
    "f1": "P1^EHR",
    "f2": "F1^SCHED",
    "f6": "HOL^Holiday^L",
    "f7": "CHECKUP",
    "f8": "Normal",
    "f9": "30",
    "f10": "min",
    "f11": "^^^20240302090000-0500^20240302093000-0500",
    "f25": "Booked",
}
AIP = line("AIP", f1="1", f2="A", f3="7^Doc^Dora", f4="ATND^Attending^L",
           f6="20240302090000-0500", f9="15", f10="min")  # fmt: skip


def siu(event="S12", *below, **fields):
    return er7(
        msh(f"SIU^{event}^SIU_S12"),
        line("SCH", **{**SCH, **fields}),
        pid(),
        "RGS|1|A",
        *below,
    )


def appointment(*arguments, **fields):
    return resource(siu(*arguments, **fields), "Appointment")


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [
        ("S12", "", "booked"),
        ("S13", "", "booked"),
        ("S14", "", "booked"),
        ("S15", "", "cancelled"),
        ("S16", "", "cancelled"),
        ("S17", "", "entered-in-error"),
        ("S24", "", "cancelled"),
        ("S26", "", "noshow"),
        ("S12", "Pending", "pending"),
        ("S14", "STARTED", "checked-in"),
        ("S15", "Discontinued", "cancelled"),
        ("S12", "Overbook", "booked"),
        ("S12", "Scheduled", "booked"),
    ],
)
def test_d18_the_filler_status_wins_over_the_event(event, sent, status):
    assert appointment(event, f25=sent)["status"] == status


def test_t22_the_status_as_sent_is_kept():
    [kept] = appointment(f25="Scheduled")["_status"]["extension"]

    assert kept["valueCodeableConcept"]["coding"][0]["code"] == "Scheduled"


def test_an_appointment_is_from_start_to_end():
    found = appointment()

    assert found["start"] == "2024-03-02T09:00:00-05:00"
    assert found["end"] == "2024-03-02T09:30:00-05:00"
    assert found["minutesDuration"] == 30


def test_an_end_is_reckoned_from_the_duration():
    found = appointment(f11="^^^20240302090000-0500")

    assert found["end"] == "2024-03-02T09:30:00-05:00"


def test_t02_a_start_without_a_zone_keeps_its_day_and_stays_no_instant():
    data = siu().replace(b"-0500", b"")

    found = resource(data, "Appointment")

    assert "start" not in found
    assert found["requestedPeriod"][0]["start"] == "2024-03-02"
    assert "extension" in found["_start"]


def test_an_appointment_without_times_says_that_they_are_unknown():
    found = appointment(f11="", f9="")

    assert extensions(found["_start"], "data-absent-reason")
    assert "requestedPeriod" not in found


def test_times_of_the_service_stand_in():
    service = line("AIS", f1="1", f3="C1^Consult^L", f4="20240302090000-0500", f7="20")
    found = appointment("S12", service, f11="")

    assert found["end"] == "2024-03-02T09:20:00-05:00"
    assert found["serviceType"][0]["text"] == "Consult"


def test_everybody_who_takes_part_is_named():
    found = appointment(
        "S12", AIP, line("AIL", f1="1", f3="W^1", f4="C^Clinic^HL70305"),
        line("AIG", f1="1", f3="SCOPE1^Scope^L", f4="EQ^Equipment^L"),
        f12="8^Caller^Cal", f13="^WPN^PH^^1^555^5550100", f20="9^Clerk^Clea",
    )  # fmt: skip

    actors = [one["actor"].get("display", "reference") for one in found["participant"]]
    assert actors == ["reference"] * 4 + ["Scope", "reference"]
    doctor = found["participant"][2]
    assert doctor["period"] == {
        "start": "2024-03-02T09:00:00-05:00",
        "end": "2024-03-02T09:15:00-05:00",
    }


@pytest.mark.parametrize(
    ("sent", "status"),
    [("Cancelled", "declined"), ("Pending", "tentative"), ("", "accepted")],
)
def test_a_part_has_a_status_of_its_own(sent, status):
    person = line("AIP", f1="1", f3="7^Doc^Dora", f12=sent)

    assert appointment("S12", person)["participant"][0]["status"] == status


def test_an_offset_counts_from_the_start():
    room = line("AIL", f1="1", f3="W^1", f7="soon", f8="min")
    other = line("AIL", f1="2", f3="W^2", f7="10", f8="min")

    found = appointment("S12", room, other)

    assert "period" not in found["participant"][0]
    assert found["participant"][1]["period"]["start"] == "2024-03-02T09:10:00-05:00"


def test_a_part_known_by_its_kind_only_still_takes_part():
    found = appointment("S12", "AIP|1|||NURSE^Nurse^L", "AIL|1|||C^Clinic^L", "AIG|1")

    kinds = [one.get("type", [{}])[0].get("text") for one in found["participant"]]
    assert kinds == ["Nurse", "Clinic", None]


@pytest.mark.parametrize(
    ("length", "unit", "whole"), [("90", "s", 1), ("2", "h", 120), ("1", "d", 1440)]
)
def test_durations_are_minutes(length, unit, whole):
    assert appointment(f9=length, f10=unit)["minutesDuration"] == whole


def test_a_duration_in_an_unknown_unit_is_listed():
    assert losses(siu(f9="30", f10="beats"))["SCH-9"] == "no-fhir-home"


def test_reasons_have_their_codes():
    found = appointment(f7="CHECKUP")

    assert codes(found["reasonCode"][0])[0] == (
        "http://snomed.info/sct", "866149003"
    )  # fmt: skip
    assert codes(found["appointmentType"])[0][1] == "Normal"


def test_a_type_sent_as_reason_is_the_type():
    found = appointment(f7="Tentative^Tentative^HL70277", f8="")

    assert "reasonCode" not in found
    assert codes(found["appointmentType"])[0][1] == "Tentative"


def test_why_it_was_called_off_is_said_then_only():
    assert appointment("S15", f25="")["cancelationReason"]["text"] == "Holiday"
    assert losses(siu())["SCH-6"] == "no-fhir-home"


def test_the_patient_takes_part_and_is_the_subject():
    data = siu()
    found = mapped(data)
    [patient] = found.patients

    written = resource(data, "Appointment")

    [subject] = extensions(written, "Appointment.subject")
    assert subject["valueReference"]["reference"] == patient.full_url
    assert written["participant"][-1]["actor"]["reference"] == patient.full_url


def test_notes_are_kept_with_their_author():
    data = siu().replace(b"\rPID|1", b"\rNTE|1||Bring X-rays||9^Clerk^Clea\rPID|1")

    [note] = extensions(resource(data, "Appointment"), "Appointment.note")

    assert note["valueAnnotation"]["text"] == "Bring X-rays"


def test_the_order_of_an_appointment_never_overwrites_a_richer_one():
    found = mapped(siu("S12", "AIS|1||C1^Consult^L||||||||D1^Detail^L",
                       f26="O1^EHR", f27="O2^LAB"))  # fmt: skip

    [order], [booked] = found.all("ServiceRequest"), found.all("Appointment")
    assert order.method == "POST"
    assert booked.resource["basedOn"] == [order.reference]
    assert order.resource["orderDetail"][0]["text"] == "Detail"


def test_who_entered_it_is_in_a_provenance():
    found = mapped(siu(f20="9^Clerk^Clea"))
    [booked] = found.all("Appointment")

    assert any(
        one.resource["target"] == [booked.reference] for one in found.all("Provenance")
    )


def test_t29_an_appointment_keeps_its_identity_when_it_is_moved():
    one, two = (mapped(siu(event)).all("Appointment")[0] for event in ("S12", "S13"))

    assert (one.full_url, one.criteria) == (two.full_url, two.criteria)


def test_an_appointment_without_numbers_or_people_still_stands():
    data = er7(msh("SIU^S12^SIU_S12"), "SCH|||||||||||^^^x")

    found = resource(data, "Appointment")

    assert found["participant"][0]["status"] == "needs-action"
    assert losses(data)["SCH-11"] == "unreadable"
