"""The key file: made once, read by its owner, and only ever added to."""

import errno
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from engine.errors import ConfigurationError
from engine.store.key_file import MOST_KEYS, Keys, load_or_create_key


def test_a_key_file_is_made_for_its_owner_only(tmp_path):
    path = tmp_path / "keys" / "store.key"

    key = load_or_create_key(path).first

    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_key(path).first == key


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "store.key"
    load_or_create_key(path)
    path.chmod(0o644)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create_key(path)


def test_a_key_file_that_is_no_key_is_refused(tmp_path):
    path = tmp_path / "store.key"
    path.write_text("secret")
    path.chmod(0o600)

    with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
        load_or_create_key(path)


def test_processes_that_start_together_agree_on_one_whole_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for turn in range(50):
            path = tmp_path / f"{turn}.key"
            start = Barrier(8)

            def load(path=path, start=start):
                start.wait()
                return load_or_create_key(path)

            keys = [each.result() for each in [pool.submit(load) for _ in range(8)]]

            assert len({each.first for each in keys}) == 1
    assert len(list(tmp_path.iterdir())) == 50


def test_F04_a_key_whose_name_is_not_on_disk_is_nobodys_key(  # noqa: N802
    tmp_path, monkeypatch
):
    path = tmp_path / "store.key"

    def fails(_folder):
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr("engine.store.key_file.sync_folder", fails)
    with pytest.raises(OSError, match="disk"):
        load_or_create_key(path)

    assert list(tmp_path.iterdir()) == []


def test_a_key_is_added_after_those_that_are_there(tmp_path):
    path = tmp_path / "store.key"
    known, elsewhere = load_or_create_key(path), load_or_create_key(path)

    number = known.add()

    assert (number, known.count, elsewhere.count) == (2, 2, 1)
    assert elsewhere.find(2) == known.find(2) != known.first
    assert elsewhere.find(1) == known.first == load_or_create_key(path).first
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_keys_that_are_added_together_are_all_there(tmp_path):
    path = tmp_path / "store.key"
    known = [load_or_create_key(path) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(Keys.add, known))

    assert sorted(numbers) == list(range(2, 10))
    assert load_or_create_key(path).count == 9


def test_F04_a_key_file_that_cannot_be_written_is_as_it_was(  # noqa: N802
    tmp_path, monkeypatch
):
    path = tmp_path / "store.key"
    known, before = load_or_create_key(path), path.read_bytes()

    def fails(_descriptor):
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="disk"):
        known.add()

    assert (known.count, path.read_bytes()) == (1, before)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "nonsense", "{other}\n{other}\n"])
def test_a_file_that_lacks_the_known_keys_adds_none(tmp_path, text):
    path = tmp_path / "store.key"
    known = load_or_create_key(path)
    path.write_text(text.format(other="ab" * 32))

    assert (known.find(2), known.count) == (None, 1)


def test_a_key_file_is_no_longer_than_numbers_reach(tmp_path):
    path = tmp_path / "store.key"
    known = load_or_create_key(path)
    path.write_text("ab" * 32 + ("\n" + "cd" * 32) * (MOST_KEYS - 1))
    full = load_or_create_key(path)

    with pytest.raises(ConfigurationError, match="127 keys"):
        full.add()
    path.write_text("ab" * 32 + ("\n" + "cd" * 32) * MOST_KEYS)
    with pytest.raises(ConfigurationError, match="more than 127"):
        load_or_create_key(path)
    assert known.find(MOST_KEYS + 1) is None


def test_keys_without_a_file_cannot_become_more():
    known = Keys([bytes(32)])

    assert known.find(2) is None
    with pytest.raises(ConfigurationError, match="in no file"):
        known.add()
