"""The list of what a change of membership sends: pure, and the same for the preview."""

import pytest

from engine.identity.corrections import (
    Change,
    Form,
    Receiver,
    What,
    change_of,
    changes_membership,
    corrections,
)
from engine.identity.person import LinkEvent, LinkKind
from tests.stored import NOON

ANN, BO, CY = 1, 2, 3
SAME = {ANN: "HOSP", BO: "HOSP", CY: "CLINIC"}


def merge(**given):
    facts = {
        "retires": True,
        "authorities": SAME,
        "last": {ANN: 11, BO: 12, CY: 13},
        **given,
    }
    return Change(7, True, "P2", "P1", (BO,), (ANN,), **facts)


def unmerge(**given):
    facts = {"authorities": SAME, "last": {ANN: 11, BO: 12}, **given}
    return Change(8, False, "P1", "P2", (BO,), (ANN,), **facts)


def sent(change, form, messages, **given):
    receiver = Receiver("adt", "there", form, messages, **given)
    return [
        (each.what, each.person, each.record, each.other, each.message)
        for each in corrections(change, [receiver])
    ]


BOTH = {ANN: 11, BO: 12}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("change", [merge(), unmerge()])
def test_who_received_nothing_of_the_records_moved_is_told_nothing(form, change):
    assert sent(change, form, {ANN: 11}) == []


def test_a_server_gets_the_survivor_of_a_merge_and_both_persons_after_it_is_undone():
    assert sent(merge(), Form.FHIR, BOTH) == [(What.TRANSACTION, "P1", 0, 0, 12)]
    assert [each[1] for each in sent(unmerge(), Form.FHIR, BOTH)] == ["P1", "P2"]


def test_both_numbers_known_is_a_merge_and_one_alone_a_link():
    assert sent(merge(), Form.HL7, BOTH) == [(What.MERGE, "P1", ANN, BO, 11)]
    assert sent(merge(), Form.HL7, {BO: 12}) == [(What.LINK, "P1", ANN, BO, 11)]


def test_numbers_of_two_authorities_are_linked_and_never_merged():
    change = merge(authorities={ANN: "HOSP", BO: "CLINIC"})

    assert [each[0] for each in sent(change, Form.HL7, BOTH)] == [What.LINK]


def test_nothing_is_merged_backwards():
    assert sent(unmerge(), Form.HL7, BOTH) == [(What.UNLINK, "P1", ANN, BO, 11)]
    assert sent(unmerge(), Form.HL7, {BO: 12}) == [(What.UPDATE, "P2", BO, 0, 12)]


@pytest.mark.parametrize("form", [Form.HL7, Form.MESSAGE])
def test_who_got_the_senders_own_notice_is_not_told_again(form):
    assert sent(merge(), form, BOTH, told=True) == []


def test_each_summary_and_each_note_gets_a_new_version():
    assert sent(merge(), Form.SUMMARY, BOTH) == [(What.DOCUMENT, "P1", 0, 0, 12)]
    versions = sent(unmerge(), Form.SUMMARY, BOTH)
    assert [(each[1], each[4]) for each in versions] == [("P1", 11), ("P2", 12)]
    notes = sent(merge(), Form.NOTE, BOTH, notes=(4, 5))
    assert [each[4] for each in notes] == [4, 5]


def test_the_last_message_of_each_record_moved_is_sent_again():
    assert sent(merge(), Form.MESSAGE, BOTH) == [(What.AGAIN, "P1", BO, 0, 12)]


def test_a_person_who_keeps_records_after_a_link_is_told_of_too():
    change = Change(9, True, "P2", "P1", (BO,), (ANN,), authorities=SAME)

    assert [each[1] for each in sent(change, Form.FHIR, BOTH)] == ["P2", "P1"]


def event(kind, source="P2", target="P1", records=(BO,)):
    return LinkEvent(7, NOON, "ann", kind, records, source, target)


def test_only_what_moves_records_between_persons_is_a_change():
    assert changes_membership(event(LinkKind.MERGE))
    assert changes_membership(event(LinkKind.SPLIT))
    assert not changes_membership(event(LinkKind.MERGE, records=()))
    assert not changes_membership(event(LinkKind.LINK, source=""))
    assert not changes_membership(event(LinkKind.DIFFERENT))


def test_a_change_knows_who_is_on_the_other_side():
    members = [(ANN, "P1", "HOSP", 11), (BO, "P1", "HOSP", 12), (CY, "P2", "X", 13)]

    joined = change_of(event(LinkKind.MERGE), members)
    left = change_of(event(LinkKind.UNLINK, "P2", "P1"), members)

    assert (joined.stayed, joined.retires, joined.joins) == ((ANN,), True, True)
    assert (left.stayed, left.joins) == ((CY,), False)
