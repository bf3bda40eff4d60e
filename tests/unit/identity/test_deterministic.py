"""Approved combinations of traits instead of a score."""

import pytest

from engine.identity import Mode, Outcome, Reason
from engine.identity.deterministic import RULES, verdict
from engine.identity.explanation import explain, headline
from engine.identity.index import SourceRecord
from engine.identity.matching import match
from engine.identity.similarity import compare
from engine.identity.traits import Traits
from engine.identity.weights import Frequencies
from tests.memory_index import Feed, model

RULED = model(Mode.DETERMINISTIC)
ANN = Traits(
    given="margaret",
    family="tillinghast",
    birth="19620304",
    last_four="6780",
    number="1204",
    street="elm st",
    zip5="97301",
    phone="5415550123",
    email="m@example.org",
)
MARY = {"family": "Johnson", "given": "Mary", "birth": "19620304"}
FIELDS = {
    "given": ("given",),
    "family": ("family",),
    "birth": ("birth",),
    "phone": ("phone",),
    "email": ("email",),
    "last-four": ("last_four",),
    "street": ("number", "street", "zip5"),
}


def only(*fields):
    """Return the traits of some fields of a rule."""
    kept = {trait for field in fields for trait in FIELDS[field]}
    return Traits(**{trait: getattr(ANN, trait) for trait in kept})


def judged(one, other):
    levels = compare(one, other, RULED.nicknames)
    return verdict(one, other, levels, RULED.nicknames, 20_000)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.number)
def test_each_combination_is_enough_and_none_of_its_fields_can_be_missed(rule):
    whole = only(*rule.fields)

    assert judged(whole, whole).rule is not None
    for left_out in rule.fields:
        rest = only(*(field for field in rule.fields if field != left_out))
        assert judged(rest, rest).rule != rule


def test_the_bits_are_the_chance_of_collision_among_the_records_there_are():
    whole = only("given", "family", "birth", "phone")

    assert judged(whole, whole).bits == pytest.approx(32.2, abs=0.1)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"family": "tillinghest"}, True),
        ({"family": "tilinghest"}, False),
        ({"given": "peggy"}, True),
        ({"given": "margarte"}, True),
        ({"given": "margarte", "family": "tillinghest"}, False),
        ({"birth": "19620305"}, False),
    ],
)
def test_one_slip_is_allowed_only_where_the_combination_says_so(change, fits):
    whole = only("given", "family", "birth", "last-four")

    assert (judged(whole, whole._replace(**change)).rule is not None) == fits


def test_a_short_name_allows_no_slip():
    lee = only("given", "family", "birth", "last-four")._replace(family="lee")

    assert judged(lee, lee._replace(family="leo")).rule is None


@pytest.mark.parametrize(
    "against",
    [
        ({"suffix": "jr"}, {"suffix": "sr"}),
        ({"ssn": "123456780"}, {"ssn": "987656780"}),
    ],
)
def test_a_suffix_or_an_ssn_against_it_leaves_a_question(against):
    one, other = (ANN._replace(**each) for each in against)

    found = judged(one, other)

    assert (found.rule, found.bits) == (None, 0.0)


def test_combinations_link_without_a_score():
    feed = Feed(RULED)
    feed.send("1", phone="5415550123", **MARY)

    decision = feed.send("2", authority="CLINIC", phone="5415550123", **MARY)

    assert decision.reasons == (Reason.MATCH,)


def test_names_and_date_of_birth_alone_are_a_question():
    feed = Feed(RULED)
    feed.send("1", **MARY)

    assert feed.send("2", authority="CLINIC", **MARY).outcome is Outcome.DOUBT


def test_a_combination_that_fits_two_persons_is_a_question():
    feed = Feed(RULED)
    feed.send("1", phone="5415550123", **MARY)
    feed.send("2", authority="CLINIC", ssn="123456780", **MARY)

    both = {"phone": "5415550123", "ssn": "123456780", **MARY}
    decision = feed.send("3", authority="LAB", **both)

    assert decision.outcome is Outcome.DOUBT
    assert len(decision.doubts[0].matches) == 2


@pytest.mark.parametrize(
    ("phone", "sentence"),
    [
        ("5415550123", "Approved combination 02 agrees: given, family, birth, phone."),
        ("", "Nothing to compare."),
    ],
)
def test_an_explanation_names_the_combination(phone, sentence):
    one = only("given", "family", "birth")._replace(phone=phone)
    found = match(one, SourceRecord(1, "P", "HOSP", one), Frequencies(0, 0, 9), RULED)

    lines = explain(one, found, RULED)

    assert headline(lines) == sentence
    assert sum(line.bits for line in lines) == found.bits
