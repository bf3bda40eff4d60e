"""The golden record: the best value of each field, with its source."""

from hypothesis import given
from hypothesis import strategies as st

from engine.identity.index import Identifier
from engine.identity.survivorship import SourceValues, golden
from engine.identity.traits import Kind, Traits

ANN = Traits(given="ann", family="tillinghast", birth="19620304", sex="F")


def source(record, *, authority="HOSP", time="20300101120000", numbers=(), **traits):
    return SourceValues(
        record, authority, ANN._replace(**traits), time, record * 10, tuple(numbers)
    )


def test_a_value_that_is_there_beats_one_that_is_missing():
    found = golden([source(1, phone=""), source(2, phone="5415550123")])

    assert found.traits.phone == "5415550123"
    assert found.chosen["phone"].record == 2


def test_a_trusted_source_beats_a_recent_one():
    sources = [
        source(1, family="tillinghast"),
        source(2, authority="CLINIC", family="vance", time="20300105120000"),
    ]

    found = golden(sources, ranks=["HOSP", "CLINIC"])

    assert found.traits.family == "tillinghast"
    assert found.chosen["name"].rule == "source rank"


def test_a_recent_value_beats_an_old_one():
    found = golden([source(1), source(2, family="vance", time="20300105120000")])

    assert (found.traits.family, found.chosen["name"].rule) == ("vance", "most recent")
    assert found.former_names == (("ann", "", "tillinghast", ""),)


def test_a_frequent_value_beats_a_rare_one():
    sources = [source(1, family="vance"), source(2), source(3)]

    assert golden(sources).traits.family == "tillinghast"


def test_a_record_that_its_system_removed_has_a_say_only_when_it_is_alone():
    removed = source(2, family="vance", time="20300105120000", kind=Kind.REMOVED)

    assert golden([source(1), removed]).traits.family == "tillinghast"
    assert golden([removed]).traits.family == "vance"


def test_where_no_rule_tells_the_first_record_does_and_that_is_said():
    found = golden([source(2, family="vance"), source(1)])

    assert (found.traits.family, found.chosen["name"].rule) == (
        "tillinghast",
        "first record",
    )
    assert found.chosen["birth"].rule == "only value"


def test_name_and_address_come_from_one_record_each():
    sources = [
        source(1, number="1", street="elm st", city="salem", zip5="97301"),
        source(2, number="9", street="oak ave", city="", time="20300105120000"),
    ]

    found = golden(sources).traits

    assert (found.number, found.street, found.city) == ("9", "oak ave", "")


def test_M09_identifiers_are_united_and_never_repeated():
    one, two = Identifier("HOSP", "MR", "1"), Identifier("CLINIC", "MR", "2")

    found = golden([source(1, numbers=[one, two]), source(2, numbers=[two])])

    assert found.identifiers == (one, two)


def test_nobody_has_an_empty_golden_record():
    assert golden([]).traits == Traits()


@given(
    st.permutations([source(n, family=f"f{n}", time=f"2030010{n}") for n in (1, 2, 3)])
)
def test_the_order_of_records_does_not_matter(sources):
    assert golden(sources).traits.family == "f3"


def test_M09_a_record_that_left_leaves_no_value_behind():
    stays, leaves = source(1), source(2, family="vance", phone="5415550123", time="9")

    together, alone = golden([stays, leaves]), golden([stays])

    assert together.traits.phone == "5415550123"
    assert alone == golden([stays])
    assert alone.traits == stays.traits
