"""Commits that a damaged log has lost are missed; nothing goes on without a word."""

import shutil

import pytest

from engine.errors import ConfigurationError
from engine.store import journal
from engine.store.counters import skip_used_numbers
from engine.store.database import open_database
from engine.store.salvage import lost_messages
from engine.store.write_lock import WriteLock
from tests.databases import KEY, empty_database
from tests.stored import NOON, accept_some, ask, claim, processed, record

LOG_HEADER, FRAME = 32, 4096 + 24


@pytest.fixture
def rest(tmp_path):
    """The folder of a store whose power failed: five messages, three processed."""
    store = empty_database("sqlite", tmp_path)
    for _ in range(5):
        accept_some(store, 1)
    for one in claim(store, 3):
        record(store, processed(one.row.id))
    found = tmp_path / "found"
    shutil.copytree(store._backend.folder, found)
    for path in found.glob("*-shm"):
        path.unlink()
    return found


def opened(folder, **more):
    return open_database(f"sqlite:///{folder}", KEY, role="edge", **more)


def flip(path, byte):
    content = bytearray(path.read_bytes())
    content[byte] ^= 4
    path.write_bytes(content)


def test_F12_a_store_that_lost_nothing_opens(rest):  # noqa: N802
    store = opened(rest)

    assert ask(store, journal.row, 5).control_id == "C0"
    assert store.losses() == []
    store.close()


@pytest.mark.parametrize("schema", ["journal", "engine"])
@pytest.mark.parametrize("where", ["header", "first", "last"])
def test_F12_a_bit_of_a_log_that_flips_is_told_and_the_log_kept(  # noqa: N802
    rest, schema, where
):
    log = rest / f"{schema}.db-wal"
    frames = (log.stat().st_size - LOG_HEADER) // FRAME
    start = {
        "header": 0,
        "first": LOG_HEADER,
        "last": LOG_HEADER + FRAME * (frames - 1),
    }
    flip(log, start[where] + 17)
    damaged = log.read_bytes()

    with pytest.raises(ConfigurationError, match=f"{schema}.db has lost"):
        opened(rest)
    with pytest.raises(ConfigurationError, match="store accept-loss") as told:
        opened(rest)  # and SQLite has taken the log itself away

    [kept] = rest.glob("*.damaged-*")
    assert kept.read_bytes() == damaged
    assert str(kept) in str(told.value)


def test_F12_after_a_loss_is_accepted_no_known_number_is_given_again(rest):  # noqa: N802
    flip(rest / "journal.db-wal", LOG_HEADER + FRAME + 17)
    store = opened(rest, lossy=True)
    [loss] = store.losses()

    with store.journal() as connection:
        skip_used_numbers(connection)
    loss.forgive()

    assert loss.noted - loss.commits > 0
    assert store.losses() == []
    assert accept_some(store, 1) == [4]  # 1 to 3 were processed
    store.close()


def test_F12_nor_is_the_number_of_a_message_that_is_known_to_be_lost(rest):  # noqa: N802
    flip(rest / "journal.db-wal", LOG_HEADER + 17)
    store = opened(rest, lossy=True)

    with store.journal() as connection:
        skip_used_numbers(connection, 5)

    assert accept_some(store, 1) == [6]
    store.close()


def lost_of(store):
    """Return what the kept log tells of what the journal has lost, and from where."""
    [loss] = store.losses()
    last, _ = ask(store, journal.last)
    return last, lost_messages(loss.log.parent, loss.log, last, store.sealer)


@pytest.mark.parametrize("frame", [-1, 0, 1, 2, 5])
def test_F12_a_damaged_log_still_tells_which_messages_it_has_lost(rest, frame):  # noqa: N802
    flip(rest / "journal.db-wal", 17 if frame < 0 else LOG_HEADER + FRAME * frame + 17)
    store = opened(rest, lossy=True)

    last, lost = lost_of(store)

    assert last < 5
    assert [each.id for each in lost] == list(range(last + 1, 6))
    assert {(each.control_id, each.is_certain) for each in lost} == {("C0", True)}
    assert lost[-1].received_at == NOON
    store.close()


def test_F12_what_is_damaged_in_the_log_itself_is_told_or_left_out(rest):  # noqa: N802
    log = rest / "journal.db-wal"
    frames = (log.stat().st_size - LOG_HEADER) // FRAME
    for frame in range(frames):
        flip(log, LOG_HEADER + FRAME * frame + FRAME - 700)
    store = opened(rest, lossy=True)

    last, lost = lost_of(store)

    assert all(last < each.id <= 5 for each in lost)
    assert not any(each.is_certain and each.control_id != "C0" for each in lost)
    store.close()


def test_F12_a_log_without_a_commit_tells_nothing(rest):  # noqa: N802
    store = opened(rest)

    (rest / "some-log").write_bytes(b"x" * 100)

    assert lost_messages(rest, rest / "some-log", 0, store.sealer)[5:] == []
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        lost_messages(rest, rest / "no-log", 0, store.sealer)
    store.close()


def test_F12_a_transaction_that_changed_nothing_is_not_counted(tmp_path):  # noqa: N802
    store = empty_database("sqlite", tmp_path)
    with store.engine():
        pass
    lock = WriteLock(store._backend.folder / "engine.lock")
    before = lock.noted()

    with store.engine() as connection:
        connection.exec_driver_sql("SELECT 1")
    after = lock.noted()
    claim(store)
    accept_some(store, 1)
    claim(store)

    assert before == after
    assert lock.noted() == after + 1
    lock.close()


def test_F12_a_note_that_is_damaged_or_missing_says_nothing(tmp_path):  # noqa: N802
    path = tmp_path / "engine.lock"
    lock = WriteLock(path)

    empty = lock.noted()
    lock.note(4711)
    told = lock.noted()
    flip(path, 3)

    assert (empty, told, lock.noted()) == (0, 4711, 0)
    lock.close()


def test_F12_a_damaged_list_of_tables_is_refused_in_a_sentence(rest):  # noqa: N802
    opened(rest).close()
    path = rest / "journal.db"
    content = path.read_bytes()
    place = content.index(b"CREATE TABLE intake")
    path.write_bytes(content[:place] + b"\xa8\xff" + content[place + 2 :])

    with pytest.raises(ConfigurationError, match="does not open"):
        opened(rest)
