"""Content at rest: sealed, bound to its row, found by keyed hashes."""

import errno
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigurationError, EngineError
from engine.store.seal import Sealer, load_or_create_key

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


def test_processes_that_start_together_agree_on_one_whole_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for turn in range(50):
            path = tmp_path / f"{turn}.key"
            start = Barrier(8)

            def load(path=path, start=start):
                start.wait()
                return load_or_create_key(path)

            keys = [each.result() for each in [pool.submit(load) for _ in range(8)]]

            assert len(set(keys)) == 1
    assert len(list(tmp_path.iterdir())) == 50


def test_F04_a_key_whose_name_is_not_on_disk_is_nobodys_key(  # noqa: N802
    tmp_path, monkeypatch
):
    path = tmp_path / "store.key"

    def fails(_folder):
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr("engine.store.seal.sync_folder", fails)
    with pytest.raises(OSError, match="disk"):
        load_or_create_key(path)

    assert list(tmp_path.iterdir()) == []
