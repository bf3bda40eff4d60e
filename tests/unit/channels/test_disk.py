"""The store's disk: alarms on the way up, a reserve for clearing it."""

import errno

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from engine.channels.disk import DiskGuard, is_broken, not_started
from engine.errors import ConfigurationError, JournalError
from engine.store.reserve import Reserve, Room


class FakeReserve(Reserve):
    """A disk of 1,000 bytes, of which the reserve takes 100."""

    def __init__(self, used):
        self.used, self.held = used, False

    @override
    def room(self):
        return Room(self.used / 10, 1000 - self.used)

    @override
    def hold(self):
        self.held = self.held or self.used < 900
        return self.held

    @override
    def release(self):
        self.held = False


def guard(used=100):
    broken = []
    return DiskGuard(lambda: broken.append(1), FakeReserve(used)), broken


def test_each_level_is_told_once_on_the_way_up():
    disk, _ = guard()
    assert isinstance(disk.reserve, FakeReserve)

    with capture_logs() as logs:
        for used in (100, 810, 820, 910, 960, 970, 700, 850):
            disk.reserve.used = used
            disk.look()

    assert [each.get("level") for each in logs] == [80, 90, 95, 80]


def test_a_write_without_space_stops_taking_until_the_reserve_is_held_again():
    disk, broken = guard()
    disk.look()
    assert isinstance(disk.reserve, FakeReserve)
    disk.reserve.used = 1000

    disk.failed(JournalError("The journal could not commit: database or disk is full"))
    full, held = disk.is_full, disk.reserve.held
    disk.look()
    still = disk.is_full
    disk.reserve.used = 200
    disk.look()

    assert (full, held, still) == (True, False, True)
    assert (disk.is_full, disk.reserve.held, broken) == (False, True, [])


def test_a_node_that_starts_on_a_full_disk_takes_nothing():
    disk, _ = guard(used=990)

    disk.look()

    assert disk.is_full


@pytest.mark.parametrize("reserve", [None, FakeReserve(100)])
def test_a_broken_disk_is_no_full_disk(reserve):
    broken: list[int] = []
    disk = DiskGuard(lambda: broken.append(1), reserve)

    disk.look()
    disk.failed(JournalError("The journal could not commit: disk I/O error"))
    disk.failed(JournalError("The journal could not commit: constraint"))

    assert (broken, disk.is_full) == ([1], False)


def test_a_reserve_is_real_space_and_can_be_given_back(tmp_path):
    reserve = Reserve(tmp_path, most=1_000_000)
    assert (reserve.is_held, reserve.is_spent) == (False, False)

    assert reserve.hold()
    assert reserve.hold()
    blocks = (tmp_path / "reserve").stat().st_blocks * 512
    held = reserve.is_held
    reserve.release()

    assert (blocks >= 1_000_000, held) == (True, True)
    assert (reserve.is_held, reserve.is_spent) == (False, True)
    assert reserve.room().free > 0


def test_a_reserve_that_does_not_fit_is_not_held(tmp_path):
    reserve = Reserve(tmp_path, most=1_000_000)
    reserve._size = reserve.room().free * 2

    assert not reserve.hold()


def caused_by(cause):
    """Return an error that says nothing, and its cause."""
    error = ConfigurationError("The store does not open: it says no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (JournalError("The journal could not commit: disk I/O error"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (caused_by(OSError(errno.EIO, "Input/output error")), True),
        (caused_by(OSError(errno.ENOSPC, "No space left on device")), False),
        (ConfigurationError("site.toml: no"), False),
    ],
)
def test_F04_a_disk_that_refused_a_write_is_known_by_word_number_or_cause(
    error, broken
):
    assert is_broken(error) is broken


class Ended(BaseException):
    """Stands for the end of the process."""


def ends(monkeypatch):
    """Have the end of the process raised; nothing after it may run."""

    def end(code):
        raise Ended(code)

    monkeypatch.setattr("engine.channels.disk.os._exit", end)


def test_F04_a_process_does_not_start_on_a_broken_disk_and_says_why_else(
    monkeypatch,
):
    ends(monkeypatch)

    with capture_logs() as logs:
        refused = not_started(ConfigurationError("no store", ("store.url",)))
    with pytest.raises(Ended) as ended:
        not_started(OSError(errno.EIO, "Input/output error"))
    assert not_started(JournalError("The disk is full")) == 1  # started again

    assert (refused, logs[0]["faults"]) == (3, ("store.url",))
    assert ended.value.args == (70,)
