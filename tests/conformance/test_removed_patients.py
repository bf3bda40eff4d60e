"""A patient whom their system deletes (A29) or removes (ITI-104): marked, not erased.

Spec:
    identity.md 8 (A29: mark, never erase) and 11; fhir.md 3 (``active=false``); IHE
    PIXm 3.0.4, 2:3.104.4.3.
"""

import json

import pytest

from tests.builders import adt_patient
from tests.hospital import Hospital
from tests.wards import Ward

CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: registry
    fhir: {url: "https://fhir.example.org/r4"}
  - name: pharmacy
    mllp: {host: 127.0.0.1, port: 6661, pix-updates: [HOSP, CLINIC]}
"""
SAME = {"ssn": "123-45-6780", "address": "12 Elm Street^^Utica^NY^13501"}
FIRST, SECOND, THIRD, FOURTH = (f"2030010{day}120000" for day in (1, 2, 3, 4))


@pytest.fixture
def ward(tmp_path):
    return Ward(tmp_path, CHANNEL)


def sent(ward):
    """Return the Patient that the registry was told last."""
    content, _ = ward.outbox("registry")[-1]
    [found] = (
        each["resource"]
        for each in json.loads(content)["entry"]
        if each["resource"]["resourceType"] == "Patient"
    )
    return found


def says_activity(ward):
    content, _ = ward.outbox("registry")[-1]
    return b'"active"' in content


def uses(patient):
    return {one["value"]: one.get("use") for one in patient["identifier"][1:]}


def send(ward, number, trigger, at, **given):
    ward.send(adt_patient(number, trigger=trigger, sent=at, **{**SAME, **given}))


def test_the_last_record_of_a_person_takes_the_patient_with_it(ward):
    send(ward, "1", "A28", FIRST)

    send(ward, "1", "A29", SECOND)

    assert sent(ward)["active"] is False
    assert sent(ward)["birthDate"]


def test_a_patient_who_is_known_elsewhere_stays_active_without_that_number(ward):
    send(ward, "1", "A28", FIRST)
    send(ward, "7", "A28", FIRST, authority="CLINIC")
    assert ward.person("1") == ward.person("7", "CLINIC")

    send(ward, "7", "A29", SECOND, authority="CLINIC")
    told = sent(ward)
    send(ward, "1", "A08", THIRD)

    for patient in (told, sent(ward)):
        assert "active" not in patient
        assert (uses(patient)["1"], uses(patient)["7"]) == (None, "old")


def test_a_patient_of_whom_their_system_speaks_again_is_active_again(ward):
    send(ward, "1", "A28", FIRST)
    send(ward, "1", "A29", SECOND)

    send(ward, "1", "A28", THIRD)

    assert "active" not in sent(ward)


def test_a_delete_that_comes_late_leaves_the_patient_active(ward):
    send(ward, "1", "A28", SECOND)

    send(ward, "1", "A29", FIRST)

    assert "active" not in sent(ward)


def test_who_subscribes_hears_that_a_number_is_gone_and_that_it_is_back(ward):
    send(ward, "1", "A28", FIRST)
    send(ward, "7", "A28", FIRST, authority="CLINIC")
    before = ward.last()

    send(ward, "7", "A29", SECOND, authority="CLINIC")
    send(ward, "7", "A28", THIRD, authority="CLINIC")

    gone, back = (data for data, _ in ward.outbox("pharmacy", before))
    assert b"|1^^^HOSP" in gone
    assert b"CLINIC" not in gone
    assert b"CLINIC" in back


def test_every_mark_is_kept_and_the_index_stays_in_order(store):
    hospital = Hospital(store)
    hospital.send("1", **SAME)
    hospital.send("1", trigger="A29", sent=SECOND, **SAME)
    hospital.send("2", sent=THIRD, **SAME)
    assert hospital.person("1") != hospital.person("2")

    hospital.send("1", trigger="A28", sent=FOURTH, **SAME)

    assert hospital.person("1") == hospital.person("2")
    assert hospital.rows("record_version") == 2
    assert hospital.faults() == ()


def test_partial_updates_say_who_is_active_only_when_that_changes(tmp_path):
    partly = "map-options: {update: partial}\ndestinations:"
    ward = Ward(tmp_path, CHANNEL.replace("destinations:", partly))
    send(ward, "1", "A28", FIRST)
    send(ward, "1", "A08", FIRST)
    assert not says_activity(ward)

    send(ward, "1", "A29", SECOND)
    assert says_activity(ward)

    send(ward, "1", "A28", THIRD)
    assert says_activity(ward)
