"""Opening a store: durable, with the right key, and nothing readable in its files."""

import errno
import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from engine.errors import ConfigurationError, JournalError, StoreError
from engine.store import audit, error_queue, reports
from engine.store.audit import Act
from engine.store.away import is_away, mended_by
from engine.store.database import open_database
from engine.store.delivery_state import Event
from engine.store.error_queue import Comment
from engine.store.resources import KnownResource, NewDocument
from engine.store.results import SearchKey, TableMiss
from engine.store.words import RunState
from engine.store.write_lock import WriteLock
from tests.databases import KEY, empty_database, empty_url
from tests.stored import (
    NOON,
    OPERATOR,
    accept,
    accept_some,
    arrival,
    document,
    end,
    failed,
    lease,
    processed,
    record,
)


@pytest.mark.parametrize("schema", ["journal", "engine"])
def test_every_connection_of_both_files_syncs_every_commit(tmp_path, schema):
    store = empty_database("sqlite", tmp_path)

    with store.reading() as one, store.reading() as other:
        for connection in (one, other):
            pragma = connection.exec_driver_sql
            assert pragma(f"PRAGMA {schema}.synchronous").scalar() == 2
            assert pragma(f"PRAGMA {schema}.journal_mode").scalar() == "wal"
            assert pragma(f"PRAGMA {schema}.mmap_size").scalar() in (0, None)

    store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_server_that_may_forget_commits_is_refused(tmp_path, setting):
    url = empty_url("postgresql", tmp_path)
    store = open_database(url, KEY)
    with store.engine() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting} = off")
    store.close()

    with pytest.raises(ConfigurationError, match=f"{setting}=off"):
        open_database(url, KEY)


def test_another_key_is_refused_in_a_sentence(tmp_path):
    url = empty_url("sqlite", tmp_path)

    with pytest.raises(ConfigurationError, match="made with another key"):
        open_database(url, bytes(32))


def test_a_store_that_must_exist_is_not_made(tmp_path):
    with pytest.raises(ConfigurationError, match="no store in"):
        open_database(f"sqlite:///{tmp_path}/none", KEY, create=False)


def test_an_empty_folder_becomes_a_store(tmp_path):
    store = open_database(f"sqlite:///{tmp_path}/new", KEY)

    assert accept_some(store, 1) == [1]
    store.close()


@pytest.mark.parametrize("url", ["mysql://somewhere/x", "no url at all"])
def test_an_unknown_address_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"store\.url"):
        open_database(url, KEY)


def test_what_is_committed_survives_in_a_second_process_view(tmp_path):
    url = empty_url("sqlite", tmp_path)
    store = open_database(url, KEY)
    accept_some(store, 3)
    store.checkpoint()

    other = open_database(url, KEY)

    with other.reading() as connection:
        count = connection.execute(text("SELECT count(*) FROM journal.message"))
        assert count.scalar() == 3
    other.close()
    store.close()


def test_a_checkpoint_moves_commits_into_the_files(tmp_path):
    url = empty_url("sqlite", tmp_path)
    store = open_database(url, KEY)
    accept_some(store, 50)
    file = tmp_path / url.rsplit("/", 1)[1] / "journal.db"
    before = file.stat().st_size

    store.checkpoint()

    assert file.stat().st_size > before
    store.close()


def test_a_journal_that_cannot_commit_says_so(tmp_path):
    url = empty_url("sqlite", tmp_path)
    store = open_database(url, KEY)
    with sqlite3.connect(tmp_path / url.rsplit("/", 1)[1] / "journal.db") as file:
        file.execute("DROP TABLE message")
    file.close()

    with pytest.raises(JournalError, match="could not commit"):
        accept_some(store, 1)
    store.close()


def test_writers_of_the_engine_file_take_turns(tmp_path):
    url = empty_url("sqlite", tmp_path)
    store, other = open_database(url, KEY), open_database(url, KEY)
    entered, order = threading.Event(), []

    def write_second():
        entered.wait()
        with other.engine():
            order.append("second")

    thread = threading.Thread(target=write_second)
    thread.start()
    with store.engine():
        entered.set()
        thread.join(0.05)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]
    store.close()
    other.close()


def test_a_journal_writer_does_not_wait_for_an_engine_writer(tmp_path):
    store = empty_database("sqlite", tmp_path)

    with store.engine():
        assert accept_some(store, 1) == [1]

    store.close()


CANARIES = [b"CANARYNAME", b"CANARYMRN", b"CANARYREASON", b"CANARYCODE"]


def test_nothing_that_names_a_patient_stands_in_the_files(tmp_path):
    url = empty_url("sqlite", tmp_path)
    store = open_database(url, KEY)
    fill_with_canaries(store)

    folder = tmp_path / url.rsplit("/", 1)[1]
    found = [
        (path.name, canary)
        for path in folder.iterdir()
        for canary in CANARIES
        if canary in path.read_bytes()
    ]

    assert (folder / "engine.db-wal").stat().st_size > 0
    assert found == []
    store.close()


def fill_with_canaries(store):
    """Put patient data everywhere where it may come."""
    data = b"MSH|^~\\&|PID|1||CANARYMRN||CANARYNAME"
    accept(store, arrival(data=data, dedupe_key="CANARYMRN"), arrival("C2", data))
    resource = KnownResource("Patient", "identifier=n|CANARYMRN", data, 1)
    record(
        store,
        processed(
            1,
            document("CANARYMRN", data, name="CANARYNAME.hl7"),
            keys=(SearchKey("family", "CANARYNAME"),),
            report=b"CANARYNAME",
            resources=(resource,),
            documents=(NewDocument("CANARYMRN", 1, "CANARYMRN"),),
            misses=(TableMiss("sex", "CANARYCODE"),),
            acts=(Act(NOON, "kim", "view", "message 1", "CANARYREASON"),),
        ),
        failed(2, holds=("CANARYMRN",)),
    )
    end(store, lease(store)[0], Event.PARK, answer=b"MSA|AE|CANARYNAME")
    with store.engine() as connection:
        comment = Comment(NOON, "kim", "CANARYREASON")
        error_queue.add_comment(connection, store.sealer, 1, comment)
        audit.write(connection, store.sealer, [Act(NOON, "kim", "view", "x", "y")])
        reports.set_run_state(
            connection, store.sealer, ("adt", ""), RunState.PAUSED, OPERATOR
        )


def test_a_closed_store_keeps_no_descriptor(tmp_path):
    url = empty_url("sqlite", tmp_path)
    before = set(Path("/proc/self/fd").iterdir())

    store = open_database(url, KEY)
    store.close()
    store.close()

    assert set(Path("/proc/self/fd").iterdir()) <= before


def waiting(lock, *, urgent):
    """Return a thread that waits for a lock, and what it does when it has it."""
    had = threading.Event()

    def take():
        with lock.held(urgent=urgent):
            had.set()

    thread = threading.Thread(target=take)
    thread.start()
    return thread, had


def test_a_writer_sees_who_urgently_waits_for_it_and_lets_nobody_else_in(tmp_path):
    ours, theirs = (WriteLock(tmp_path / "engine.lock") for _ in range(2))

    with ours.held():
        assert not ours.is_wanted()
        thread, had = waiting(theirs, urgent=True)
        while not ours.is_wanted():
            assert thread.is_alive()
        assert not had.is_set()
    with ours.held():  # at once again, and yet the other one came first
        assert had.is_set()

    thread.join()
    ours.close()
    theirs.close()


def test_who_is_not_in_a_hurry_waits_unseen(tmp_path):
    ours, theirs = (WriteLock(tmp_path / "engine.lock") for _ in range(2))

    with ours.held():
        thread, had = waiting(theirs, urgent=False)
        thread.join(0.05)
        assert thread.is_alive()
        assert not ours.is_wanted()

    thread.join()
    assert had.is_set()
    ours.close()
    theirs.close()


@pytest.mark.parametrize("turn", range(1, 4))
def test_F04_a_store_whose_folder_does_not_sync_is_refused_in_a_sentence(  # noqa: N802
    tmp_path, monkeypatch, turn
):
    calls = []

    def sync(_folder):
        calls.append(1)
        if len(calls) == turn:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("engine.store.dialect.sync_folder", sync)
    url = f"sqlite:///{tmp_path}/store"

    with pytest.raises(ConfigurationError, match="does not open: Input/output error"):
        open_database(url, KEY)

    open_database(url, KEY).close()


def refused_by_file(code, kind=sqlite3.OperationalError):
    error = kind("x")
    error.sqlite_errorcode = code
    return OperationalError("", {}, error)


def refused_by_server(state):
    error = psycopg.OperationalError("x")
    error.sqlstate = state
    return OperationalError("", {}, error)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (refused_by_file(sqlite3.SQLITE_BUSY), True),
        (refused_by_file(sqlite3.SQLITE_IOERR_READ), True),
        (refused_by_file(sqlite3.SQLITE_ERROR), False),  # a statement it cannot run
        (refused_by_file(sqlite3.SQLITE_CONSTRAINT, sqlite3.IntegrityError), False),
        (refused_by_server(None), True),  # nobody answered
        (refused_by_server("57P01"), True),  # the administrator stopped it
        (refused_by_server("40P01"), True),  # a deadlock: again
        (refused_by_server("54001"), False),  # a statement that is too complex
        (StoreError("x"), True),
        (ValueError("x"), False),
    ],
)
def test_a_store_that_is_away_is_told_from_one_that_refuses(error, away):
    assert is_away(error) is away


def test_files_that_are_no_store_are_a_fault_of_the_configuration(tmp_path):
    (tmp_path / "engine.db").write_bytes(b"no database" * 500)

    with pytest.raises(ConfigurationError, match="The store"):
        open_database(f"sqlite:///{tmp_path}", KEY)


SERVER = 'connection to server at "10.0.0.7", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "state", "fix"),
    [
        ('FATAL:  password authentication failed for user "kim"', None, "password"),
        ("fe_sendauth: no password supplied", None, "password"),
        ('FATAL:  role "kim" does not exist', None, "CREATE ROLE"),
        ('FATAL:  role "kim" is not permitted to log in', None, "CREATE ROLE"),
        ('FATAL:  database "store" does not exist', None, "CREATE DATABASE"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.8"', None, "pg_hba.conf"),
        ("permission denied for database store", "42501", "OWNER"),
        ("Connection refused", None, ""),
        ("FATAL:  the database system is starting up", None, ""),
        ("FATAL:  sorry, too many clients already", None, ""),
        ('relation "password" does not exist', "42P01", ""),
    ],
)
def test_a_server_that_refuses_who_asks_says_what_mends_it(said, state, fix):
    error = psycopg.OperationalError(SERVER + said)
    error.sqlstate = state

    told = mended_by(OperationalError("", {}, error))

    assert fix in told
    assert bool(told) == bool(fix)


def test_a_file_needs_no_password():
    assert mended_by(refused_by_file(sqlite3.SQLITE_AUTH)) == ""
    assert mended_by(ValueError("password")) == ""


@pytest.mark.postgres
@pytest.mark.parametrize("part", ["user", "database"])
def test_only_a_node_that_has_run_waits_for_a_server_that_refuses_it(tmp_path, part):
    url = make_url(empty_url("postgresql", tmp_path))
    wrong = url.set(username="nobody") if part == "user" else url.set(database="none")

    with pytest.raises(ConfigurationError, match=r"does not exist\. .* store\.url"):
        open_database(str(wrong), KEY)
    with pytest.raises(StoreError, match="does not exist"):
        open_database(str(wrong), KEY, known=True)


@pytest.mark.postgres
def test_a_role_that_may_not_make_the_store_is_told_what_it_needs(tmp_path):
    url = make_url(empty_url("postgresql", tmp_path))
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS weak"))
        connection.execute(text("CREATE ROLE weak LOGIN"))
        connection.execute(text("DROP SCHEMA journal CASCADE"))
        connection.execute(text("DROP SCHEMA engine CASCADE"))
    engine.dispose()

    with pytest.raises(ConfigurationError, match=r"permission denied.* OWNER TO"):
        open_database(str(url.set(username="weak")), KEY, known=True)
