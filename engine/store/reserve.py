"""Space kept back where the store lies, so that a full disk can still be cleared.

A full disk leaves no room to show a queue or to purge. While the disk is full the
reserve is given to that, and messages are neither taken nor processed: what is taken
would use it up.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 64 * 1024 * 1024
_NAME: Final = "reserve"


@dataclass(frozen=True, slots=True)
class Room:
    """How much of the disk is used, in percent, and how many bytes are free."""

    percent: float
    free: int


class Reserve:
    """One file of real blocks beside the store's; at most an eighth of the disk."""

    def __init__(self, folder: Path, most: int = RESERVE_BYTES) -> None:
        self._folder = folder
        self._path = folder / _NAME
        self._size = min(most, shutil.disk_usage(folder).total // 8)

    def room(self) -> Room:
        """Return how full the disk is; the reserve counts as used."""
        usage = shutil.disk_usage(self._folder)
        used = 100.0 * usage.used / max(usage.used + usage.free, 1)
        return Room(round(used, 1), usage.free)

    @property
    def is_held(self) -> bool:
        """Whether the space is kept back now; False while the disk is full."""
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False

    @property
    def is_spent(self) -> bool:
        """Whether it was given away: the disk is full, and work has to wait."""
        try:
            return self._path.stat().st_size == 0
        except FileNotFoundError:
            return False

    def hold(self) -> bool:
        """Keep the space back, with some to spare; False when there is none."""
        if self.is_held:
            return True
        if self.room().free < self._size + self._size // 4:
            return False
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            os.ftruncate(descriptor, 0)
            return False
        finally:
            os.close(descriptor)
        return True

    def release(self) -> None:
        """Give the space back to the disk."""
        with suppress(OSError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
