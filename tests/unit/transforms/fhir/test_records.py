"""T28: accounts and visits merged, moved and given other numbers."""

import pytest

from tests.builders import er7
from tests.fhir_messages import losses, mapped, msh, pid, pv1, segment

AUTHORITY = "^^^HOSP&1.2.3&ISO"
PERSON = pid(f18=f"A1{AUTHORITY}^AN")
MRG = segment(
    "MRG", f1=f"900{AUTHORITY}^MR", f3=f"A9{AUTHORITY}^AN", f5=f"V9{AUTHORITY}^VN",
    f6=f"X9{AUTHORITY}^VN", f7="Doe^Anna",
)  # fmt: skip


def merge(event, person=PERSON, mrg=MRG, visit=""):
    visits = (visit or pv1(),)
    return er7(msh(f"ADT^{event}"), f"EVN|{event}|20240102", person, mrg, *visits)


def numbers(entry):
    return [(one["value"], one.get("use")) for one in entry.resource["identifier"]]


@pytest.mark.parametrize("event", ["A18", "A34", "A36", "A39", "A40"])
def test_t28_persons_are_merged(event):
    survivor, retired = mapped(merge(event)).patients

    assert retired.resource["active"] is False
    assert retired.resource["link"][0]["other"] == survivor.reference


@pytest.mark.parametrize("event", ["A35", "A41", "A42", "A44", "A49", "A50", "A51"])
def test_t28_the_person_of_a_record_is_left_alone(event):
    [person] = mapped(merge(event)).patients

    assert numbers(person) == [("100482", None)]
    assert "link" not in person.resource


@pytest.mark.parametrize("event", ["A35", "A36", "A41"])
def test_t28_accounts_are_merged(event):
    kept, prior = mapped(merge(event)).all("Account")

    assert numbers(kept) == [("A1", None), ("A9", "old")]
    assert numbers(prior) == [("A9", "old")]
    assert prior.resource["status"] == "inactive"
    assert prior.resource["partOf"] == kept.reference


def test_t28_visits_are_merged():
    kept, prior = mapped(merge("A42")).all("Encounter")

    assert numbers(kept) == [("V99", None), ("V9", "old")]
    assert numbers(prior) == [("V9", "old")]
    assert prior.resource["status"] == "entered-in-error"
    assert prior.resource["partOf"] == kept.reference


@pytest.mark.parametrize(
    ("event", "mrg"),
    [("A41", segment("MRG", f1="900", f3=f"A1{AUTHORITY}^AN")),
     ("A42", segment("MRG", f1="900", f5=f"V99{AUTHORITY}^VN"))],
)  # fmt: skip
def test_t28_a_record_is_not_merged_with_itself(event, mrg):
    found = mapped(merge(event, mrg=mrg))

    assert [one.code for one in found.findings] == ["merge_with_itself"]
    assert len(found.all("Account")) == len(found.all("Encounter")) == 1


def test_t28_numbers_move_to_another_patient():
    mrg = segment("MRG", f1=f"900{AUTHORITY}^MR", f4=f"777{AUTHORITY}^PI")

    now, before = mapped(merge("A43", mrg=mrg)).patients

    assert numbers(now) == [("100482", None), ("900", None)]
    assert numbers(before) == [("777", None), ("900", "old")]
    assert "active" not in before.resource


def test_t28_numbers_move_from_nobody_known():
    [now] = mapped(merge("A43")).patients

    assert numbers(now) == [("100482", None), ("900", None)]


@pytest.mark.parametrize(("person", "number"), [(PERSON, "A1"), (pid(), "A9")])
def test_t28_an_account_moves_to_this_patient(person, number):
    found = mapped(merge("A44", person=person))

    [account] = found.all("Account")
    assert numbers(account) == [(number, None)]
    assert account.resource["subject"] == [found.patients[0].reference]


def test_t28_a_visit_moves_to_this_patient():
    found = mapped(merge("A45"))

    [visit] = found.all("Encounter")
    assert visit.resource["subject"] == found.patients[0].reference


@pytest.mark.parametrize("event", ["A30", "A46", "A47"])
def test_t28_a_person_keeps_the_old_number(event):
    [person] = mapped(merge(event)).patients

    assert numbers(person) == [("100482", None), ("900", "old")]


def test_t28_an_account_keeps_its_old_number_and_is_found_by_it():
    [account] = mapped(merge("A49")).all("Account")

    assert numbers(account) == [("A1", None), ("A9", "old")]
    assert account.criteria.endswith("|A9")


def test_t28_a_visit_keeps_its_old_number_and_is_found_by_it():
    found = mapped(merge("A50"))

    [visit] = found.all("Encounter")
    assert numbers(visit) == [("V99", None), ("V9", "old"), ("X9", "old")]
    assert visit.criteria.endswith("|V9")
    [source] = [
        one for one in found.all("Provenance")
        if visit.reference in one.resource["target"]
    ][:1]  # fmt: skip
    assert source


def test_t28_a_visit_keeps_its_old_alternate_number():
    mrg = segment("MRG", f1="900", f5=f"V99{AUTHORITY}^VN", f6=f"X9{AUTHORITY}^VN")

    [visit] = mapped(merge("A51", mrg=mrg)).all("Encounter")

    assert numbers(visit) == [("V99", None), ("X9", "old")]
    assert visit.criteria.endswith("|V99")


@pytest.mark.parametrize(
    ("event", "place"),
    [("A41", "MRG-3"), ("A49", "MRG-3"), ("A42", "MRG-5"), ("A50", "MRG-5"),
     ("A50", "MRG-6")],
)  # fmt: skip
def test_t28_a_record_that_has_no_other_half_is_listed(event, place):
    data = er7(msh(f"ADT^{event}"), pid(), MRG)

    assert losses(data)[place] == "no-fhir-home"


def test_t28_a_renamed_account_whose_number_did_not_change_stays():
    mrg = segment("MRG", f1="900", f3=f"A1{AUTHORITY}^AN")

    [account] = mapped(merge("A49", mrg=mrg)).all("Account")

    assert numbers(account) == [("A1", None)]


def test_a_merge_without_a_patient_does_nothing():
    assert not mapped(er7(msh("ADT^A40"), MRG)).patients
