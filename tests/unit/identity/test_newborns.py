"""Twins and newborns: who is one child, who is another, and who is asked about."""

import pytest

from engine.identity import Outcome, Reason
from tests.memory_index import BALANCED, Feed

HOME = "12 Elm St^^Salem^OR^97301"


def test_M12_twins_are_never_linked_automatically():
    feed = Feed()
    feed.send("1", given="Rosalind", birth="20290301", address=HOME)

    decision = feed.send("2", given="Rosemary", birth="20290301", address=HOME)

    assert decision.reasons == (Reason.TWIN_SUSPECT,)


def test_M12_another_birth_order_of_the_same_mother_is_another_person():
    feed = Feed(BALANCED)
    unnamed = {"given": "Baby Girl", "birth": "20291230", "mother": "9^^^HOSP"}
    feed.send("1", order="1", address=HOME, **unnamed)

    decision = feed.send("2", order="2", address=HOME, **unnamed)

    assert decision.reasons == (Reason.NO_CANDIDATE,)


def test_M12_the_same_birth_order_of_the_same_mother_may_link():
    feed = Feed()
    unnamed = {"given": "Baby Girl", "birth": "20291230", "mother": "9^^^HOSP"}
    feed.send("1", order="1", address=HOME, phone="5415550123", **unnamed)

    decision = feed.send(
        "2", authority="CLINIC", order="1", address=HOME, phone="5415550123", **unnamed
    )

    assert decision.reasons == (Reason.MATCH,)


@pytest.mark.parametrize("given", ["Baby Girl", "Rosalind"])
def test_M12_an_unnamed_newborn_may_have_a_twin_whom_nobody_marked(given):
    feed = Feed()
    same = {"birth": "20291230", "sex": "F", "address": HOME, "phone": "5415550123"}
    feed.send("1", given="Baby Girl", **same)

    decision = feed.send("2", given=given, **same)

    assert decision.reasons == (Reason.NEWBORN_UNNAMED,)


def test_M12_newborns_of_one_home_with_nearly_one_birthday_are_asked_about():
    feed = Feed()
    same = {"given": "Baby Boy", "family": "Bracchiolini", "sex": "M", "address": HOME}
    same |= {"phone": "5415550123~^NET^Internet^bracchiolini@example.org"}
    feed.send("1", birth="20291220", **same)

    decision = feed.send("2", authority="CLINIC", birth="20291230", **same)

    assert decision.reasons == (Reason.NEWBORN_UNNAMED,)


BORN = {"given": "Baby Girl", "birth": "202912300412", "sex": "F", "address": HOME}


@pytest.mark.parametrize("given", ["Baby Girl", "Rosalind"])
def test_M12_a_newborn_both_systems_call_born_alone_may_link(given):
    feed = Feed()
    alone = {
        "birth": "20291230",
        "multiple": "N",
        "address": HOME,
        "mother": "9^^^HOSP",
    }
    feed.send("1", given="Baby Girl", **alone)

    decision = feed.send("2", authority="CLINIC", given=given, **alone)

    assert decision.reasons == (Reason.MATCH,)


def test_M12_newborns_of_one_home_born_at_the_same_minute_may_link():
    feed = Feed()
    feed.send("1", phone="5415550123", **BORN)

    decision = feed.send("2", authority="CLINIC", phone="5415550123", **BORN)

    assert decision.reasons == (Reason.MATCH,)


@pytest.mark.parametrize(
    "told",
    [
        {"birth": "202912300419"},
        {"sex": "M"},
        {"mother": "8^^^HOSP"},
        {"multiple": "Y"},
        {"address": "77 Oak St^^Salem^OR^97301"},
    ],
)
def test_M12_a_newborn_is_asked_about_where_one_birth_fact_says_otherwise(told):
    feed = Feed()
    alone = {"mother": "9^^^HOSP", "multiple": "N", "phone": "5415550123", **BORN}
    if "address" in told:
        alone = {**alone, "mother": ""}
    feed.send("1", **alone)

    decision = feed.send("2", authority="CLINIC", **{**alone, **told})

    assert decision.outcome is not Outcome.LINKED


def test_M12_twins_of_one_home_are_not_one_child_for_being_marked_born_alone():
    feed = Feed()
    alone = {"birth": "20290301", "multiple": "N", "address": HOME}
    feed.send("1", given="Rosalind", **alone)

    decision = feed.send("2", authority="CLINIC", given="Beatrix", **alone)

    assert decision.outcome is not Outcome.LINKED


def test_M13_an_unnamed_newborn_is_found_again_under_the_name_it_got():
    feed = Feed()
    born = {"birth": "20291230", "mother": "9^^^HOSP", "order": "1", "address": HOME}
    feed.send("1", given="Baby Girl", **born)

    decision = feed.send("2", authority="CLINIC", given="Rosalind", **born)

    assert decision.reasons == (Reason.MATCH,)


@pytest.mark.parametrize("placeholder", ["Baby Girl A", "BabyGirl B", "Girl 2"])
def test_M13_an_unnamed_newborn_marked_as_one_of_several_is_asked_about(placeholder):
    feed = Feed()
    feed.send("1", given=placeholder, birth="20291230", address=HOME)

    decision = feed.send(
        "2", authority="CLINIC", given="Rosalind", birth="20291230", address=HOME
    )

    assert decision.reasons == (Reason.NEWBORN_UNNAMED,)


def test_M12_another_name_at_one_birth_of_one_mother_is_never_linked_by_a_rule():
    feed = Feed()
    known = {"birth": "20291230", "mother": "9^^^HOSP", "ssn": "123456780"}
    feed.send("1", given="Ann", address=HOME, phone="5415550123", **known)

    decision = feed.send(
        "2",
        authority="CLINIC",
        given="Zelda",
        address=HOME,
        phone="5415550123",
        **known,
    )

    assert decision.reasons == (Reason.TWIN_SUSPECT,)


def test_M13_naming_a_newborn_is_no_overlay():
    feed = Feed()
    feed.send("1", given="Baby Girl", birth="20291230", address=HOME)

    decision = feed.send(
        "1", trigger="A08", given="Rosalind", birth="20291230", address=HOME,
        sent="20300102120000",
    )  # fmt: skip

    assert decision.outcome is Outcome.LINKED
    assert feed.index.records[1].traits.given == "rosalind"


@pytest.mark.parametrize(
    ("before", "after"),
    [("Baby Girl", "Baby Girl"), ("Baby Girl", "Rosalind"), ("Rosalind", "Baby Girl")],
)
def test_M13_a_newborn_with_another_birthday_is_another_child(before, after):
    feed = Feed()
    feed.send("1", given=before, birth="20291230", address=HOME, phone="5415550123")

    decision = feed.send(
        "1", trigger="A08", given=after, birth="20300914", address=HOME,
        phone="5415550123", sent="20300915120000",
    )  # fmt: skip

    assert decision.held
    assert decision.reasons == (Reason.POTENTIAL_OVERLAY,)
    assert feed.index.records[1].traits.birth == "20291230"
