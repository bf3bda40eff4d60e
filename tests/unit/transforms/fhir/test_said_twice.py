"""Two facts under one number stay two facts; what replaces another is listed."""

import pytest

from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.update import replaced
from tests.builders import er7
from tests.fhir_messages import (
    adt,
    losses,
    mapped,
    msh,
    obr,
    obx,
    oru,
    pid,
    pv1,
    resources,
    segment,
)


def diagnosis(**fields):
    base = {"f1": "1", "f3": "E10.9^Diabetes^I10", "f20": "D7^HOSP"}
    return segment("DG1", **{**base, **fields})


def report(*groups):
    return er7(msh("ORU^R01^ORU_R01"), pid(), pv1(), *groups)


def results(data):
    found = resources(data, "Observation")
    return sorted(found, key=lambda one: one["valueQuantity"]["value"])


def numbers(found):
    """The identifiers of a resource that the sender gave."""
    return [one["value"] for one in found["identifier"] if "key" not in one["system"]]


def test_two_diagnoses_of_one_number_are_two_and_one_goes_without_it():
    data = adt("A01", pid(), pv1(), diagnosis(f5="2018"), diagnosis(f5="2020"))
    found = resources(data, "Condition")
    first, second = sorted(found, key=lambda one: one["onsetDateTime"])

    assert (first["onsetDateTime"], second["onsetDateTime"]) == ("2018", "2020")
    assert (numbers(first), numbers(second)) == (["D7"], [])
    assert losses(data)["DG1[2]-20"] == "duplicate"


@pytest.mark.parametrize("again", [{}, {"f5": "2018"}, {"f5": "2018", "f21": "D"}])
def test_a_diagnosis_said_again_is_one(again):
    data = adt("A01", pid(), pv1(), diagnosis(f5="2018"), diagnosis(**again))

    [found] = resources(data, "Condition")

    assert found["onsetDateTime"] == "2018"
    assert "DG1[2]-20" not in losses(data)


def test_results_of_one_number_are_each_kept():
    values = ["5", "6", "7"]
    data = oru(*(obx("NM", value, f21="R1^LAB") for value in values))
    found = results(data)

    assert [one["valueQuantity"]["value"] for one in found] == [5, 6, 7]
    assert [numbers(one) for one in found] == [["R1"], [], []]
    assert {f"OBX[{n}]-21" for n in (2, 3)} <= losses(data).keys()


def test_orders_of_one_number_do_not_share_their_results():
    data = report(obr(), obx("NM", "5"), obr(), obx("NM", "6"))

    found = results(data)

    assert [one["valueQuantity"]["value"] for one in found] == [5, 6]


def test_relatives_of_one_number_are_told_apart_by_their_names():
    kin = {"f1": "1", "f3": "SPO", "f33": "77"}
    people = [segment("NK1", f2=name, **kin) for name in ("Doe^Al", "Doe^Bo", "Doe^Al")]

    found = resources(adt("A01", pid(), *people, pv1()), "RelatedPerson")

    assert sorted(one["name"][0]["given"] for one in found) == [["Al"], ["Bo"]]


def test_what_a_later_segment_says_otherwise_is_listed_with_the_earlier_one():
    allergy = {"f1": "1", "f3": "7980^Penicillin^RXNORM", "f5": "Hives"}
    again = segment("AL1", **{**allergy, "f5": "Shock"})

    found = mapped(adt("A01", pid(), pv1(), segment("AL1", **allergy), again))

    assert ("AL1", "duplicate", "reaction") in [
        (loss.path, loss.reason, loss.value) for loss in found.losses
    ]


def test_nothing_is_replaced_where_a_list_only_grows():
    before: Element = {"status": "a", "note": [1], "gone": 1, "was": [1]}
    after: Element = {"status": "a", "note": [1, 2], "was": "x"}

    assert [*replaced(before, after)] == ["gone", "was"]


@pytest.mark.parametrize(
    ("number", "lost"),
    [
        ("17275555555^PRN^PH^^1^211^2240784", True),
        ("(211)224-0784^PRN^PH^^1^211^2240784^9", False),
        ("^PRN^PH^^1^211^2240784", False),
        ("17275555555^PRN^PH", False),
        ("17275555555^PRN^Internet^ann@example.org", False),
    ],
)
def test_a_number_beside_another_number_is_listed(number, lost):
    found = losses(adt("A01", pid(f13=number), pv1()))

    assert (found.get("PID-13.1") == "not-mapped-by-choice") is lost
