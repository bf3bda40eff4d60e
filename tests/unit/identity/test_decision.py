"""Who a message is about: every row of the decision table."""

import pytest

from engine.errors import TransformError
from engine.hl7 import parse
from engine.identity import (
    Assigner,
    Category,
    Outcome,
    Policy,
    Reading,
    Reason,
    decide,
    registration_of,
)
from engine.identity.decision import Ruling
from tests.builders import adt_patient
from tests.memory_index import SAFE, Feed

HOME = "12 Elm St^^Salem^OR^97301"


# -- the two ways in -------------------------------------------------------------------


def test_the_first_message_about_a_patient_makes_a_new_person():
    feed = Feed()

    decision = feed.send()

    assert decision.outcome is Outcome.NEW
    assert decision.reasons == (Reason.NO_CANDIDATE,)
    assert decision.enterprise_id == "P1"


def test_a_known_number_is_found_without_matching_and_writes_nothing():
    feed = Feed()
    feed.send()

    decision = feed.send(trigger="A08", sent="20300102120000")

    assert (decision.outcome, decision.reasons) == (
        Outcome.LINKED,
        (Reason.KNOWN_IDENTIFIER,),
    )
    assert (decision.enterprise_id, decision.change, decision.moves) == ("P1", None, ())


def test_the_same_patient_in_another_system_is_linked():
    feed = Feed()
    feed.send("1", address=HOME)

    decision = feed.send("77", authority="CLINIC", address=HOME)

    assert (decision.outcome, decision.reasons) == (Outcome.LINKED, (Reason.MATCH,))
    assert decision.enterprise_id == "P1"
    assert decision.score > SAFE.thresholds.high


def test_M04_deciding_writes_nothing():
    feed = Feed()
    feed.send()
    registration = feed.read("2", authority="CLINIC").registration

    first = decide(registration, feed.index, SAFE)
    second = decide(registration, feed.index, SAFE)

    assert first == second
    assert len(feed.index.records) == 1


def test_too_little_to_decide_makes_a_new_person():
    decision = Feed().send(given="", birth="", family="Abernethy")

    assert decision.reasons == (Reason.PLACEHOLDER_DATA,)


def test_M01_an_unknown_authority_is_registered_with_a_finding():
    intake = Feed().read("1", authority="NEWCLINIC")

    assert intake.registration.identifiers[0].authority == "NEWCLINIC"
    assert [finding.code for finding in intake.findings] == ["unknown_authority"]


def test_M01_an_unknown_authority_is_refused_where_the_site_says_so():
    feed = Feed(refuses_unknown=True)

    with pytest.raises(TransformError, match="NEWCLINIC") as refusal:
        feed.read("1", authority="NEWCLINIC")

    assert refusal.value.code == "unknown-authority"


def test_a_listed_authority_is_known_by_its_uri():
    known = {"HOSP": Assigner("urn:oid:2.999.1")}

    intake = Feed(assigners=known).read("1")

    assert intake.registration.identifiers[0] == ("urn:oid:2.999.1", "MR", "1")
    assert intake.findings == ()


def test_M02_a_late_message_does_not_replace_newer_traits():
    feed = Feed()
    feed.send(phone="5415550123", sent="20300105120000")

    feed.send(trigger="A08", phone="2065550199", sent="20300101120000")

    assert feed.index.records[1].traits.phone == "5415550123"


def test_results_complete_traits_and_change_none():
    feed = Feed()
    feed.send(phone="5415550123", ssn="")

    feed.send(
        kind="ORU", trigger="R01", phone="2065550199", ssn="123456780",
        sent="20300102120000",
    )  # fmt: skip

    assert feed.index.records[1].traits.phone == "5415550123"
    assert feed.index.records[1].traits.ssn == "123456780"


def test_results_for_an_unknown_number_register_the_patient():
    decision = Feed().send(kind="ORU", trigger="R01")

    assert decision.outcome is Outcome.NEW


# -- doubts ----------------------------------------------------------------------------


def test_a_weak_likeness_in_the_same_system_is_a_possible_duplicate():
    feed = Feed()
    feed.send("1", birth="19800229")

    decision = feed.send("2", birth="19800301")

    assert decision.outcome is Outcome.DOUBT
    assert decision.reasons == (Reason.POTENTIAL_DUPLICATE,)
    assert decision.doubts[0].category is Category.DUPLICATE
    assert decision.enterprise_id != "P1"
    assert not decision.held


def test_a_weak_likeness_in_another_system_is_a_possible_overlap():
    feed = Feed()
    feed.send("1", birth="19800229")

    decision = feed.send("2", authority="CLINIC", birth="19800301")

    assert decision.reasons == (Reason.POTENTIAL_OVERLAP,)


def test_a_channel_may_hold_messages_for_a_possible_duplicate():
    feed = Feed(policy=Policy(holds=frozenset({Category.DUPLICATE})))
    feed.send("1", birth="19800229")

    assert feed.send("2", birth="19800301").held


def test_a_given_name_and_a_birth_date_under_another_family_name_are_not_enough():
    feed = Feed()
    feed.send("1", family="Tillinghast", given="Mary", birth="19620304", sex="F")

    decision = feed.send(
        "2", authority="CLINIC", family="Vance", given="Mary", birth="19620304",
        sex="F",
    )  # fmt: skip

    assert decision.outcome is Outcome.DOUBT


def test_M15_an_address_of_many_people_says_nothing():
    feed = Feed()
    home = "1 Almshouse Rd^^Salem^OR^97301"
    names = "Ada Amy Ann Alma Anna Agnes Alice Amelia Arlene Audrey Annabel Andrea Avis"
    for number, given in enumerate([*names.split(), "Astrid"]):
        feed.send(str(number), given=given, family=f"{given}son", address=home,
                  birth=f"19{30 + 3 * number}0304")  # fmt: skip

    decision = feed.send("99", given="Ada", family="Vance", birth="", address=home)

    assert decision.outcome is not Outcome.LINKED
    assert decision.match is None or "address" not in {
        trait for trait, level in decision.match.levels.items() if level == "eq"
    }


def test_M15_an_ssn_of_many_names_and_births_says_nothing():
    feed = Feed()
    names = ("Ada", "Bea", "Cleo", "Dora")
    families = ("Vance", "Moss", "Quill", "Thorpe")
    for number, (given, family) in enumerate(zip(names, families, strict=True)):
        feed.send(str(number), given=given, family=family, birth=f"19{30 + number}0304",
                  ssn="123456780")  # fmt: skip

    decision = feed.send(
        "9", given="Edna", family="Lathrop", birth="19710911", ssn="123456780"
    )

    assert decision.reasons == (Reason.NO_CANDIDATE,)


def test_what_an_earlier_record_said_counts_for_the_person():
    feed = Feed()
    ann = {"given": "Ann", "family": "Tillinghast", "birth": "19620304"}
    feed.send("1", address=HOME, ssn="123456780", **ann)
    feed.send("2", authority="CLINIC", phone="5415550123", ssn="123456780", **ann)

    decision = feed.send(
        "3", authority="LAB", given="Ann", family="Vance", birth="19620304",
        address=HOME, phone="5415550123",
    )  # fmt: skip

    assert decision.match is not None
    assert decision.match.levels["address"] == "eq"
    assert decision.match.levels["phone"] == "eq"


def test_M14_unidentified_patients_stay_alone():
    feed = Feed()
    nobody = {"family": "Doe", "given": "John", "birth": "19000101"}
    feed.send("1", **nobody)

    decision = feed.send("2", **nobody)

    assert decision.reasons == (Reason.UNIDENTIFIED,)
    assert feed.person("1") != feed.person("2")


def test_M14_an_unidentified_patient_is_identified_by_an_update():
    feed = Feed()
    feed.send("1", address=HOME, phone="5415550123")
    feed.send("2", family="Doe", given="Jane", birth="19000101")

    decision = feed.send(
        "2", trigger="A08", address=HOME, phone="5415550123", sent="20300102120000"
    )

    assert Reason.MATCH in decision.reasons
    assert feed.person("2") == feed.person("1")


def test_test_patients_stay_alone():
    feed = Feed()
    feed.send("1", family="ZZTEST")

    assert feed.send("2", family="ZZTEST").reasons == (Reason.TEST_PATIENT,)


def test_M16_an_ssn_alone_never_links():
    feed = Feed()
    feed.send("1", ssn="123456780")

    decision = feed.send(
        "2", family="Vance", given="Otto", birth="19551107", sex="M", ssn="123456780"
    )

    assert decision.reasons == (Reason.SHARED_SSN,)
    assert decision.outcome is Outcome.DOUBT


def test_M17_an_overlay_is_held_and_the_old_values_stay():
    feed = Feed()
    feed.send("1", address=HOME)

    decision = feed.send(
        "1", trigger="A08", family="Vance", given="Otto", birth="19551107", sex="M",
        sent="20300102120000",
    )  # fmt: skip

    assert decision.held
    assert decision.reasons == (Reason.POTENTIAL_OVERLAY,)
    assert feed.index.records[1].traits.given == "rosalind"


@pytest.mark.parametrize(
    ("ruling", "records", "given"),
    [(Ruling.SAME, 1, "otto"), (Ruling.DIFFERENT, 2, "rosalind")],
)
def test_M17_a_decided_overlay_goes_on_as_decided(ruling, records, given):
    feed = Feed()
    feed.send("1", address=HOME)
    other = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}
    feed.send("1", trigger="A08", sent="20300102120000", message=7, **other)
    feed.index.rulings[7] = ruling

    decision = feed.send("1", trigger="A08", sent="20300102120000", message=7, **other)

    assert not decision.held
    assert Reason.DECIDED in decision.reasons
    assert len(feed.index.records) == records
    assert feed.index.records[1].traits.given == given


def test_M19_activity_after_death_is_linked_and_asked_about():
    feed = Feed()
    feed.send("1", death="20300103")

    decision = feed.send("1", trigger="A01", sent="20300110120000")

    assert decision.outcome is Outcome.LINKED
    assert Reason.DECEASED_ACTIVITY in decision.reasons
    assert not decision.held


def test_several_persons_that_fit_are_asked_about():
    feed = Feed()
    feed.send("1", ssn="123456780")
    feed.send("2", authority="CLINIC", given="Xenia", ssn="", birth="")
    feed.index.records[2] = feed.index.records[1].__class__(
        2, feed.index.records[2].person, "CLINIC", feed.index.records[1].traits
    )
    for number in list(feed.index.blocks):
        feed.index.blocks[number][2] = None

    decision = feed.send("3", authority="LAB", ssn="123456780")

    assert decision.outcome is Outcome.LINKED
    assert Reason.POTENTIAL_OVERLAP in decision.reasons


# Two registrations too thin for each other, and one that knows what both know.
ANN = {"family": "Johnson", "given": "Mary"}
THIN = {**ANN, "birth": "19620304", "address": HOME}
BARE = {**ANN, "birth": "", "phone": "5415550123"}
FULL = {**THIN, **BARE, "birth": "19620304"}


def in_doubt(feed):
    """Return two persons a doubt is open about."""
    feed.send("1", **THIN)
    feed.send("2", authority="CLINIC", **BARE)
    assert feed.person("1") != feed.person("2", "CLINIC")
    assert feed.index.doubted(2) == {1}


def test_M03_an_open_doubt_is_settled_by_a_message_that_fits_both():
    feed = Feed()
    in_doubt(feed)

    decision = feed.send("3", authority="LAB", **FULL)

    assert decision.reasons == (Reason.MATCH,)
    [move] = decision.moves
    assert (move.kind, move.reason) == ("merge", Reason.MATCH)
    people = {("1", "HOSP"), ("2", "CLINIC"), ("3", "LAB")}
    assert len({feed.person(*each) for each in people}) == 1


def test_M05_a_doubt_a_person_answered_is_not_settled_by_a_message():
    feed = Feed()
    in_doubt(feed)
    then = {feed.index.records[number].traits.identifying for number in (1, 2)}
    feed.index.apart[1][2] = feed.index.apart[2][1] = then

    feed.send("3", authority="LAB", **FULL)

    assert feed.person("1") != feed.person("2", "CLINIC")


def test_a_person_of_several_records_is_asked_about_and_joined_by_nobody():
    feed = Feed()
    in_doubt(feed)
    two = feed.index.records[2]
    feed.index.records[9] = two.__class__(9, two.person, "LAB", two.traits)

    feed.send("3", authority="LAB", **FULL)

    assert feed.person("1") != feed.person("2", "CLINIC")


def test_an_identifier_claimed_by_two_persons_is_held():
    feed = Feed()
    feed.send("1")
    feed.send("2", family="Vance", given="Otto", birth="19551107", sex="M")
    data = adt_patient("1").replace(b"1^^^HOSP^MR", b"1^^^HOSP^MR~2^^^HOSP^MR")
    registration = registration_of(parse(data), Reading(), lambda: "PX", 9).registration

    assert registration is not None

    decision = decide(registration, feed.index, SAFE)

    assert decision.reasons == (Reason.IDENTIFIER_CONFLICT,)
    assert decision.held


def test_M03_an_update_that_makes_a_record_fit_joins_it():
    feed = Feed()
    feed.send("1", address=HOME, phone="5415550123")
    feed.send("2", authority="CLINIC", given="", birth="", phone="5415550123")

    decision = feed.send(
        "2", authority="CLINIC", trigger="A08", address=HOME, phone="5415550123",
        sent="20300102120000",
    )  # fmt: skip

    assert Reason.MATCH in decision.reasons
    assert feed.person("2", "CLINIC") == "P1"


def test_M05_a_pair_told_apart_is_not_joined_until_a_trait_changes():
    feed = Feed()
    feed.send("1", address=HOME, phone="5415550123")
    feed.send("2", given="Rosalyn", birth="", address=HOME, phone="5415550123")
    full = {"given": "Rosalind", "address": HOME, "phone": "5415550123"}
    apart = {
        feed.index.records[1].traits.identifying,
        feed.read("2", **full).registration.traits.identifying,
    }
    feed.index.apart[2][1] = apart

    decision = feed.send("2", trigger="A08", sent="20300102120000", **full)

    assert Reason.DECIDED in decision.reasons
    assert feed.person("2") != feed.person("1")
