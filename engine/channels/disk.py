"""The store's disk as it fills: alarms on the way, and silence when it is full.

Spec:
    faults.md F05; protocol.md section 4, "journal cannot commit".
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from engine.errors import ConfigurationError
from engine.store.reserve import Reserve

LEVELS: Final = (95, 90, 80)
"""Percent of the disk in use that a person hears of, once each on the way up."""

FULL: Final = "disk is full"
"""SQLite's words for a write that found no space."""

BROKEN: Final = "disk I/O error"
"""SQLite's words for a write or fsync the disk refused; PostgreSQL stops by itself."""

STOPPED_TO_PROTECT_DATA: Final = 70
WRONG_CONFIGURATION: Final = 3
AGAIN: Final = 1
"""The supervisor starts the process again."""

_log = structlog.get_logger()


def is_broken(error: BaseException | None) -> bool:
    """Whether a disk refused to write or to sync, anywhere in the chain of causes."""
    while error is not None:
        if BROKEN in str(error) or getattr(error, "errno", None) == errno.EIO:
            return True
        error = error.__cause__
    return False


def protect_data() -> None:
    """End at once: after a failed fsync no answer of ours can be trusted.

    Nothing is closed: closing a store syncs it again, and a second sync may report
    what the first one lost as written.
    """
    _log.critical("disk_failed", exit=STOPPED_TO_PROTECT_DATA)
    os._exit(STOPPED_TO_PROTECT_DATA)


def not_started(error: Exception) -> int:
    """Tell why a process cannot start; return its exit code, unless a disk failed.

    Without space, say, nothing is wrong with the configuration: a new life may succeed.
    """
    if is_broken(error):
        protect_data()
    _log.error("not_started", reason=str(error), faults=getattr(error, "faults", ()))
    is_final = isinstance(error, ConfigurationError | OSError)
    return WRONG_CONFIGURATION if is_final else AGAIN


@dataclass(slots=True)
class DiskGuard:
    """Knows whether messages may be taken; for the threads of one edge process.

    Attributes:
        broke: called when an fsync may have failed: the kernel may have dropped what
            it could not write, so nothing may be answered any more.
        reserve: None where the store is a server's business.
        is_full: messages are refused: nothing could be stored.
        percent: of the disk in use, at the last look.
    """

    broke: Callable[[], None]
    reserve: Reserve | None = None
    is_full: bool = False
    percent: float = 0.0
    _level: int = field(default=0, init=False)

    def look(self) -> None:
        """Warn as the disk fills, and take messages again when there is space."""
        if self.reserve is None:
            return
        self.percent = self.reserve.room().percent
        level = next((each for each in LEVELS if self.percent >= each), 0)
        if level > self._level:
            _log.warning("disk_filling", percent=self.percent, level=level)
        self._level = level
        held = self.reserve.hold()
        if held and self.is_full:
            _log.info("disk_has_space", percent=self.percent)
        if not held:
            self._fill()
        self.is_full = not held

    def failed(self, error: Exception) -> None:
        """Note that the store could not write; for want of space, stop taking."""
        if is_broken(error):
            self.broke()
        if self.reserve is None or self.is_full or FULL not in str(error):
            return
        self._fill()

    def _fill(self) -> None:
        """Take nothing more, and give the reserve to queues and purges."""
        assert self.reserve is not None
        if not self.is_full:
            _log.error("disk_full", percent=self.reserve.room().percent)
        self.is_full = True
        self.reserve.release()
