"""Comparison levels, the score of three classes, block keys."""

import csv
from math import isclose

import pytest

from engine.identity.blocking import block_keys, key_texts
from engine.identity.explanation import explain, headline
from engine.identity.index import SourceRecord
from engine.identity.matching import match
from engine.identity.similarity import compare
from engine.identity.traits import Kind, Traits
from engine.identity.weights import (
    Frequencies,
    Mode,
    overlay_score,
    posterior,
    score,
)
from tests.memory_index import model
from tests.shared_data import shared

NICKNAMES = {"peggy": frozenset({"margaret"}), "margaret": frozenset({"peggy"})}
COMMON = Frequencies(given=400, family=250, records=20_000)
ANN = Traits(
    given="margaret",
    family="tillinghast",
    birth="19620304",
    sex="F",
    ssn="123456780",
    last_four="6780",
    number="12",
    street="elm st",
    city="salem",
    state="or",
    zip5="97301",
    phone="5415550123",
)


@pytest.mark.parametrize(
    ("trait", "change", "level"),
    [
        ("given", {"given": "peggy"}, "nick"),
        ("given", {"given": "m"}, "init"),
        ("given", {"given": "margarett"}, "jw92"),
        ("given", {"given": "mar"}, "jw84"),
        ("given", {"given": "henrietta"}, "no"),
        ("given", {"given": "tillinghast", "family": "margaret"}, "swap"),
        ("given", {"given": "tilinghast", "family": "margret"}, "swapjw"),
        ("family", {"given": "tilinghast", "family": "margret"}, "swapjw"),
        ("given", {"given": "tilinghast", "family": "otto"}, "no"),
        ("family", {"given": "otto", "family": "margret"}, "new"),
        ("given", {"given": "louise", "middle": "margaret"}, "mid"),
        ("family", {"family": "tillinghast vance"}, "tok"),
        ("family", {"family": "tilinghast"}, "jw92"),
        ("family", {"family": "vance"}, "new"),
        ("family", {"family": "vance", "sex": "M"}, "no"),
        ("given", {"given": "louise", "middle": "m"}, "midi"),
        ("multiple", {"multiple": "Y"}, "one"),
        ("multiple", {"kind": Kind.UNNAMED}, "none"),
        ("newborn", {"kind": Kind.UNNAMED, "family": "vance"}, "no"),
        ("newborn", {"kind": Kind.UNNAMED}, "eq"),
        ("birth", {"birth": "19620403"}, "swap"),
        ("birth", {"birth": "19620305"}, "d1"),
        ("birth", {"birth": "19720304"}, "d1"),
        ("birth", {"birth": "19840304"}, "md"),
        ("birth", {"birth": "19620101"}, "y01"),
        ("birth", {"birth": "19620327"}, "y1"),
        ("birth", {"birth": "19991231"}, "no"),
        ("ssn", {"ssn": "123456708", "last_four": "6708"}, "d1"),
        ("ssn", {"ssn": "", "last_four": "6780"}, "s4"),
        ("ssn", {"ssn": "", "last_four": "1111"}, "s4no"),
        ("ssn", {"ssn": "987654322", "last_four": "4322"}, "no"),
        ("address", {"number": "13"}, "near"),
        ("address", {"number": "977"}, "street"),
        ("address", {"number": "9", "street": "oak ave"}, "zip"),
        ("address", {"street": "oak ave", "zip5": "97302"}, "city"),
        ("address", {"street": "oak ave", "zip5": "1", "city": "bend"}, "no"),
        ("phone", {"phone": "5415550124"}, "d1"),
        ("phone", {"phone": "2065550199"}, "no"),
    ],
)
def test_the_first_level_that_fits_is_taken(trait, change, level):
    assert compare(ANN, ANN._replace(**change), NICKNAMES)[trait] == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("louise", "margaret", None),
        ("l", "margaret", None),
        ("edna", "margaret", "no"),
        ("", "margaret", None),
    ],
)
def test_where_one_goes_by_the_middle_name_middle_names_only_speak_against(
    one, other, level
):
    left = ANN._replace(middle=one)
    right = ANN._replace(given="louise", middle=other)

    levels = compare(left, right, NICKNAMES)

    assert (levels["given"] in {"mid", "midi"}, levels.get("middle")) == (True, level)


def test_a_short_form_of_the_middle_name_is_going_by_it():
    right = ANN._replace(given="louise", middle="peggy")

    assert compare(ANN, right, NICKNAMES)["given"] == "mid"


def test_another_family_name_of_a_newborn_without_a_name_is_weighed_apart():
    levels = compare(ANN, ANN._replace(kind=Kind.UNNAMED, family="vance"), {})

    assert "family" not in levels
    assert levels["newborn"] == "no"


@pytest.mark.parametrize(
    ("trait", "one", "other", "level"),
    [
        ("multiple", "N", "N", "single"),
        ("multiple", "N", "Y", "one"),
        ("multiple", "N", "", None),
        ("mother", "HOSP|9", "HOSP|9", "eq"),
        ("mother", "HOSP|9", "HOSP|8", "no"),
        ("mother", "HOSP|9", "CLINIC|9", None),
        ("minute", "0412", "0412", "eq"),
        ("minute", "0412", "0419", "no"),
        ("minute", "0412", "", None),
    ],
)
def test_birth_facts_are_compared_where_both_records_tell(trait, one, other, level):
    left, right = ANN._replace(**{trait: one}), ANN._replace(**{trait: other})

    assert compare(left, right, {}).get(trait) == level


def test_the_minute_of_another_day_says_nothing():
    left = ANN._replace(minute="0412")

    assert "minute" not in compare(left, left._replace(birth="19620305"), {})


def test_every_level_that_is_compared_has_weights_and_a_sentence():
    child = ANN._replace(kind=Kind.UNNAMED, mother="H|9", minute="0412", multiple="N")
    other = child._replace(mother="H|8", minute="0413", family="vance")

    for right in (child, other):
        found = match(child, SourceRecord(1, "P", "HOSP", right), COMMON, model())
        lines = explain(child, found, model())

        assert all(line.sentence for line in lines)
        for trait, level in found.levels.items():
            assert level in model().weights[trait]


@pytest.mark.parametrize(("order", "level"), [("1", "eq"), ("2", "no")])
def test_places_in_a_multiple_birth_are_compared(order, level):
    first = ANN._replace(multiple="Y", order="1")

    assert compare(first, first._replace(order=order), {})["multiple"] == level


def test_agreement_that_twins_have_too_is_explained_as_such():
    twin = ANN._replace(given="henrietta", ssn="123456781", last_four="6781")
    found = match(ANN, SourceRecord(1, "P", "HOSP", twin), COMMON, model())

    lines = explain(ANN, found, model())

    assert lines[-1].sentence == "agreement is what one expects of a twin"
    assert isclose(sum(line.bits for line in lines), found.bits)


def test_a_trait_missing_on_either_side_is_not_compared():
    levels = compare(ANN, Traits(given="margaret", family="tillinghast"), NICKNAMES)

    assert levels == {"given": "eq", "family": "eq"}


def test_nothing_to_compare_is_only_the_prior():
    nothing = score({}, COMMON, model())

    assert nothing == pytest.approx(-14.06, abs=0.05)


def test_every_level_of_the_specification_has_shipped_weights():
    weights = model().weights
    with shared("tools", "mpi", "weights.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            assert row["level"] in weights[row["trait"]]


def test_a_rare_name_says_more_than_a_common_one():
    levels = {"given": "eq", "family": "eq", "birth": "eq"}

    rare = score(levels, Frequencies(0, 0, 20_000), model())
    common = score(levels, Frequencies(900, 300, 20_000), model())

    assert rare > common + 1


def test_strangers_become_likelier_as_the_index_fills():
    levels = {"given": "eq", "family": "eq", "birth": "eq"}

    small = score(levels, Frequencies(9, 9, 20_000), model())
    large = score(levels, Frequencies(900, 900, 2_000_000), model())

    assert small > large


def test_a_household_is_not_taken_for_one_person():
    levels = compare(ANN, ANN._replace(given="henrietta", birth="19910817"), NICKNAMES)
    levels.pop("ssn")

    assert score(levels, COMMON, model()) < -6


def test_an_update_of_the_same_person_is_no_overlay_and_anothers_is():
    moved = ANN._replace(street="oak ave", number="9", phone="2065550199")
    other = Traits(given="otto", family="vance", birth="19991231", sex="M")

    assert overlay_score(compare(ANN, moved, NICKNAMES), model().weights) > 0
    assert overlay_score(compare(ANN, other, NICKNAMES), model().weights) < 0


def test_the_lines_of_an_explanation_add_up_to_the_score():
    other = ANN._replace(given="peggy", birth="19620305", street="oak ave")
    found = match(ANN, SourceRecord(1, "P", "HOSP", other), COMMON, model())

    lines = explain(ANN, found, model())

    assert isclose(sum(line.bits for line in lines), found.bits)
    assert "nickname Margaret for Peggy" in {line.sentence for line in lines}
    assert "birth date one digit off" in headline(lines)
    assert "6780" in {line.left for line in lines if line.trait == "ssn"}.pop()


def test_no_line_shows_a_whole_ssn():
    found = match(ANN, SourceRecord(1, "P", "HOSP", ANN), COMMON, model())

    assert all("123456780" not in str(line) for line in explain(ANN, found, model()))


def test_the_posterior_stays_a_probability():
    assert posterior(-10_000) >= 0
    assert posterior(0) == 0.5
    assert posterior(10_000) <= 1


def test_blocking_finds_married_exchanged_and_misspelt_names():
    keys = set(key_texts(ANN, {"peggy": ("margaret",)}))
    married = set(key_texts(ANN._replace(family="vance"), {}))
    exchanged = set(key_texts(ANN._replace(given="tillinghast", family="margaret"), {}))
    nickname = Traits(given="peggy", family="tillinghast", birth="19620304")

    assert keys & married
    assert keys & exchanged
    assert keys & set(key_texts(nickname, {"peggy": ("margaret",)}))


def test_keys_are_hashed_under_a_secret_and_fit_64_bits():
    keys = block_keys(ANN, {}, b"one")

    assert len(keys) == len(set(keys))
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert not set(keys) & set(block_keys(ANN, {}, b"two"))


@pytest.mark.parametrize("kind", [Kind.UNIDENTIFIED, Kind.TEST])
def test_M14_an_isolated_record_has_no_keys(kind):
    assert block_keys(ANN._replace(kind=kind), {}, b"") == []


def test_safe_and_balanced_are_the_documented_thresholds():
    assert model(Mode.SAFE).thresholds == (6, -6, 10)
    assert model(Mode.BALANCED).thresholds == (3, -1, None)


def test_keys_of_one_record_lie_together_and_are_still_told_apart():
    keys = block_keys(ANN, {}, b"one")
    upper = {key >> 32 for key in keys}

    assert len(set(keys)) == len(keys)
    assert len(upper) <= len(keys) * 2 / 3
    assert not upper & {key >> 32 for key in block_keys(ANN, {}, b"two")}


NAMESAKE = Traits(
    given="andre", family="ayudan", sex="M", number="174", street="chestnut st"
)


@pytest.mark.parametrize(
    ("one", "other", "asks"),
    [
        ({}, {}, True),
        ({"birth": "20000716"}, {}, True),
        ({"street": "chestnug st"}, {"phone": "9059481497"}, True),
        ({"street": "", "phone": "9059481497"}, {"phone": "9059481497"}, True),
        ({"suffix": "jr"}, {}, True),
        ({"middle": "bobbie"}, {"middle": "lee"}, True),
        ({"middle": "bobbie"}, {"middle": "b"}, False),
        ({"suffix": "jr"}, {"suffix": "jr"}, False),
        ({"birth": "20000716"}, {"birth": "20000716"}, False),
        ({"birth": "20000716"}, {"birth": "19720301"}, True),
        (
            {"birth": "20000716", "middle": "b"},
            {"birth": "19720301", "middle": "b"},
            True,
        ),
        ({"birth": "20000716"}, {"birth": "20000717"}, False),
        ({"last_four": "9196"}, {"last_four": "9196"}, False),
        ({"sex": "F"}, {"sex": "F"}, False),
        ({"street": "elm st", "number": "9"}, {}, False),
    ],
)
def test_one_name_in_one_home_is_asked_about_where_nothing_else_is_known(
    one, other, asks
):
    """A father and his son share both, however rare their name is."""
    right = SourceRecord(1, "P", "HOSP", NAMESAKE._replace(**other))

    found = match(NAMESAKE._replace(**one), right, COMMON, model())

    assert found.guarded is asks
    assert not match(NAMESAKE, right, COMMON, model(Mode.BALANCED)).guarded


def test_M12_a_mark_of_a_multiple_birth_speaks_for_a_twin():
    jan = ANN._replace(given="jan", ssn="", last_four="")
    joan = jan._replace(given="joan", multiple="Y", order="2")

    marked, unmarked = (
        score(compare(jan, other, {}), COMMON, model())
        for other in (joan, joan._replace(multiple="", order=""))
    )

    assert marked < unmarked - 4
