"""Files out: whole or not at all, and only below allowed folders."""

import errno
import os

import pytest
from twisted.internet.defer import execute

from engine.channels.destinations import Document
from engine.channels.destinations.file import FileSender, place_below
from engine.errors import PermanentError, TransientError
from tests.fakes import ends_of


def send(roots, name, content=b"one", *, replace=True):
    sender = FileSender([str(root) for root in roots], replace, execute)
    return ends_of(sender.send(Document(content, name=str(name))))[0]


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_is_written_with_the_folders_on_its_way(tmp_path):
    send([tmp_path], tmp_path / "a/b/1.hl7")

    assert (tmp_path / "a/b/1.hl7").read_bytes() == b"one"
    assert names(tmp_path / "a/b") == ["1.hl7"]


def test_nothing_is_written_after_the_lease_ended(tmp_path):
    sender = FileSender([str(tmp_path)], True, execute)
    document = Document(b"one", name=f"{tmp_path}/1.hl7", is_ours=lambda: False)

    [end] = ends_of(sender.send(document))

    assert (end.type, end.value.code) == (TransientError, "lease-ended")
    assert names(tmp_path) == []


def test_writing_again_replaces_and_so_harms_nothing(tmp_path):
    send([tmp_path], tmp_path / "1.hl7")

    send([tmp_path], tmp_path / "1.hl7", b"two")

    assert (tmp_path / "1.hl7").read_bytes() == b"two"


def test_a_file_that_must_not_be_replaced_is_refused_unless_it_is_the_same(tmp_path):
    send([tmp_path], tmp_path / "1.hl7", replace=False)

    same = send([tmp_path], tmp_path / "1.hl7", replace=False)
    other = send([tmp_path], tmp_path / "1.hl7", b"two", replace=False)

    assert same.answer == b""
    assert (other.type, other.value.code) == (PermanentError, "file-exists")
    assert (tmp_path / "1.hl7").read_bytes() == b"one"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "{root}/../outside.hl7",
        "{root}/a/../../outside.hl7",
        "{root}",
        "{root}/" + "x" * 256,
        "{root}/a\x00b",
        "relative.hl7",
        "",
    ],
)
def test_a_path_outside_the_allowed_folders_is_refused(tmp_path, name):
    end = send([tmp_path], name.replace("{root}", str(tmp_path)))

    assert (end.type, end.value.code) == (PermanentError, "not-allowed")


def test_a_link_on_the_way_is_not_followed(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)

    end = send([inside], inside / "link" / "1.hl7")

    assert end.type is PermanentError
    assert names(outside) == []


def test_a_link_in_the_place_of_the_file_is_replaced_not_written_through(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "precious"
    inside.mkdir()
    outside.write_bytes(b"precious")
    (inside / "1.hl7").symlink_to(outside)

    send([inside], inside / "1.hl7")

    assert outside.read_bytes() == b"precious"
    assert (inside / "1.hl7").read_bytes() == b"one"


def test_more_folders_than_are_remembered_are_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.channels.destinations.file.MOST_KEPT", 2)

    for name in "abcabc":
        send([tmp_path], tmp_path / name / "1.hl7")

    assert sorted(names(tmp_path)) == ["a", "b", "c"]


def test_what_an_earlier_crash_left_behind_is_written_over(tmp_path):
    (tmp_path / ".1.hl7.part").write_bytes(b"half")

    send([tmp_path], tmp_path / "1.hl7")

    assert names(tmp_path) == ["1.hl7"]


def test_no_error_names_the_file():
    with pytest.raises(PermanentError) as refused:
        place_below("/x/DOE^JOHN.hl7", ["/y"])

    assert "DOE" not in str(refused.value)


def failing_sync(monkeypatch, which):
    """Let the sync of this number fail, counted from 1."""
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == which:
            raise OSError(errno.EIO, "disk")
        real(descriptor)

    monkeypatch.setattr("engine.channels.destinations.file.os.fsync", fsync)


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_F04_a_failed_sync_is_no_delivery_and_the_next_try_begins_anew(
    tmp_path, monkeypatch, which, replace
):
    below = tmp_path / "new"
    failing_sync(monkeypatch, which)

    first = send([tmp_path], below / "1.hl7", replace=replace)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    again = send([tmp_path], below / "1.hl7", replace=replace)

    assert (first.type, first.value.code) == (TransientError, "file-eio")
    assert left == ([below / "1.hl7"] if replace and which == 3 else [])
    assert below.exists()
    assert (again.answer, names(below)) == (b"", ["1.hl7"])


def test_F04_a_root_whose_name_is_not_on_disk_is_made_anew(tmp_path, monkeypatch):
    root = tmp_path / "root"
    failing_sync(monkeypatch, 1)

    first = send([root], root / "1.hl7")

    assert (first.type, root.exists()) == (TransientError, False)
    assert send([root], root / "1.hl7").answer == b""
