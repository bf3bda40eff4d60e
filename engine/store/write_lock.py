"""Who may write a file of the store now, and a note of how far it has come."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from zlib import crc32

_NUMBER_BYTES: Final = 8
_SUM_BYTES: Final = 4


class WriteLock:
    """A lock file: one writer at a time, in turns, over processes and threads.

    SQLite's own busy handler polls, and lets a busy writer starve the other one. Who is
    in a hurry holds the door while it waits: so the present writer sees it, and nobody
    else comes in before it. A process that dies lets go of both.
    """

    def __init__(self, path: Path) -> None:
        self._lock = _open_lock(path)
        self._door = _open_lock(path.with_suffix(".door"))
        self._threads = threading.Lock()

    @contextmanager
    def held(self, *, urgent: bool = False) -> Iterator[None]:
        """Hold the lock."""
        with self._threads:
            fcntl.flock(self._door, fcntl.LOCK_EX)
            if not urgent:
                fcntl.flock(self._door, fcntl.LOCK_UN)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._door, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def note(self, number: int) -> None:
        """Keep a number in the lock file.

        It is not synced, and where it cannot be written the older one stays.
        """
        told = number.to_bytes(_NUMBER_BYTES)
        with suppress(OSError):
            os.pwrite(self._lock, told + crc32(told).to_bytes(_SUM_BYTES), 0)

    def noted(self) -> int:
        """Return the number that was kept; 0 if there is none, or it is damaged."""
        read = os.pread(self._lock, _NUMBER_BYTES + _SUM_BYTES, 0)
        told, found = read[:_NUMBER_BYTES], read[_NUMBER_BYTES:]
        return int.from_bytes(told) if found == crc32(told).to_bytes(_SUM_BYTES) else 0

    def noted_at(self) -> float:
        """Return when a number was kept last, in seconds since 1970."""
        return os.fstat(self._lock).st_mtime

    def is_wanted(self) -> bool:
        """Whether another process urgently waits for the lock that the caller holds."""
        try:
            fcntl.flock(self._door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._door, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Give the descriptors back, once nobody of this process holds the lock."""
        with self._threads:
            for descriptor in {self._lock, self._door} - {_CLOSED}:
                os.close(descriptor)
            self._lock = self._door = _CLOSED


_CLOSED: Final = -1
"""No descriptor: never a number that another file may get."""


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
