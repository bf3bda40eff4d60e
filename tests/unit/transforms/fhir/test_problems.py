"""PPR: problems, how sure, how far, and whether they are over (D15, T20)."""

import pytest

from tests.builders import er7
from tests.fhir_messages import codes, losses, mapped, msh, pid, pv1, resource
from tests.fhir_messages import segment as line


def ppr(*more, event="PC1", **fields):
    base = {"f1": "AD", "f2": "20240102", "f3": "I35.0^Stenosis^I10", "f4": "P1^EHR"}
    prb = line("PRB", **{**base, **fields})
    return er7(msh(f"PPR^{event}^PPR_PC1"), pid(), pv1(), prb, *more)


def problem(*more, **fields):
    return resource(ppr(*more, **fields), "Condition")


def coded_as(concept):
    return codes(concept)[0][1]


def test_d15_a_problem_is_a_condition_with_its_times_and_notes():
    found = problem("NTE|1||Watch it", f7="20240103", f10="C^Chronic^L", f16="2019")

    assert codes(found["code"])[0] == ("http://hl7.org/fhir/sid/icd-10", "I35.0")
    assert (found["recordedDate"], found["onsetDateTime"]) == ("2024-01-03", "2019")
    assert found["category"][0]["text"] == "Chronic"
    assert found["note"] == [{"text": "Watch it"}]
    assert coded_as(found["clinicalStatus"]) == "active"
    assert "encounter" in found


def test_an_onset_in_words():
    assert problem(f17="in childhood")["onsetString"] == "in childhood"


@pytest.mark.parametrize(
    ("event", "fields"), [("PC2", {"f1": "DE"}), ("PC3", {}), ("PC3", {"f1": "DE"})]
)
def test_t20_a_deleted_problem_is_entered_in_error(event, fields):
    found = problem(event=event, f9="20240104", **fields)

    assert coded_as(found["verificationStatus"]) == "entered-in-error"
    assert not {"clinicalStatus", "abatementDateTime"} & found.keys()
    assert losses(ppr(event=event, f9="20240104", **fields))["PRB-9"] == "no-fhir-home"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"f14": "Resolved^^L"}, "resolved"),
        ({"f14": "X^Inactive^L"}, "inactive"),
        ({"f9": "20240104"}, "resolved"),
        ({"f9": "20240104", "f14": "Remission"}, "remission"),
        ({"f9": "20240104", "f14": "Active"}, "resolved"),
    ],
)
def test_a_problem_that_has_an_end_is_over(fields, status):
    assert coded_as(problem(**fields)["clinicalStatus"]) == status


def test_how_sure_it_is():
    assert coded_as(problem(f13="Confirmed")["verificationStatus"]) == "confirmed"


def test_words_that_fhir_does_not_know_are_listed():
    found = losses(ppr(f13="Sort of", f14="Dormant"))

    assert found["PRB-13"] == found["PRB-14"] == "vocabulary-miss"


def test_t29_a_problem_without_a_number_is_known_by_its_code():
    one, two = (
        mapped(ppr(event=event, f4="")).all("Condition")[0] for event in ("PC1", "PC2")
    )

    assert one.full_url == two.full_url


def test_a_problem_without_a_code_is_listed():
    assert losses(ppr(f3=""))["PRB-4"] == "unreadable"


def test_a_problem_without_a_patient_still_stands():
    data = er7(msh("PPR^PC1"), "PRB|AD|20240102|I35.0^Stenosis^I10")

    assert resource(data, "Condition")["subject"] == {"display": "unknown"}


def test_d15_goals_are_listed():
    assert losses(ppr("GOL|AD|20240102|G1^Walk^L"))["GOL-3"] == "not-mapped-by-choice"
