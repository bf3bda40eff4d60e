"""Which characters of two values differ: nothing is lost, nothing is marked in vain."""

from hypothesis import given
from hypothesis import strategies as st

from engine.console.differing import MOST, Part, in_words, parts_of

VALUES = st.text(alphabet="abcdé 19-", max_size=12)


@given(VALUES, VALUES)
def test_the_pieces_are_the_two_values_and_only_what_differs_is_marked(value, beside):
    parts = parts_of(value, beside)

    assert "".join(each.text for each in parts) == value
    assert "".join(each.other for each in parts) == beside
    assert any(each.differs for each in parts) == (value != beside)
    assert sum(each.differs for each in parts) <= MOST


@given(VALUES, VALUES)
def test_words_say_each_place_that_is_marked_unless_all_is_another(value, beside):
    parts = parts_of(value, beside)
    told = in_words(parts)

    marked = [each for each in parts if each.differs]
    assert bool(told) == (len(parts) > 1 and not any(each.is_long for each in marked))
    assert [each for each in marked if told and each.in_words not in told] == []


def test_a_letter_too_many_and_a_letter_too_few_are_said_from_either_side():
    assert in_words(parts_of("Jon", "John")) == "without “h”"
    assert in_words(parts_of("John", "Jon")) == "with “h”"
    assert in_words(parts_of("12Elm St", "12 Elm St")) == "without a space"


def test_more_than_a_slip_is_marked_and_not_spelt_out():
    parts = parts_of("liz foxglovely", "elizabeth t foxglovely")

    assert [each.other for each in parts if each.differs] == ["e", "abeth t"]
    assert in_words(parts) == ""


def test_another_value_is_marked_as_a_whole():
    assert parts_of("Ottilie", "Bob") == (Part("Ottilie", "Bob"),)
