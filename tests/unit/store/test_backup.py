"""Backups: made while the engine writes, verified by opening, restored at rest."""

import pytest

from engine.errors import ConfigurationError, EngineError
from engine.store import audit, backup, journal, reports
from engine.store.database import open_database
from engine.store.words import RunState
from tests.builders import adt_a01
from tests.databases import KEY, empty_database
from tests.stored import NOON, OPERATOR, accept, arrival, claim, document, processed
from tests.stored import record as note


@pytest.fixture
def store(tmp_path):
    made = empty_database("sqlite", tmp_path)
    accept(made, arrival("M1", adt_a01(family="Canary")))
    claim(made)
    note(made, processed(1, document("ann")))
    return made


@pytest.fixture
def made(store, tmp_path):
    return backup.create(store, tmp_path / "backups", OPERATOR)


def test_a_backup_of_a_running_store_holds_what_was_there(store, made, tmp_path):
    accept(store, arrival("M2", adt_a01()))  # later: not in it

    assert backup.verify(made.folder, KEY, NOON) == []
    assert backup.listed(tmp_path / "backups")[0].verified_at == NOON
    assert made.size > 0
    paused = backup.restore(made.folder, tmp_path / "new", KEY, OPERATOR)

    again = open_database(f"sqlite:///{tmp_path}/new", KEY)
    with again.reading() as connection:
        assert journal.content(connection, again.sealer, 1) == adt_a01(family="Canary")
        assert journal.content(connection, again.sealer, 2) is None
        states = reports.run_states(connection)
        acts = [row.act.action for row in audit.rows(connection, again.sealer)]
        assert audit.verify(connection, again.sealer).fault == ""
    again.close()
    assert paused == ["adt/registry"]
    assert states["adt", "registry"].state is RunState.PAUSED
    assert acts[0] == "backup.restore"


def test_nothing_in_a_backup_names_a_patient_and_it_is_ours_alone(made):
    files = [made.folder / name for name in backup.FILES]

    assert all(b"Canary" not in each.read_bytes() for each in files)
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert made.folder.stat().st_mode & 0o777 == 0o700


def test_a_damaged_backup_is_named_and_never_restored(made, tmp_path):
    file = made.folder / "journal.db"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    assert backup.verify(made.folder, KEY, NOON) == [
        "journal.db is not as it was written"
    ]
    with pytest.raises(ConfigurationError, match="is damaged"):
        backup.restore(made.folder, tmp_path / "new", KEY, OPERATOR)
    file.unlink()
    assert backup.verify(made.folder, KEY, NOON) == ["journal.db is missing"]
    assert not (tmp_path / "new").exists()


def test_damage_from_before_the_backup_is_found_by_opening_it(store, tmp_path):
    with store.engine() as connection:
        connection.exec_driver_sql("UPDATE engine.counter SET count = count + 1")
    made = backup.create(store, tmp_path / "backups", OPERATOR)

    assert backup.verify(made.folder, KEY, NOON)
    assert backup.listed(tmp_path / "backups")[0].verified_at is None


def test_another_key_opens_no_backup(made):
    with pytest.raises(ConfigurationError, match="another key"):
        backup.verify(made.folder, bytes(32), NOON)


def test_a_store_that_is_there_is_never_written_over(store, made):
    with pytest.raises(ConfigurationError, match="holds a store"):
        backup.restore(made.folder, store.folder, KEY, OPERATOR)


def test_what_could_not_be_copied_leaves_nothing(store, made, tmp_path):
    with pytest.raises(ConfigurationError, match="already"):
        backup.create(store, tmp_path / "backups", OPERATOR)
    with pytest.raises(EngineError, match="could not be copied"):
        backup._copy(tmp_path / "none.db", tmp_path / "copy.db")
    (store.folder / "journal.db").rename(store.folder / "gone.db")
    with pytest.raises(EngineError):
        backup.create(store, tmp_path / "others", OPERATOR)

    assert list((tmp_path / "others").iterdir()) == []


def test_only_finished_backups_are_listed(made, tmp_path):
    place = tmp_path / "backups"
    (place / ".unfinished-x").mkdir()
    (place / ".unfinished-x" / "manifest.json").write_text("{}")

    assert [each.name for each in backup.listed(place)] == [made.name]
    assert backup.listed(tmp_path / "none") == []
    with pytest.raises(ConfigurationError, match="is not a backup"):
        backup.verify(tmp_path, KEY, NOON)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="is no object"):
        backup.verify(tmp_path, KEY, NOON)


@pytest.mark.postgres
def test_a_server_is_backed_up_there(tmp_path):
    with pytest.raises(ConfigurationError, match="pg_basebackup"):
        backup.create(empty_database("postgresql", tmp_path), tmp_path, OPERATOR)
