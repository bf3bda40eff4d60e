"""The one writer of the journal: what it does between groups, and never instead."""

from threading import Event
from typing import cast

import pytest

from engine.channels import journal_writer
from engine.channels.disk import DiskGuard
from engine.channels.journal_writer import JournalWriter
from engine.errors import JournalError
from tests.databases import empty_database
from tests.stored import arrival


class Unharmed:
    """A disk with room; keeps what it was told."""

    is_full = False

    def __init__(self):
        self.told = []

    def failed(self, error):
        self.told.append(error)


def at_once(function, *arguments):
    function(*arguments)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write one arrival while nothing else ever waits; return what became of it."""
    database = empty_database("sqlite", tmp_path, role="edge")
    monkeypatch.setattr(journal_writer, "IDLE_SECONDS", 100)

    def written(between, busy_seconds):
        monkeypatch.setattr(journal_writer, "BUSY_SECONDS", busy_seconds)
        disk, done = Unharmed(), Event()
        guard = cast("DiskGuard", disk)
        writer = JournalWriter(database, at_once, lambda _: None, between, guard)
        writer.start()
        writer.append(arrival()).addBoth(results.append).addBoth(lambda _: done.set())
        assert done.wait(30)
        writer.stop()
        return results.pop(), disk.told

    results = []
    return written


def test_a_feed_that_never_rests_lets_the_writer_forget_and_purge_now_and_then(write):
    between = []

    write(lambda: between.append("often"), 0)
    write(lambda: between.append("never"), 1000)

    assert between == ["often"]


def test_what_fails_between_groups_leaves_what_was_stored_stored(write):
    def broken():
        raise JournalError("could not purge")

    appended, told = write(broken, 0)

    assert appended.id == 1
    assert [type(error) for error in told] == [JournalError]
