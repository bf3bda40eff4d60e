"""What every database must do with patients that are fed over FHIR (ITI-104)."""

import pytest

from engine.channels.patient_feed import opened
from engine.hl7 import parse
from engine.identity import Identifier, Reading, registration_of
from engine.identity.registration import Assigner
from engine.store.patients import mint
from tests.fed_patients import SYSTEM, fed, replaced, resource
from tests.hospital import Hospital

OID = SYSTEM.removeprefix("urn:oid:")
READING = Reading(assigners={OID: Assigner(SYSTEM), "RED": Assigner(SYSTEM)})
OTTO = {
    "name": [{"family": "Vance", "given": ["Otto"]}],
    "gender": "male",
    "birthDate": "1971-11-07",
}


class Fed(Hospital):
    """A hospital whose patients come by PUT."""

    def put(self, patient, number="994"):
        message = opened(parse(fed(patient, number).message))
        read = registration_of(message, self.reading, mint, next(self.numbers))
        return self.take(read.registration)

    def known(self, number):
        found = self.ask(lambda patients: patients.known([_of(number)]))
        return found.get(_of(number))


def _of(number):
    return Identifier(SYSTEM, "MR", number)


@pytest.fixture
def hospital(store):
    return Fed(store, READING)


def test_an_update_changes_the_one_record_and_sent_again_nothing(hospital):
    first = hospital.put(resource(name=[{"family": "Mohr", "given": ["Alissa"]}]))
    hospital.put(resource())
    before = hospital.rows("link_event")

    again = hospital.put(resource())

    assert again.enterprise_id == first.enterprise_id
    assert hospital.known("994").traits.given == "alice"
    assert (hospital.rows("record"), hospital.rows("person")) == (1, 1)
    assert hospital.rows("link_event") == before
    assert hospital.faults() == ()


def test_a_number_is_the_same_over_fhir_and_over_hl7_v2(hospital):
    by_fhir = hospital.put(resource())
    by_v2 = hospital.send("994", authority="RED", family="Mohr", given="Alice",
                          birth="19580130")  # fmt: skip

    assert by_v2.enterprise_id == by_fhir.enterprise_id
    assert hospital.rows("record") == 1


def test_what_an_update_leaves_out_stays_known(hospital):
    hospital.put(resource(telecom=[{"system": "phone", "value": "5035550123"}]))

    hospital.put(resource())

    assert hospital.known("994").traits.phone == "5035550123"


@pytest.mark.parametrize("known", [("994", "m94"), ("m94",), ("994",)])
def test_one_that_is_replaced_is_merged_whichever_of_the_two_is_known(hospital, known):
    maiden = resource("m94", name=[{"family": "Mohr", "given": ["Maiden"]}])
    told = {"994": resource(), "m94": maiden}
    for number in known:
        hospital.put(told[number], number)

    decision = hospital.put(replaced("m94", "994"), "m94")
    again = hospital.put(replaced("m94", "994"), "m94")

    assert not decision.held
    assert again.enterprise_id == decision.enterprise_id
    assert hospital.known("994").person == decision.enterprise_id
    assert hospital.known("m94") is None or (
        hospital.known("m94").person == decision.enterprise_id
        and hospital.known("m94").retired
    )
    assert hospital.open_tasks() == []
    assert hospital.faults() == ()


def test_a_merge_against_the_evidence_is_a_doubt_and_joins_nobody(hospital):
    hospital.put(resource())
    hospital.put(resource("m94", **OTTO), "m94")

    decision = hospital.put(replaced("m94", "994"), "m94")

    assert decision.held
    assert hospital.open_tasks() == ["MERGE_CONFLICT"]
    assert hospital.known("994").person != hospital.known("m94").person
