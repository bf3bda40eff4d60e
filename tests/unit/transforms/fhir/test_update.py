"""An empty field leaves, a null removes, lists are joined, and order does not matter.

T19 and T31.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.fhir.bundle import (
    queries,
    read_json,
    refer_outside,
    write_json,
)
from engine.transforms.fhir.stamps import SAID, Stamp, rank_of
from engine.transforms.fhir.update import Update, Version, first, merge
from tests.fhir_messages import adt, mapped, obx, oru, pid, pv1

PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "s", "value": "1"}],
    "birthDate": "1980-02-29",
    "telecom": [{"use": "home", "system": "phone", "value": "1"}],
    "deceasedBoolean": False,
}


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def at(minutes, resource=None):
    """Return the stamp of a message sent so many minutes after noon."""
    rank = SAID if resource is None else rank_of(resource)
    return Stamp(rank, NOON + timedelta(minutes=minutes))


def updated(known, update, nulls=()):
    return merge(Version(known), Update(update, at(1), nulls=nulls)).resource


def said(minutes, resource, **more):
    when = f"2030-01-01T12:{minutes:02}:00Z"
    return Update(resource, at(minutes, resource), when, **more)


def after(*updates):
    """Return what is known after these updates, in this order."""
    version = first(updates[0])
    for update in updates[1:]:
        version = merge(version, update)
    return version


ELEMENTS = st.dictionaries(
    st.sampled_from(["gender", "birthDate", "active", "maritalStatus"]),
    st.sampled_from(["a", "b"]),
)


def patient(**elements):
    return {"resourceType": "Patient", **elements}


def visit(status, **elements):
    return {"resourceType": "Encounter", "status": status, **elements}


def result(status, **elements):
    return {"resourceType": "Observation", "status": status, **elements}


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

    merged = after(said(1, known.resource), said(2, update.resource)).resource

    assert len(merged["location"]) == 2
    assert merged["statusHistory"] == [
        {
            "status": "planned",
            "period": {"start": "2030-01-01T12:01:00Z", "end": "2030-01-01T12:02:00Z"},
        }
    ]
    assert [one["class"]["code"] for one in merged["classHistory"]] == ["PRENC"]
    assert merged["class"]["code"] == "IMP"


def test_a_history_without_times_says_that_they_are_unknown():
    planned, finished = visit("planned"), visit("finished")
    untimed = replace(said(1, planned), when="")

    [kept] = after(untimed, replace(said(2, finished), when="")).resource[
        "statusHistory"
    ]

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
    merged = updated(known, update)
    here = queries(later.entries)

    refer_outside(merged, {**queries(earlier.entries), **here}, set(here))

    doctor = "Practitioner?identifier=urn:oid:1.2.9|7"
    assert f'{{"reference":"{doctor}"}}'.encode() in write_json(merged)
    assert merged["subject"] == later.all("Patient")[0].reference


def test_a_kept_resource_comes_back_with_its_digits():
    kept = write_json(mapped(oru(obx("NM", "7.50"))).all("Observation")[0].resource)

    assert write_json(read_json(kept)) == kept


@pytest.mark.parametrize(
    "kept", [b'{"a":7.50}', b'{"a":[-7.50,8]}', b'{"a":[1,7.50]}', b'{"a":{"b":0.10}}']
)
def test_decimals_keep_their_digits_wherever_they_stand(kept):
    assert write_json(read_json(kept)) == kept


# ---- T31: order does not matter


def test_T31_an_older_message_fills_in_and_overwrites_nothing():
    newer = said(2, patient(gender="female", birthDate="1980"))
    older = said(1, patient(gender="male", maritalStatus={"text": "M"}))

    merged = after(newer, older).resource

    assert merged == patient(
        gender="female", birthDate="1980", maritalStatus={"text": "M"}
    )


def test_T31_an_old_word_comes_back_neither_for_a_null_nor_for_a_removed_link():
    link = {"other": {"reference": "urn:uuid:1"}, "type": "seealso"}
    home = {"use": "home", "system": "phone", "value": "1"}
    known = patient(gender="male", birthDate="1980", link=[link], telecom=[home])
    removal = said(
        2, patient(gender="female"), nulls=["birthDate", "telecom"],
        removed={"link": [link]},
    )  # fmt: skip

    assert after(removal, said(1, known)).resource == patient(gender="female")
    assert after(said(1, known), removal).resource == patient(gender="female")
    again = after(removal, said(3, known)).resource
    assert again == {**known, "gender": "male"}


def test_T31_a_preliminary_result_never_replaces_a_final_one():
    final = said(1, result("final", valueString="5"))
    early = said(2, result("preliminary", valueString="4", note=[{"text": "n"}]))

    merged = after(final, early)

    assert merged == after(early, final)
    assert merged.resource == result("final", valueString="5", note=[{"text": "n"}])


def test_T31_a_status_nobody_told_leaves_the_one_that_was_told():
    final = said(1, result("final", valueString="5"))

    merged = after(final, said(2, result("unknown", valueString="6"))).resource

    assert merged == result("final", valueString="6")


def test_a_presumed_status_does_not_bring_a_discharged_patient_back():
    gone = visit("finished", period={"start": "2024-01-01", "end": "2024-01-05"})
    later = visit("in-progress", period={"start": "2024-01-01"})

    merged = after(said(1, gone), said(2, later, presumed=("status",))).resource

    assert merged == gone


def test_an_empty_result_leaves_the_value_and_a_cancelled_one_replaces_it():
    known = said(1, result("final", valueString="5"))
    absent = result("final", dataAbsentReason={"text": "unknown"})

    kept = after(known, said(2, absent, presumed=("value",))).resource
    gone = after(known, said(2, absent)).resource

    assert kept == result("final", valueString="5")
    assert gone == absent


def test_an_element_and_its_extension_are_replaced_together():
    known = patient(gender="unknown", _gender={"extension": [{"url": "alternate"}]})

    assert updated(known, patient(gender="female")) == patient(gender="female")


VALUES = st.sampled_from(["a", "b", "c"])
LISTS = st.lists(
    st.builds(lambda use, value: {"use": use, "value": value},
              st.sampled_from(["home", "work"]), VALUES),
    min_size=1, max_size=2, unique_by=lambda one: one["use"],
)  # fmt: skip
VISITS = st.fixed_dictionaries(
    {
        "resourceType": st.just("Encounter"),
        "status": st.sampled_from(["planned", "in-progress", "finished", "unknown"]),
    },
    optional={
        "class": VALUES,
        "telecom": LISTS,
        "period": st.fixed_dictionaries({}, optional={"start": VALUES, "end": VALUES}),
        "onsetString": VALUES,
        "onsetAge": VALUES,
    },
)
RESULTS = st.fixed_dictionaries(
    {
        "resourceType": st.just("Observation"),
        "status": st.sampled_from(["preliminary", "final", "amended", "unknown"]),
    },
    optional={"valueString": VALUES, "valueInteger": VALUES, "note": VALUES},
)


@st.composite
def orders(draw):
    """Return updates as they were sent, and the same in another order with resends."""
    kind = draw(st.sampled_from([VISITS, RESULTS]))
    sent = [
        said(
            minute,
            draw(kind),
            presumed=draw(st.sampled_from([(), ("status",), ("class",)])),
            nulls=draw(st.sampled_from([(), ("onsetAge",), ("telecom",)])),
        )
        for minute in range(draw(st.integers(2, 6)))
    ]
    repeated = draw(st.lists(st.sampled_from(sent), max_size=3))
    return sent, draw(st.permutations([*sent, *repeated]))


@given(orders())
def test_T31_any_order_with_resends_ends_in_the_same_resource(given_orders):
    sent, shuffled = given_orders

    one, other = after(*sent), after(*shuffled)

    assert one.resource == other.resource
    assert one.latest == other.latest


def test_of_very_many_words_a_history_keeps_where_each_run_begins_and_ends():
    words = [
        said(minute, visit("planned" if minute < 20 else "finished"))
        for minute in range(40)
    ]

    version = after(*words)

    [planned] = version.resource["statusHistory"]
    assert planned["period"] == {
        "start": "2030-01-01T12:00:00Z", "end": "2030-01-01T12:20:00Z",
    }  # fmt: skip
    assert len(version.past["status"]) <= 16
