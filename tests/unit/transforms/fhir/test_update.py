"""merge_update: an empty field leaves, a null removes, lists are joined by meaning."""

from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.fhir.bundle import (
    queries,
    read_json,
    refer_outside,
    write_json,
)
from engine.transforms.fhir.update import merge_update
from tests.fhir_messages import adt, mapped, obx, oru, pid, pv1

PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "s", "value": "1"}],
    "birthDate": "1980-02-29",
    "telecom": [{"use": "home", "system": "phone", "value": "1"}],
    "deceasedBoolean": False,
}


def updated(*arguments):
    return merge_update(*arguments)


ELEMENTS = st.dictionaries(
    st.sampled_from(["gender", "birthDate", "active", "maritalStatus"]),
    st.sampled_from(["a", "b"]),
)


def patient(**elements):
    return {"resourceType": "Patient", **elements}


def test_what_an_update_does_not_say_stays():
    merged = updated(PATIENT, patient(gender="female"))

    assert merged == {**PATIENT, "gender": "female"}


def test_a_null_removes():
    merged = updated(PATIENT, patient(), ["birthDate"])

    assert "birthDate" not in merged


def test_identifiers_gather_and_telephones_are_replaced_by_use():
    update = patient(
        identifier=[{"system": "s", "value": "2"}],
        telecom=[
            {"use": "home", "system": "phone", "value": "9"},
            {"use": "work", "system": "phone", "value": "8"},
        ],
    )

    merged = updated(PATIENT, update)

    assert [one["value"] for one in merged["identifier"]] == ["2", "1"]
    assert [one["value"] for one in merged["telecom"]] == ["9", "8"]


def test_a_new_kind_of_value_replaces_the_old_kind():
    merged = updated(PATIENT, patient(deceasedDateTime="2024"))

    assert "deceasedBoolean" not in merged


def test_a_result_that_arrives_needs_no_reason_for_its_absence():
    known = {"resourceType": "Observation", "dataAbsentReason": {"text": "none"}}
    update = {"resourceType": "Observation", "valueString": "1"}

    assert updated(known, update) == update


def test_a_transfer_remembers_the_stay_the_status_and_the_class():
    known = mapped(adt("A05", pid(), pv1(f2="P", f3="W1^1^1"))).all("Encounter")[0]
    update = mapped(adt("A06", pid(), pv1(f2="I", f3="W2^1^1"))).all("Encounter")[0]

    merged = updated(known.resource, update.resource)

    assert len(merged["location"]) == 2
    assert [one["status"] for one in merged["statusHistory"]] == ["planned"]
    assert [one["class"]["code"] for one in merged["classHistory"]] == ["PRENC"]
    assert merged["class"]["code"] == "IMP"


def test_a_history_without_times_says_that_they_are_unknown():
    known = {"resourceType": "Encounter", "status": "planned"}
    update = {"resourceType": "Encounter", "status": "finished"}

    [kept] = updated(known, update)["statusHistory"]

    assert kept["period"]["extension"][0]["valueCode"] == "unknown"


@given(known=ELEMENTS, update=ELEMENTS)
def test_nothing_is_lost_and_the_update_wins(known, update):
    merged = updated(patient(**known), patient(**update))

    assert merged == patient(**{**known, **update})


@given(known=ELEMENTS, update=ELEMENTS)
def test_an_update_twice_changes_nothing_more(known, update):
    once = updated(patient(**known), patient(**update))

    assert updated(once, patient(**update)) == once


def test_what_only_an_earlier_message_spoke_of_is_referred_to_by_query():
    earlier = mapped(adt("A01", pid(), pv1(f7="7^Doc^Dora^^^^^^&1.2.9&ISO")))
    later = mapped(adt("A08", pid(), pv1()))
    known = read_json(write_json(earlier.all("Encounter")[0].resource))
    update = later.all("Encounter")[0].resource
    merged = merge_update(known, update)
    here = queries(later.entries)

    refer_outside(merged, {**queries(earlier.entries), **here}, set(here))

    doctor = "Practitioner?identifier=urn:oid:1.2.9|7"
    assert f'{{"reference":"{doctor}"}}'.encode() in write_json(merged)
    assert merged["subject"] == later.all("Patient")[0].reference


def test_a_kept_resource_comes_back_with_its_digits():
    kept = write_json(mapped(oru(obx("NM", "7.50"))).all("Observation")[0].resource)

    assert write_json(read_json(kept)) == kept
