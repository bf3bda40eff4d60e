"""Merge, link, move and change of number: what the sender tells, done or doubted."""

from dataclasses import replace

from engine.identity import Category, Outcome, Policy, Reason, decide
from tests.memory_index import Feed

HOME = "12 Elm St^^Salem^OR^97301"
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}
LATER = {"sent": "20300102120000"}


def two_persons(**reading):
    feed = Feed(**reading)
    feed.send("1", address=HOME)
    feed.send("2", birth="19910817", phone="2065550199")
    assert feed.person("1") != feed.person("2")
    return feed


def test_a_merge_joins_the_persons_and_keeps_the_old_number_known():
    feed = two_persons()

    decision = feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    assert decision.outcome is Outcome.LINKED
    assert feed.person("2") == feed.person("1") == decision.enterprise_id
    assert ("HOSP", "MR", "2") in feed.index.retired


def test_the_same_merge_again_changes_nothing():
    feed = two_persons()
    feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    decision = feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    assert (decision.moves, decision.change, decision.doubts) == ((), None, ())


def test_M07_a_merge_of_one_person_is_recorded_and_changes_nothing():
    feed = Feed()
    feed.send("1", address=HOME, phone="5415550123")
    feed.send("2", address=HOME, phone="5415550123")

    decision = feed.send("1", trigger="A40", prior="2", **LATER)

    assert [(move.source, move.target) for move in decision.moves] == [("P1", "P1")]


def test_M07_an_inverse_merge_is_held_and_changes_no_membership():
    feed = two_persons()
    feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    decision = feed.send("2", trigger="A40", prior="1", sent="20300103120000")

    assert decision.held
    assert decision.reasons == (Reason.MERGE_CONFLICT,)
    assert (decision.moves, decision.change) == ((), None)


def test_a_chained_merge_ends_in_one_person():
    feed = two_persons()
    feed.send("3", birth="19720504", ssn="123456780")
    feed.send("2", trigger="A40", prior="3", given="", birth="", **LATER)

    feed.send("1", trigger="A40", prior="2", address=HOME, sent="20300103120000")

    assert feed.person("1") == feed.person("2") == feed.person("3")


def test_M18_a_merge_against_the_evidence_is_held_and_nothing_is_joined():
    feed = Feed()
    feed.send("1", address=HOME)
    feed.send("2", **OTTO)

    decision = feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    assert decision.held
    assert decision.doubts[0].category is Category.CONFLICTING_MERGE
    assert feed.person("1") != feed.person("2")


def test_M18_a_confirmed_merge_is_carried_out():
    feed = Feed()
    feed.send("1", address=HOME)
    feed.send("2", **OTTO)
    feed.index.rulings[9] = "same"

    feed.send("1", trigger="A40", prior="2", address=HOME, message=9, **LATER)

    assert feed.person("1") == feed.person("2")


def test_a_channel_may_have_every_merge_reviewed():
    feed = two_persons(policy=Policy(applies_merges=False))

    decision = feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    assert decision.reasons == (Reason.MERGE_CONFLICT,)


def test_a_merge_of_a_number_not_seen_yet_applies_when_it_comes():
    feed = Feed()
    feed.send("1", address=HOME)
    feed.send("1", trigger="A40", prior="2", address=HOME, **LATER)

    decision = feed.send("2", birth="", given="")

    assert decision.reasons == (Reason.KNOWN_IDENTIFIER,)
    assert feed.person("2") == feed.person("1")


def test_a_merge_into_a_number_not_seen_yet_keeps_the_person():
    feed = Feed()
    feed.send("2", birth="19910817")

    decision = feed.send("1", trigger="A40", prior="2", birth="19910817", **LATER)

    assert decision.enterprise_id == "P1"
    assert feed.person("1") == feed.person("2") == "P1"


def test_a_merge_notice_repeats_its_pairs():
    feed = Feed()
    for number, given in (("1", "Ada"), ("2", "Ida"), ("3", "Mary"), ("4", "Lotte")):
        feed.send(number, given=given, birth=f"19{number}50817")

    feed.send(
        "1", trigger="A40", given="Ada", birth="19150817", prior="2",
        pairs=[("3", "4")], **LATER,
    )  # fmt: skip

    assert feed.person("1") == feed.person("2")
    assert feed.person("3") == feed.person("4") != feed.person("1")


def test_one_held_pair_holds_the_whole_notice():
    feed = Feed()
    feed.send("1", birth="19150817")
    feed.send("2", birth="19150718", given="Rosalynn")
    feed.send("3", address=HOME)
    feed.send("4", **OTTO)

    decision = feed.send(
        "1", trigger="A40", prior="2", birth="19150817", pairs=[("3", "4")], **LATER
    )

    assert decision.held
    assert decision.moves == ()
    assert feed.person("1") != feed.person("2")


def test_a_change_of_number_keeps_the_record_and_the_old_number():
    feed = Feed()
    feed.send("1", address=HOME)

    decision = feed.send("9", trigger="A47", prior="1", address=HOME, **LATER)

    assert decision.enterprise_id == "P1"
    assert feed.person("9") == feed.person("1")
    assert len(feed.index.records) == 1
    assert feed.index.retired == {("HOSP", "MR", "1")}


def test_a_change_of_number_to_somebody_elses_is_a_conflict():
    feed = Feed()
    feed.send("1", address=HOME)
    feed.send("2", **OTTO)

    decision = feed.send("2", trigger="A47", prior="1", **OTTO, **LATER)

    assert decision.reasons == (Reason.MERGE_CONFLICT,)


def test_a_move_takes_the_number_to_another_person():
    feed = two_persons()

    feed.send("1", trigger="A43", prior="2", address=HOME, **LATER)

    assert feed.person("2") == feed.person("1")
    assert feed.index.retired == set()


def test_a_link_joins_two_persons_and_retires_no_number():
    feed = two_persons()

    feed.send("1", trigger="A24", address=HOME, pairs=[("2", "")], **LATER)

    assert feed.person("1") == feed.person("2")
    assert feed.index.retired == set()


def test_M18_an_unlink_takes_back_a_link_and_tells_the_pair_apart():
    feed = two_persons()
    feed.send("1", trigger="A24", address=HOME, pairs=[("2", "")], **LATER)

    feed.send(
        "1", trigger="A37", address=HOME, pairs=[("2", "")], sent="20300103120000"
    )

    assert feed.person("1") != feed.person("2")
    assert feed.index.apart[1]


def test_a_delete_of_a_person_marks_the_record_and_erases_nothing():
    feed = Feed()
    feed.send("1")

    decision = feed.send("1", trigger="A29", **LATER)

    assert decision.outcome is Outcome.LINKED
    assert decision.reasons == (Reason.KNOWN_IDENTIFIER, Reason.REMOVED)
    [record] = feed.index.records.values()
    assert record.traits.removed
    assert record.traits.family


def test_nobody_is_linked_to_a_record_that_its_system_deleted():
    feed = Feed()
    feed.send("1", address=HOME)
    feed.send("1", trigger="A29", address=HOME, **LATER)

    decision = feed.send("2", address=HOME, **LATER)

    assert decision.outcome is Outcome.NEW


def test_a_deleted_person_of_whom_the_system_speaks_again_is_there_again():
    feed = Feed()
    feed.send("1", address=HOME)
    feed.send("1", trigger="A29", **LATER)

    feed.send("1", trigger="A28", address=HOME, sent="20300103120000")
    decision = feed.send("2", address=HOME, sent="20300103130000")

    assert feed.person("1") == decision.enterprise_id


def test_a_late_delete_does_not_undo_what_was_said_after_it():
    feed = Feed()
    feed.send("1", **LATER)

    feed.send("1", trigger="A29", sent="20291231120000")

    [record] = feed.index.records.values()
    assert not record.traits.removed


def test_a_result_for_a_deleted_person_leaves_them_deleted():
    feed = Feed()
    feed.send("1")
    feed.send("1", trigger="A29", **LATER)

    read = feed.read("1", sent="20300103120000").registration
    feed.index.apply(decide(replace(read, fills_only=True), feed.index, feed.model))

    [record] = feed.index.records.values()
    assert record.traits.removed


def test_a_delete_of_an_unknown_number_is_remembered_and_finds_nobody():
    feed = Feed()
    feed.send("1", address=HOME)

    decision = feed.send("9", trigger="A29", address=HOME, **LATER)

    assert decision.reasons == (Reason.REMOVED,)
    assert decision.enterprise_id != feed.person("1")
    assert decision.doubts == ()


def test_a_delete_that_names_somebody_else_waits_for_a_person():
    feed = Feed()
    feed.send("1")

    decision = feed.send(
        "1", trigger="A29", family="Okoye", given="Ngozi", birth="19901224", sex="M",
        **LATER,
    )  # fmt: skip

    assert decision.held
