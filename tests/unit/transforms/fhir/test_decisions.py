"""Decisions of the map where the guide is silent, those that no other file holds.

Spec:
    fhir.md section 11; each test is named by its row.
"""

import pytest

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
    resource,
    resources,
    segment,
)
from tests.processing import bundles, latest


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A13", "in-progress"), ("A25", "in-progress"), ("A21", "onleave"),
        ("A53", "onleave"), ("A22", "in-progress"), ("A52", "in-progress"),
        ("A11", "cancelled"), ("A27", "cancelled"), ("A38", "cancelled"),
        ("A23", "entered-in-error"), ("A03", "finished"),
    ],
)  # fmt: skip
def test_d01_events_the_guide_leaves_out_have_a_status(event, status):
    found = resource(adt(event, pid(), pv1()), "Encounter")

    assert found["status"] == status


def test_d02_a_merge_links_both_persons_and_a_move_changes_whose_it_is():
    merge = mapped(adt("A40", pid(), "MRG|77^^^HOSP&1.2.3&ISO^MR"))
    move = adt("A45", pid(), "MRG|77^^^HOSP&1.2.3&ISO^MR", pv1())

    links = [one.resource["link"][0]["type"] for one in merge.patients]
    [visit] = resources(move, "Encounter")
    survivor = mapped(move).patients[0]
    assert sorted(links) == ["replaced-by", "replaces"]
    assert visit["subject"] == {"reference": survivor.full_url}


def test_d03_an_update_never_says_that_the_status_is_unknown(tmp_path):
    head = msh("ADT^A03", control="1")
    over = er7(head, "EVN|A03|202401020304", pid(), pv1(f45="202401020304"))
    head = msh("ADT^A08", control="2").replace("030405", "040405")
    update = er7(head, "EVN|A08|202401020404", pid(f16="M"), pv1(f2="I"))

    held = latest(bundles(tmp_path, [over, update]), "Encounter")

    assert [each["status"] for each in held] == ["finished"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("B", "amended"), ("R", "preliminary"), ("S", "preliminary"),
        ("I", "registered"), ("O", "registered"), ("U", "final"), ("V", "final"),
        ("N", "registered"), ("", "final"),
    ],
)  # fmt: skip
def test_d04_results_whose_status_the_guide_leaves_blank(sent, status):
    found = resource(oru(obx(f11=sent)), "Observation")

    assert found["status"] == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [("A", "partial"), ("M", "preliminary"), ("Y", "unknown"), ("Z", "unknown"),
     ("N", "unknown"), ("", "unknown")],
)  # fmt: skip
def test_d04_reports_whose_status_the_guide_leaves_blank(sent, status):
    found = resource(oru(obx(), order=obr(f25=sent)), "DiagnosticReport")

    assert found["status"] == status


@pytest.mark.parametrize(
    ("kind", "control"),
    [("ORM^O01^ORM_O01", "NW"), ("OML^O21^OML_O21", "NW"), ("ORU^R01^ORU_R01", "RE")],
)
def test_d06_what_is_asked_for_is_an_order(kind, control):
    orc = segment("ORC", f1=control, f2="P1^ADT1", f3="F1^LAB")

    found = resource(er7(msh(kind), pid(), orc, obr()), "ServiceRequest")

    assert found["intent"] == "order"


def test_d11_people_of_a_visit_take_part_by_their_kind():
    doctors = pv1(f7="1^Attend", f8="2^Refer", f9="3^Consult", f17="4^Admit",
                  f52="5^Other")  # fmt: skip

    found = resource(adt("A01", pid(), doctors), "Encounter")

    kinds = [one["type"][0]["coding"][0]["code"] for one in found["participant"]]
    assert kinds == ["ATND", "REF", "CON", "ADM", "PART"]
    assert resources(adt("A01", pid(), doctors), "PractitionerRole") == []


@pytest.mark.parametrize(
    ("more", "place"),
    [("CON|1|X", "CON-2"), ("UB1|1|2", "UB1-2"), ("UB2|1|2", "UB2-2")],
)
def test_d21_consents_and_bills_are_listed(more, place):
    assert place in losses(adt("A01", pid(), pv1(), more))
