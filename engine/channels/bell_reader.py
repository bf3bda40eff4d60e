"""The bell of the edge as its reactor hears it."""

from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from engine.channels.wake import Bell


@implementer(IReadDescriptor)
class BellReader:
    """Lets the reactor hear the bell."""

    def __init__(self, folder: Path, rung: Callable[[], None]) -> None:
        self._bell = Bell(folder, "edge")
        self._rung = rung

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._bell.fileno()

    def close(self) -> None:
        """Hear nothing more."""
        self._bell.close()

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Take the rings that came."""
        self._bell.take()
        self._rung()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """Nothing to do: the reactor is ending."""

    def logPrefix(self) -> str:  # noqa: N802
        """Return a name for logs."""
        return "bell"
