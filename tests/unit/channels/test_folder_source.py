"""The folder source: stable files, in order, put away only once they are journalled."""

from datetime import timedelta

import pytest
from twisted.internet.defer import execute, fail, succeed
from twisted.internet.task import Clock

from engine.channels.accept import Reply, Then
from engine.channels.format.endpoints import FileSource
from engine.channels.sources.file import FolderSource
from engine.errors import JournalError
from engine.hl7.framing import Block
from tests.fakes import Notes, ends_of
from tests.listening import adt


class Folder:
    """A folder source whose journal takes everything until the test says no."""

    def __init__(self, path, **settings):
        self.accepted, self.stores = [], True
        self.clock, self.notes = Clock(), Notes()
        way = FileSource(path=str(path), every=timedelta(seconds=5), **settings)
        self.source = FolderSource(path, way, self, self.clock, execute, self.notes)

    name = "adt"

    def take_all(self, messages):
        replies = [self.accept(Block(message)) for message, _ in messages]
        return succeed(replies) if self.stores else fail(JournalError("disk full"))

    def accept(self, block):
        self.accepted.append(block.body)
        reply = Reply(b"AA", kept=True) if self.stores else Reply(None, Then.FREEZE)
        return succeed(reply if self.stores else reply._replace(kept=False))

    def look(self):
        assert ends_of(self.source.look()) == [None]


def test_a_file_is_taken_when_it_has_stopped_growing(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "1.hl7").write_bytes(adt())
    folder.look()
    assert folder.accepted == []

    folder.look()

    assert folder.accepted == [adt()]
    assert (tmp_path / "done" / "1.hl7").read_bytes() == adt()


def test_a_file_that_still_grows_is_left_alone(tmp_path):
    folder = Folder(tmp_path)
    for part in range(3):
        (tmp_path / "1.hl7").write_bytes(adt() * (part + 1))
        folder.look()

    assert folder.accepted == []


def test_files_are_taken_in_the_order_they_came(tmp_path):
    import os  # noqa: PLC0415 - only to set times

    folder = Folder(tmp_path)
    for number, name in enumerate(["b.hl7", "a.hl7"]):
        (tmp_path / name).write_bytes(adt(name))
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    folder.look()

    folder.look()

    assert folder.accepted == [adt("b.hl7"), adt("a.hl7")]


def test_a_file_that_could_not_be_stored_stays(tmp_path):
    folder = Folder(tmp_path)
    folder.stores = False
    (tmp_path / "1.hl7").write_bytes(adt())
    folder.look()

    folder.look()

    assert (tmp_path / "1.hl7").exists()
    folder.stores = True
    folder.look()
    assert not (tmp_path / "1.hl7").exists()


def test_a_file_may_be_deleted_instead(tmp_path):
    folder = Folder(tmp_path, after="delete")
    (tmp_path / "1.hl7").write_bytes(adt())
    folder.look()

    folder.look()

    assert list(tmp_path.iterdir()) == []


def test_other_names_links_and_hidden_files_are_left_alone(tmp_path):
    folder = Folder(tmp_path / "in")
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.hl7").write_bytes(adt())
    (tmp_path / "in" / "link.hl7").symlink_to(tmp_path / "secret.hl7")
    (tmp_path / "in" / ".half.hl7").write_bytes(adt())
    (tmp_path / "in" / "notes.txt").write_bytes(b"x")
    folder.look()

    folder.look()

    assert folder.accepted == []


def test_it_looks_again_and_again_until_it_is_stopped(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "1.hl7").write_bytes(adt())
    folder.source.start()

    folder.clock.advance(5)
    folder.source.stop()
    (tmp_path / "2.hl7").write_bytes(adt("M2"))
    folder.clock.advance(50)

    assert folder.accepted == [adt()]


def test_a_folder_that_is_not_there_is_noted_and_tried_again(tmp_path):
    folder = Folder(tmp_path / "missing")
    folder.source.start()

    folder.clock.advance(5)

    assert folder.notes["folder_failure"] == 2
    folder.source.stop()


def test_a_file_of_several_messages_is_cut_into_them(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "1.hl7").write_bytes(adt() + adt("M2"))
    folder.look()

    folder.look()

    assert folder.accepted == [adt(), adt("M2")]


@pytest.mark.parametrize("content", [b"hello", b"", b"\r\n"])
def test_a_file_without_a_message_is_kept_whole(tmp_path, content):
    folder = Folder(tmp_path)
    (tmp_path / "1.hl7").write_bytes(content)
    folder.look()

    folder.look()

    assert folder.accepted == [content]
