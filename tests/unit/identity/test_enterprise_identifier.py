"""Handles: how people say an enterprise identifier, and whom they mean by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.identity.enterprise_identifier import (
    BITS,
    called,
    handle_of,
    identifier_of,
)

NUMBERS = st.integers(0, 2**BITS - 1)
UNSAID = BITS - 32


def meant_by(handle):
    """Return the identifiers that a handle may mean."""
    found = called(handle)
    assert found is not None
    return found


@given(NUMBERS)
def test_a_handle_leads_back_to_its_identifier(number):
    eid = identifier_of(number)

    meant = meant_by(handle_of(eid))

    assert meant.first <= eid <= meant.last


@given(NUMBERS)
def test_a_handle_means_exactly_the_identifiers_that_begin_alike(number):
    meant = meant_by(handle_of(identifier_of(number)))
    first = number >> UNSAID << UNSAID
    last = first + 2**UNSAID - 1

    assert identifier_of(first)[:7] == meant.first
    assert identifier_of(last) == meant.last
    if first:
        assert identifier_of(first - 1) < meant.first
    if last < 2**BITS - 1:
        assert identifier_of(last + 1) > meant.last


@given(st.integers(0, 2**16 - 1))
def test_every_word_is_five_letters_and_its_own(number):
    eid = identifier_of(number << UNSAID)
    said = handle_of(eid).partition("-")[2]

    assert len(said) == 5
    assert meant_by(f"babab-{said}").first == eid[:7]


def test_the_words_are_those_of_proquints():
    localhost = identifier_of(0x7F000001 << UNSAID)

    assert handle_of(localhost) == "lusab-babad"


def test_no_patient_is_called_by_an_illness():
    meant = meant_by("tumor-lusab")

    assert handle_of(meant.last) == "temer-lusab"
    assert called("temer lusab") == meant


@pytest.mark.parametrize("said", ["Lusab-Babad", "lusab babad", " LUSABBABAD "])
def test_a_handle_is_understood_however_it_is_typed(said):
    assert called(said) == called("lusab-babad")


@pytest.mark.parametrize(
    "said", ["", "lusab", "lusab-babac", "lusab-babad-lusab", "994", "0123456789012"]
)
def test_what_is_no_handle_means_nobody(said):
    assert called(said) is None


@pytest.mark.parametrize("eid", ["", "P1", "7kq2m9xb4t0vw", "7KQ2M9XB4T0VU"])
def test_what_is_no_enterprise_identifier_has_no_handle(eid):
    assert handle_of(eid) == ""
