"""The rest of ADT: transfers, leaves, cancels, links, beds (section 3, T17, T34)."""

import pytest

from engine.transforms.fhir.update import Update, Version, merge
from tests.builders import er7
from tests.fhir_messages import adt, losses, mapped, msh, pid, pv1, resource, resources


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A09", "in-progress"), ("A10", "in-progress"), ("A12", "in-progress"),
        ("A14", "planned"), ("A15", "in-progress"), ("A16", "in-progress"),
        ("A17", "in-progress"), ("A21", "onleave"), ("A22", "in-progress"),
        ("A23", "entered-in-error"), ("A25", "in-progress"), ("A26", "in-progress"),
        ("A27", "cancelled"), ("A32", "in-progress"), ("A33", "in-progress"),
        ("A38", "cancelled"), ("A52", "in-progress"), ("A53", "onleave"),
        ("A54", "in-progress"), ("A55", "in-progress"), ("A61", "in-progress"),
        ("A62", "in-progress"),
    ],
)  # fmt: skip
def test_t17_the_event_is_the_status(event, status):
    assert resource(adt(event), "Encounter")["status"] == status


@pytest.mark.parametrize("event", ["A23", "A27", "A38"])
def test_t17_what_is_called_back_is_not_finished_by_a_discharge_time(event):
    data = adt(event, pid(), pv1(f45="20240103"))

    assert resource(data, "Encounter")["status"] != "finished"


STAYS = {"f3": "NOW^1", "f6": "BEFORE^1", "f11": "TEMP^1", "f42": "NEXT^1"}


@pytest.mark.parametrize(
    ("event", "stays"),
    [
        ("A02", {"NOW": "active", "BEFORE": "completed", "TEMP": "active",
                 "NEXT": "planned"}),
        ("A09", {"NOW": "completed", "BEFORE": "completed", "TEMP": "active"}),
        ("A12", {"NOW": "active"}),
        ("A15", {"NOW": "active", "BEFORE": "completed", "TEMP": "active",
                 "NEXT": "planned"}),
        ("A26", {"NOW": "active", "BEFORE": "completed", "TEMP": "active"}),
        ("A32", {"NOW": "planned"}),
        ("A33", {"NOW": "active"}),
    ],
)  # fmt: skip
def test_t34_where_the_patient_is_after_the_event(event, stays):
    data = adt(event, pid(), pv1(**STAYS))
    names = {
        entry.full_url: entry.resource["partOf"]["reference"]
        for entry in mapped(data).all("Location")
        if "partOf" in entry.resource
    }
    wards = {
        entry.full_url: entry.resource["name"] for entry in mapped(data).all("Location")
    }

    found = resource(data, "Encounter")["location"]

    assert {
        wards[names[one["location"]["reference"]]]: one["status"] for one in found
    } == stays


def test_a_place_that_the_event_undoes_is_listed():
    assert losses(adt("A12", pid(), pv1(**STAYS)))["PV1-42"] == "no-fhir-home"


def test_a17_swaps_two_patients_in_one_transaction():
    other = pid(f3="200^^^HOSP&1.2.3&ISO^MR")
    data = adt("A17", pid(), pv1(f3="A^1", f6="B^1", f19="V1"), other,
               pv1(f3="B^1", f6="A^1", f19="V2"), structure="ADT_A17")  # fmt: skip

    found = mapped(data)

    one, two = found.patients
    first, second = found.all("Encounter")
    assert first.resource["subject"] == one.reference
    assert second.resource["subject"] == two.reference
    assert (
        first.resource["location"][0]["location"]
        == second.resource["location"][1]["location"]
    )


@pytest.mark.parametrize(("event", "field"), [("A54", "f7"), ("A61", "f9")])
def test_a_doctor_joins_the_visit_from_now(event, field):
    data = adt(event, pid(), pv1(**{field: "7^Doc^Dora"}))

    [doctor] = resource(data, "Encounter")["participant"]

    assert doctor["period"] == {"start": "2024-01-02T03:04:05-05:00"}


@pytest.mark.parametrize("event", ["A55", "A62"])
def test_a_doctor_who_is_back_was_never_gone(event):
    data = adt(event, pid(), pv1(f7="7^Doc^Dora"))

    assert "period" not in resource(data, "Encounter")["participant"][0]


def test_a_doctor_joins_without_an_evn():
    data = er7(msh("ADT^A54"), pid(), pv1(f7="7^Doc^Dora"))

    assert "period" not in resource(data, "Encounter")["participant"][0]


def test_a29_withdraws_the_person_and_deletes_nothing():
    found = mapped(adt("A29"))

    assert found.patients[0].resource["active"] is False
    assert "DELETE" not in {entry.method for entry in found.entries}


LINKED = (pid(), pid(f3="200^^^HOSP&1.2.3&ISO^MR"))


def test_a24_links_both_ways():
    one, two = mapped(adt("A24", *LINKED, structure="ADT_A24")).patients

    assert one.resource["link"] == [{"other": two.reference, "type": "seealso"}]
    assert two.resource["link"] == [{"other": one.reference, "type": "seealso"}]


def test_a37_takes_this_link_away_and_leaves_others():
    [known, _] = mapped(adt("A24", *LINKED, structure="ADT_A24")).patients
    [update, _] = mapped(adt("A37", *LINKED, structure="ADT_A24")).patients
    other = {"other": {"reference": "urn:uuid:other"}, "type": "seealso"}
    known.resource["link"].append(other)

    merged = merge(
        Version(known.resource), Update(update.resource, removed=update.removed)
    )

    assert merged.resource["link"] == [other]


def test_a_link_needs_two():
    assert "link" not in resource(adt("A24", pid(), structure="ADT_A24"), "Patient")


def test_a20_says_what_state_a_bed_is_in():
    found = mapped(er7(msh("ADT^A20"), "EVN|A20|20240102", "NPU|W^1^2^HOSP|U"))

    [bed] = [one for one in found.all("Location") if one.method == "PUT"]
    assert bed.resource["operationalStatus"]["code"] == "U"
    assert not found.patients


def test_a_bed_without_a_name_is_listed():
    assert losses(er7(msh("ADT^A20"), "NPU||U"))["NPU-2"] == "no-fhir-home"


def test_the_two_kinds_of_point_of_care_stay_apart():
    assert len(resources(adt("A60", pid(), "IAM|1|DA|1^Aspirin^L"),
                         "AllergyIntolerance")) == 1  # fmt: skip
