"""ITI-10: who subscribes hears of a person's identifiers when their set changed."""

import pytest

from engine.hl7 import parse
from engine.identity.person import LinkKind
from engine.store.deliveries import Turn, claim_heads
from tests.builders import adt_patient
from tests.databases import BOTH
from tests.stored import LATER, NOON
from tests.wards import Ward

CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: pharmacy
    mllp: {host: 127.0.0.1, port: 6661, pix-updates: [HOSP, CLINIC]}
  - name: his
    mllp: {host: 127.0.0.1, port: 6662}
"""
SAME = {"ssn": "123-45-6780", "address": "12 Elm Street^^Utica^NY^13501"}
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


@pytest.fixture(params=["sqlite"])
def ward(request, tmp_path):
    return Ward(tmp_path, CHANNEL, request.param)


def told(ward, after=0):
    """Return the numbers each notification lists, in order."""
    messages = [parse(data) for data, _ in ward.outbox("pharmacy", after)]
    assert {each["MSH-9.2"] for each in messages} <= {"A31"}
    assert {each["PV1-2"] for each in messages} <= {"N"}
    pids = [each.all("PID")[0] for each in messages]
    return [sorted(one.text() for one in pid.repetitions(3)) for pid in pids]


def heads(ward):
    """Return the lanes that have a notification to send now."""
    turn = Turn("adt", "pharmacy", "node", NOON, LATER)
    with ward.store.engine() as connection:
        claimed = claim_heads(connection, ward.store.sealer, turn, 10)
    return [each.lane_id for each in claimed]


def test_M11_a_registration_that_adds_a_number_is_told_once(ward):
    ward.send(adt_patient("1", **SAME))
    assert told(ward) == []

    ward.send(adt_patient("7", authority="CLINIC", **SAME))
    ward.send(adt_patient("7", authority="CLINIC", **SAME, trigger="A08"))

    assert told(ward) == [["1", "7"]]
    [(data, name)] = ward.outbox("pharmacy")
    cx = parse(data).all("PID")[0].repetitions(3)
    assert {(one.text(), one.text(4), one.text(5)) for one in cx} == {
        ("1", "HOSP", "MR"),
        ("7", "CLINIC", "MR"),
    }
    assert parse(data)["MSH-10"] == name
    assert len(ward.outbox("his")) == 3


def test_M11_a_second_number_of_a_known_record_is_told(ward):
    ward.send(adt_patient("1"))
    both = adt_patient("1", trigger="A08").replace(
        b"|1^^^HOSP^MR|", b"|1^^^HOSP^MR~9^^^HOSP^PI|"
    )

    ward.send(both)
    ward.send(both)

    assert told(ward) == [["1", "9"]]


def test_M11_a_number_of_a_domain_nobody_asked_for_is_not_told(ward):
    ward.send(adt_patient("1", **SAME))

    ward.send(adt_patient("5", authority="LAB", **SAME))

    assert ward.person("5", "LAB") == ward.person("1")
    assert told(ward) == []


@pytest.mark.parametrize("ward", BOTH, indirect=True)
def test_M11_a_move_is_told_of_both_persons_each_in_its_lane(ward):
    ward.send(adt_patient("1", **SAME), adt_patient("7", authority="CLINIC", **SAME))
    before = ward.last()

    ward.decide(LinkKind.SPLIT, records=(ward.record("7", "CLINIC"),))
    ward.run()

    assert told(ward, before) == [["1"], ["7"]]
    assert len(set(heads(ward))) == 2


def test_M11_a_merge_is_told_of_the_survivor_and_an_unmerge_of_both(ward):
    ward.send(adt_patient("1"), adt_patient("2", **OTTO))
    one, two, before = ward.person("1"), ward.person("2"), ward.last()

    ward.decide(LinkKind.MERGE, source=two, target=one)
    ward.run()
    assert told(ward, before) == [["1", "2"]]

    ward.decide(LinkKind.UNMERGE, source=two)
    ward.run()
    assert sorted(told(ward, before)[1:]) == [["1"], ["2"]]


def test_M11_what_two_pairs_told_apart_change_is_nothing(ward):
    ward.send(adt_patient("1"), adt_patient("2", **OTTO))
    records = (ward.record("1"), ward.record("2"))

    ward.decide(LinkKind.DIFFERENT, records=records)
    ward.run()

    assert told(ward) == []
    assert ward.worker.turn() == 0


def test_M20_nobody_hears_of_a_confidential_person(ward):
    ward.send(adt_patient("1", **SAME))

    protected = {"about": ["PD1||||||||||||Y"]}
    ward.send(adt_patient("7", authority="CLINIC", **SAME, **protected))

    assert told(ward) == []
