"""Content at rest: sealed, bound to its row, found by keyed hashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigurationError, EngineError
from engine.store.key_file import Keys
from engine.store.seal import Sealer

SEALER = Sealer(bytes(range(32)))


@given(content=st.binary(max_size=9000), context=st.text(max_size=40))
def test_what_is_sealed_opens_in_its_own_context(content, context):
    assert SEALER.open(SEALER.seal(content, context), context) == content


@given(content=st.binary(max_size=300), position=st.integers(0), bit=st.integers(0, 7))
def test_a_single_changed_bit_is_noticed(content, position, bit):
    sealed = bytearray(SEALER.seal(content, "delivery|1|adt"))
    sealed[position % len(sealed)] ^= 1 << bit

    with pytest.raises(EngineError, match=r"delivery\|1\|adt"):
        SEALER.open(bytes(sealed), "delivery|1|adt")


def test_content_moved_to_another_row_does_not_open():
    sealed = SEALER.seal(b"PID|1", "delivery|1|adt")

    with pytest.raises(EngineError, match="does not open"):
        SEALER.open(sealed, "delivery|2|adt")


def test_another_key_opens_nothing():
    with pytest.raises(EngineError):
        Sealer(bytes(32)).open(SEALER.seal(b"PID|1", "x"), "x")


def test_long_content_is_compressed_first():
    assert len(SEALER.seal(b"PID|1||" * 1000, "x")) < 200


def test_equal_values_have_equal_keyed_hashes_under_one_key_only():
    other = Sealer(bytes(32))

    assert SEALER.blind("Doe") == SEALER.blind("Doe") != other.blind("Doe")
    assert SEALER.blind_number("Doe") == SEALER.blind_number("Doe") < 1 << 63


def test_a_key_of_another_length_is_refused():
    with pytest.raises(ConfigurationError, match="32 bytes"):
        Sealer(b"short")


def test_a_pseudonym_is_the_same_for_the_same_under_one_key_only():
    one, other = Sealer(bytes(32)), Sealer(bytes(31) + b"1")

    word = one.pseudonym("Doe")

    assert word == one.pseudonym("Doe")
    assert (len(word), word.isalnum()) == (16, True)
    assert word not in (one.pseudonym("Roe"), other.pseudonym("Doe"))


def test_what_an_earlier_key_sealed_opens_beside_what_the_one_in_use_seals():
    first, second = bytes(range(32)), bytes(32)
    before = SEALER.seal(b"PID|1", "x")
    keys = Keys([first, second])
    sealer = Sealer(keys)
    keys.in_use = 2
    short, long = sealer.seal(b"PID|1", "x"), sealer.seal(b"PID|1" * 99, "x")

    assert [each[0] for each in (before, short, long)] == [1, 3, 4]
    assert sealer.open(before, "x") == sealer.open(short, "x") == b"PID|1"
    assert sealer.open(long, "x") == b"PID|1" * 99
    assert sealer.blind("Doe") == SEALER.blind("Doe")
    for other in (SEALER, Sealer(Keys([second, first]))):
        assert other.open_undamaged(short, "x") is None


def test_nothing_is_sealed_with_a_key_that_is_not_there():
    with pytest.raises(EngineError, match="no key 3"):
        SEALER.seal(b"PID|1", "x", 3)
