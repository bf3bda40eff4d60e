"""Weights fitted to an index's own records, and what another model would do."""

from dataclasses import replace
from math import log2

import pytest

from engine.hl7 import parse
from engine.identity import Reading, decide, registration_of
from engine.identity.estimation import (
    Group,
    Tally,
    drift,
    effect,
    group_of,
    interval,
    linked,
    refit,
    trained,
    written,
)
from engine.identity.index import SourceRecord
from engine.identity.matching import match
from engine.identity.traits import Traits
from engine.identity.weights import Frequencies, read_weights
from engine.peers.synthetic import Plan, make_feed
from tests.memory_index import SAFE, Feed

ANN = Traits(
    given="ann", family="vance", birth="19620304", number="12", street="elm st",
    phone="5415550123",
)  # fmt: skip


def pair(**change):
    record = SourceRecord(1, "P1", "HOSP", ANN._replace(**change))
    return match(ANN, record, Frequencies(50, 50, 20_000), SAFE)


@pytest.fixture(scope="module")
def filled():
    feed = Feed()
    for made in make_feed(Plan("adt", 130, 90, 1, 1, 0.0)):
        found = registration_of(parse(made.data), Reading(), lambda: next(feed.minted))
        assert found.registration is not None
        feed.index.apply(decide(found.registration, feed.index, SAFE))
    return feed.index


@pytest.mark.parametrize(
    ("change", "group"),
    [
        ({}, Group.SAME),
        ({"given": "otto", "birth": "19310817"}, Group.HOUSEHOLD),
        ({"given": "zelda"}, None),
        ({"given": "otto", "birth": "19310817", "street": "oak", "phone": ""}, None),
    ],
)
def test_a_blocked_pair_is_sorted_by_its_score_and_what_lies_between_is_left_out(
    change, group
):
    assert group_of(pair(**change), None) == group


def test_M22_what_people_decided_outranks_the_score():
    assert group_of(pair(given="zelda"), same=True) is Group.SAME
    assert group_of(pair(given="zelda"), same=False) is Group.TWIN
    assert group_of(pair(birth="19310817"), same=False) is Group.HOUSEHOLD


STRONG = {"phone": "5415550123", "ssn": "219096789", "last_four": "6789"}


@pytest.mark.parametrize(
    ("change", "trait", "level", "group"),
    [
        # SSN, names and home say one person, whatever the birth date says
        ({"birth": "19310817"}, "birth", "no", Group.SAME),
        ({"given": "otto"}, "given", "no", Group.SAME),
        # a home found by its phone tells how its address is written, and only that
        (
            {"given": "otto", "birth": "19310817", "ssn": "517230044",
             "last_four": "0044", "number": "13"},
            "address", "near", Group.HOUSEHOLD,
        ),
    ],
)  # fmt: skip
def test_a_trait_is_counted_in_the_class_that_the_others_say(
    change, trait, level, group
):
    one = ANN._replace(**STRONG)
    record = SourceRecord(1, "P1", "HOSP", one._replace(**change))
    tally = Tally()

    found = match(one, record, Frequencies(50, 50, 20_000), SAFE)
    tally.judge(one, found, SAFE, same=None)

    assert tally.levels[group, trait, level] == 1


def test_a_home_found_by_its_address_alone_does_not_tell_how_addresses_differ():
    record = ANN._replace(given="otto", birth="19310817", phone="")
    tally = Tally()

    found = pair(**record._asdict())
    tally.judge(ANN, found, SAFE, same=None)

    assert tally.pairs[Group.HOUSEHOLD] == 1
    assert not any(trait == "address" for _, trait, _ in tally.levels)


def test_without_pairs_the_weights_stay_what_they_were():
    fitted = refit(SAFE.weights, Tally())

    for trait, levels in SAFE.weights.items():
        for level, bits in levels.items():
            assert fitted[trait][level].same == pytest.approx(bits.same, abs=0.06)


def test_a_level_seen_more_often_than_expected_gains_weight():
    tally = Tally()
    for _ in range(1_000):
        tally.add(Group.SAME, {"phone": "no"})

    fitted = refit(SAFE.weights, tally)

    assert fitted["phone"]["no"].same > SAFE.weights["phone"]["no"].same + 1
    assert drift(SAFE.weights, fitted)[0][:2] in {("phone", "no"), ("phone", "eq"),
                                                  ("phone", "d1")}  # fmt: skip


@pytest.mark.parametrize("pairs", [10, 1_000, 100_000])
def test_what_a_sample_never_shows_is_no_rarer_than_its_size_can_tell(pairs):
    tally = Tally()
    tally.pairs[Group.STRANGER] = pairs
    tally.levels[Group.STRANGER, "ssn", "no"] = pairs

    fitted = refit(SAFE.weights, tally)["ssn"]

    for level, bits in SAFE.weights["ssn"].items():
        if level != "no":
            least = min(bits.stranger, -log2(2 * pairs))
            assert least - 0.1 < fitted[level].stranger < bits.stranger + 0.1


def test_M22_an_index_trains_a_model_that_is_read_back_as_it_was(filled):
    sample = list(filled.records.values())

    weights, tally = trained(filled, SAFE, sample, {}, rounds=1)

    assert tally.pairs[Group.SAME] > 50
    assert tally.pairs[Group.STRANGER] > 1_000
    assert read_weights(written(weights)) == weights


def test_M22_what_if_tells_links_made_and_broken_and_writes_nothing(filled):
    sample = list(filled.records.values())[:100]
    strict = replace(SAFE, thresholds=SAFE.thresholds._replace(high=90.0))
    before = {each.number: each.person for each in filled.records.values()}

    same = effect(filled, SAFE, SAFE, sample)
    stricter = effect(filled, SAFE, strict, sample)

    assert (same.made, same.broken) == (0, 0)
    assert same.linked_before == same.linked_after > 0
    assert stricter.broken == stricter.linked_before
    assert stricter.linked_after == 0
    assert stricter.doubts_after > stricter.doubts_before
    assert before == {each.number: each.person for each in filled.records.values()}


def test_a_model_alone_links_what_is_over_its_threshold(filled):
    one = SourceRecord(1, "P1", "HOSP", ANN)

    assert linked(one, replace(one, number=2), filled, SAFE)
    assert not linked(one, SourceRecord(2, "P2", "HOSP", Traits()), filled, SAFE)


def test_a_share_has_its_interval():
    assert interval(0, 0) == (1.0, 0.0, 1.0)
    share, low, high = interval(98, 100)
    assert low < share < high <= 1.0
    assert (low, high) == pytest.approx((0.930, 0.9945), abs=0.001)


def test_what_is_hardly_ever_told_stays_evidence_in_a_fitted_model():
    tally = Tally()
    for _ in range(50):
        tally.add(Group.SAME, {"multiple": "one"})

    fitted = refit(SAFE.weights, tally)["multiple"]

    assert sum(2**bits.same for bits in fitted.values()) == pytest.approx(
        sum(2**bits.same for bits in SAFE.weights["multiple"].values()), rel=0.01
    )
