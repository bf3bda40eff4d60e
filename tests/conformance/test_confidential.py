"""Confidential persons: who says so, whom it covers, and how it ends."""

import pytest

from engine.errors import IllegalTransitionError
from engine.hl7 import parse
from engine.identity import Reading
from engine.identity.confidentiality import is_alias, is_confidential
from engine.identity.person import LinkKind
from engine.identity.registration import Category, Policy
from engine.identity.traits import Kind
from engine.store import audit, task_work, worklist
from engine.store.name_lists import Names
from engine.store.patients import shipped
from engine.store.person_search import Search
from tests.databases import BOTH, empty_database
from tests.hospital import Hospital

PROTECTED = "PD1||||||||||||Y"
LIFTED = "PD1||||||||||||N"
VIP = "PV1|1|I||||||||||||||V"
HOME = "12 Elm Street^^Utica^NY^13501"
LATER = {"sent": "20300102120000"}


def said(*segments):
    message = parse("\r".join(("MSH|^~\\&|", *segments)).encode())
    return is_confidential(message.segments[1:], ("V", "VIP"))


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ((), None),
        (("PD1|",), None),
        ((PROTECTED,), True),
        ((LIFTED,), False),
        (('PD1||||||||||||""',), False),
        (("PD1||||||||||||?",), None),
        (("PV1|1|I||||||||||||||V",), True),
        (("PV1|1|I||||||||||||||vip",), True),
        (("PV1|1|I||||||||||||||0",), None),
        ((LIFTED, VIP), True),
        (("ARV||A|DEM",), True),
        (("ARV||U|DEM",), True),
        (("ARV||D|DEM",), False),
        (("ARV||X|DEM",), None),
    ],
)
def test_M20_what_messages_say_of_protection(segments, told):
    assert said(*segments) is told


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("", False),
        ("Doe^Ann", False),
        ("Doe^Ann^^^^^A", True),
        ("Doe^Ann^^^^^S~Roe^Bo^^^^^A", True),
        ("Doe^Ann^^^^^A~Roe^Bo^^^^^L", False),
    ],
)
def test_an_alias_is_a_name_beside_which_there_is_no_other(names, told):
    message = parse(f"MSH|^~\\&|\rPID|1||1||{names}".encode())

    assert is_alias(message.all("PID")[0]) is told


@pytest.fixture(params=["sqlite"])
def hospital(request, tmp_path):
    database = empty_database(request.param, tmp_path, role="worker")
    yield Hospital(database, Reading(vip_codes=("V",)))
    database.close()


def hidden(hospital, *numbers):
    persons = [hospital.person(number) for number in numbers]
    names = Names()
    found = hospital.ask(lambda p: Search(p, shipped(), names).hidden(persons))
    return [person in found for person in persons]


def test_M20_a_person_is_confidential_from_the_message_that_says_so(hospital):
    hospital.send("1", about=[VIP])
    hospital.send("2", family="Vance", given="Otto", birth="19551107")
    assert hidden(hospital, "1", "2") == [True, False]

    hospital.send("1", **LATER)
    hospital.send("2", family="Vance", given="Otto", about=[PROTECTED], **LATER)

    assert hidden(hospital, "1", "2") == [True, True]


def test_M20_a_confidential_record_covers_the_whole_person(hospital):
    hospital.send("1", ssn="123-45-6780", address=HOME)

    hospital.send(
        "7", authority="CLINIC", ssn="123-45-6780", address=HOME, about=[PROTECTED]
    )

    assert hospital.person("7", "CLINIC") == hospital.person("1")
    assert hidden(hospital, "1") == [True]


def test_M20_protection_ends_with_the_senders_word_and_no_late_one(hospital):
    hospital.send("1", about=[PROTECTED], sent="20300102120000")

    hospital.send("1", about=[LIFTED], sent="20300101120000")
    assert hidden(hospital, "1") == [True]

    hospital.send("1", about=[LIFTED], sent="20300103120000")
    assert hidden(hospital, "1") == [False]
    with hospital.database.reading() as connection:
        acts = [r.act for r in audit.rows(connection, hospital.database.sealer)]
    assert [each.detail for each in acts] == ["no longer confidential"]


def test_M20_a_message_that_is_held_protects_and_lifts_nothing(hospital):
    other = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}
    hospital.send("1")

    assert hospital.send("1", about=[PROTECTED], **other, **LATER).held
    assert hidden(hospital, "1") == [True]

    assert hospital.send("1", about=[LIFTED], **other, **LATER).held
    assert hidden(hospital, "1") == [True]


@pytest.mark.parametrize("hospital", BOTH, indirect=True)
def test_M20_a_merge_protects_the_survivor_and_an_unmerge_who_was_meant(hospital):
    hospital.send("1")
    hospital.send("2", family="Vance", given="Otto", birth="19551107", about=[VIP])
    one, two = hospital.person("1"), hospital.person("2")

    hospital.move(LinkKind.MERGE, source=two, target=one)
    assert hidden(hospital, "1") == [True]

    hospital.move(LinkKind.UNMERGE, source=two)
    assert hidden(hospital, "1", "2") == [False, True]
    assert hospital.faults() == ()


def test_M20_an_alias_of_a_confidential_person_is_linked_to_nobody(hospital):
    hospital.send("1", address=HOME, about=[PROTECTED])

    decision = hospital.send(
        "2", address=HOME, name_type="A", about=[PROTECTED], **LATER
    )

    assert hospital.record("2").traits.kind == Kind.UNIDENTIFIED
    assert hospital.person("2") != hospital.person("1")
    assert decision.doubts == ()


def test_M20_a_held_doubt_whose_message_asks_for_protection_is_hidden(tmp_path):
    policy = Policy(holds=frozenset({Category.DUPLICATE}))
    database = empty_database("sqlite", tmp_path, role="worker")
    hospital = Hospital(database, Reading(policy=policy))
    hospital.send("1", birth="19800229")

    hospital.send("2", birth="19800301", about=[PROTECTED])

    with database.reading() as connection:
        [found] = worklist.listed(connection)
    assert found.held
    assert hospital.ask(task_work.seen, found.id, confidential=True).id == found.id
    with pytest.raises(IllegalTransitionError, match="there is no task"):
        hospital.ask(task_work.seen, found.id, confidential=False)
    database.close()
