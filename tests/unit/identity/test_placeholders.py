"""Numbers that too many people share are learned to mean nobody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.identity import Outcome, Reason
from engine.identity.blocking import block_keys
from engine.identity.index import SourceRecord
from engine.identity.placeholders import Placeholder, learned, meant
from engine.identity.traits import Traits
from tests.memory_index import Feed, MemoryIndex

CLERKS = "512347890"
FAMILIES = ("Vance", "Ortiz", "Okafor", "Lindqvist", "Marchetti", "Haddad")
GIVEN = ("Otto", "Ines", "Chidi", "Astrid", "Bruno", "Layla")
HOME = "12 Elm St^^Salem^OR^97301"


def shares(feed, place, **traits):
    """Send somebody of their own name and day who has the clerk's number."""
    person = {
        "family": FAMILIES[place],
        "given": GIVEN[place],
        "birth": f"19{40 + 9 * place}0{place + 1}1{place}",
        "ssn": CLERKS,
    }
    return feed.send(f"S{place}", **{**person, **traits})


def test_M15_an_ssn_of_a_fifth_person_is_learned_once():
    feed = Feed()

    said = [shares(feed, place).learned for place in range(6)]

    assert [*map(len, said)] == [0, 0, 0, 0, 1, 0]
    assert said[4][0].trait == "ssn"
    assert said[4][0].seen == 4


def test_M15_a_learned_ssn_says_nothing_even_where_few_candidates_have_it():
    feed = Feed()
    for place in range(5):
        shares(feed, place)
    alone = {"family": "Nowak", "given": "", "birth": "", "ssn": CLERKS}
    feed.send("N1", **alone, address=HOME)

    again = feed.send("N2", **alone)

    assert again.match is not None
    assert "ssn" not in again.match.levels


def test_M15_a_learned_ssn_does_not_excuse_an_overlay():
    feed = Feed()
    for place in range(5):
        shares(feed, place)

    news = shares(feed, 0, family="Tanaka", given="Mei", birth="19990707", sex="M",
                  trigger="A08", sent="20300102120000")  # fmt: skip

    assert news.outcome is Outcome.DOUBT
    assert news.reasons == (Reason.POTENTIAL_OVERLAY,)


@pytest.mark.parametrize(("callers", "known"), [(12, 0), (50, 0), (51, 1)])
def test_M15_a_telephone_is_learned_from_more_than_fifty_persons(callers, known):
    traits = Traits(phone="5415550123")
    index = MemoryIndex()
    [key] = block_keys(traits, {}, index.secret)
    for number in range(callers):
        index.records[number] = SourceRecord(number, f"P{number}", "HOSP", traits)
        index.blocks[key][number] = None

    news = learned(traits, index.candidates([key]), index)

    assert news == (Placeholder("phone", key, callers),) * known


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(FAMILIES), st.sampled_from(GIVEN), st.integers(1, 28)
        ),
        max_size=12,
    )
)
def test_M15_no_number_of_records_of_one_person_makes_their_ssn_a_placeholder(said):
    whole = Traits(ssn=CLERKS, last_four=CLERKS[-4:])
    one = [
        SourceRecord(
            number,
            "P1",
            "HOSP",
            whole._replace(family=family, given=name, birth=f"196203{day:02}"),
        )
        for number, (family, name, day) in enumerate(said)
    ]

    assert learned(whole, one, MemoryIndex()) == ()


@given(st.sets(st.sampled_from(["ssn", "phone"])))
def test_M15_only_what_was_learned_is_missing(known):
    index = MemoryIndex()
    whole = Traits(given="ann", ssn=CLERKS, last_four="7890", phone="5415550123")
    for trait in known:
        bare = Traits(**{trait: getattr(whole, trait)})
        index.learned.update(block_keys(bare, {}, index.secret))

    found = meant(whole, index)

    assert found.given == "ann"
    assert (found.ssn, found.last_four) == (
        ("", "") if "ssn" in known else (CLERKS, "7890")
    )
    assert (found.phone == "") == ("phone" in known)
