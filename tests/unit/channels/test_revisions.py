"""The configuration of a channel: kept as it goes live, compared, rolled back."""

import os
from contextlib import closing

import pytest

from engine.channels import live_files, revisions
from engine.channels.live_files import keep, keep_if_possible, read, read_again
from engine.channels.revisions import ON_DISK
from engine.cli.project import write_project
from engine.errors import ConfigurationError, StoreError
from engine.settings import load_settings
from engine.store import audit, config_history
from engine.store.audit import ENGINE, Order
from engine.store.config_history import ConfigFile
from engine.store.seal import fingerprint
from tests.databases import empty_database
from tests.stored import NOON

ADT = "hospital-adt"
ORDER = Order("ana", NOON, "the ward asked")
NOTE = "# a note\n"


@pytest.fixture
def folder(tmp_path):
    write_project(tmp_path)
    return tmp_path / "config"


@pytest.fixture
def store(tmp_path):
    with closing(empty_database("sqlite", tmp_path)) as database:
        yield database


@pytest.fixture
def file(folder):
    return folder / "channels" / f"{ADT}.yaml"


def go_live(store, folder, order=ORDER):
    return keep(store, read(folder, None), order)


def add(file, text=NOTE):
    file.write_text(file.read_text() + text)


def back(store, folder, number, seen=None, order=ORDER):
    asked = seen or revisions.version_of(folder, ADT)
    settings = load_settings(folder, variables={})
    return revisions.roll_back(store, settings, (ADT, number), asked, order)


def acts(store):
    with store.reading() as connection:
        found = audit.rows(connection, store.sealer, subject=f"channel {ADT}")
        return [(row.act.action, row.act.detail) for row in found]


def test_what_goes_live_is_kept_once_with_who_and_why(store, folder, file):
    first, again = go_live(store, folder), go_live(store, folder)
    add(file)
    read_again(folder, None, store)
    newest, oldest = revisions.history(store, ADT)

    assert (first, again) == (1, None)
    assert (oldest.actor, oldest.reason) == ("ana", "the ward asked")
    assert (newest.actor, newest.reason) == (ENGINE, "read at a reload")
    assert newest.revision == oldest.revision  # a comment changes no result


def test_a_store_that_cannot_keep_it_stops_no_process(store, folder, monkeypatch):
    def refuse(*_):
        raise StoreError("The store could not commit: it is away")

    found = read(folder, None)
    monkeypatch.setattr(live_files, "keep", refuse)
    keep_if_possible(store, found, "read at a start")
    monkeypatch.setattr(live_files, "is_broken", lambda _: True)

    with pytest.raises(StoreError):
        keep_if_possible(store, found, "read at a start")


def test_files_that_keep_changing_are_not_taken_for_what_went_live(
    store, folder, monkeypatch
):
    changing = iter(range(9))
    monkeypatch.setattr(
        live_files, "texts_in", lambda _: {"identity.yaml": bytes([next(changing)])}
    )
    found = read(folder, None)

    assert found.files == {}
    assert keep(store, found, ORDER) is None


def test_a_file_that_may_not_be_read_is_left_out(folder):
    (folder / "steps").mkdir(exist_ok=True)
    (folder / "steps" / "gone.py").symlink_to("nowhere")

    assert "steps/gone.py" not in live_files.texts_in(folder)


def test_two_configurations_are_compared_by_line(store, folder, file):
    go_live(store, folder)
    add(file)
    go_live(store, folder)
    [found] = revisions.differences(store, folder, ADT, 1, 2)

    assert found.path == f"channels/{ADT}.yaml"
    assert found.lines[0][0] == "@"
    assert found.lines[-1] == ("+", "# a note")
    assert revisions.differences(store, folder, ADT, 2, ON_DISK) == []


def test_other_files_that_the_channel_uses_are_named_with_it(store, folder, file):
    step, unused = (folder / "steps" / f"{name}.py" for name in ("notes", "unused"))
    part, models = folder / "channels" / "_shared.yaml", folder / "identity.yaml"
    add(file, "# _shared.yaml notes:text sex\n")
    step.parent.mkdir(exist_ok=True)
    for each in (step, unused, part, models):
        each.write_text("# one\n")
    files = {
        path: ConfigFile(fingerprint(text), text)
        for path, text in live_files.texts_in(folder).items()
    }
    with store.engine() as connection:
        config_history.keep(connection, store.sealer, "here", files, ORDER)
    for each in (step, unused, part, models):
        each.write_text("# two\n")
    (folder / "tables" / "sex.csv").write_text("from,to\nX,other\n")
    found = revisions.differences(store, folder, ADT, 1, ON_DISK)

    assert {each.path: bool(each.lines) for each in found} == {
        "channels/_shared.yaml": True,
        "identity.yaml": False,
        "steps/notes.py": True,
        "tables/sex.csv": False,
    }


def test_a_roll_back_writes_the_old_text_as_a_new_configuration(store, folder, file):
    old = file.read_text()
    go_live(store, folder)
    add(file)
    go_live(store, folder)
    done = back(store, folder, 1)

    assert file.read_text() == old
    assert (done.number, done.told) == (3, 0)
    assert [each.number for each in revisions.history(store, ADT)] == [3, 2, 1]
    assert acts(store) == [("config.rollback", "rolled back to 1: the ward asked")]
    assert go_live(store, folder) is None  # the engine reads what is kept already


def test_what_never_went_live_can_be_had_back_after_a_roll_back(store, folder, file):
    go_live(store, folder)
    add(file, "nonsense: [\n")
    broken = file.read_text()
    back(store, folder, 1)
    aside = revisions.history(store, ADT)[0]
    [found] = revisions.differences(store, folder, ADT, aside.number, ON_DISK)

    assert aside.state == "set aside"
    assert ("-", "nonsense: [") in found.lines
    with pytest.raises(ConfigurationError):
        back(store, folder, aside.number)
    add(file, "nonsense: [\n")
    assert file.read_text() == broken


def test_nothing_is_written_where_the_old_text_does_not_pass_the_checks(
    store, folder, file
):
    go_live(store, folder)
    add(file)
    go_live(store, folder)
    now = file.read_text()
    (folder / "channels" / "laboratory.yaml").write_text("channel: other\n")

    with pytest.raises(ConfigurationError) as refused:
        back(store, folder, 1)
    assert "laboratory.yaml" in "".join(refused.value.faults)
    assert (file.read_text(), acts(store)) == (now, [])


def test_a_file_changed_meanwhile_or_the_same_is_not_written_over(store, folder, file):
    go_live(store, folder)
    seen = revisions.version_of(folder, ADT)
    with pytest.raises(ConfigurationError, match="says so already"):
        back(store, folder, 1)
    add(file)
    with pytest.raises(ConfigurationError, match="changed meanwhile"):
        back(store, folder, 1, seen)


def test_a_folder_that_may_not_be_written_is_said_so(store, folder, file, monkeypatch):
    go_live(store, folder)
    add(file)

    def refuse(*_):
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(revisions, "replace_file", refuse)
    with pytest.raises(ConfigurationError, match="Read-only file system"):
        back(store, folder, 1)
    assert [each.state for each in revisions.history(store, ADT)] == [
        *("set aside", "live"),
    ]


def test_what_is_not_kept_is_named(store, folder):
    go_live(store, folder)

    with pytest.raises(ConfigurationError, match="configuration 7 is not kept"):
        revisions.differences(store, folder, ADT, 7, ON_DISK)
    with pytest.raises(ConfigurationError, match="was not in this configuration"):
        revisions.differences(store, folder, "nothing", 1, ON_DISK)
    with pytest.raises(ConfigurationError, match="there is no file"):
        revisions.version_of(folder, "nothing")
