"""Wake-up bytes between processes: they save polling, and losing one loses nothing."""

import select
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

_MOST_AT_ONCE: Final = 4096


class Bell:
    """The socket on which one process hears that there is something to look at.

    Args:
        folder: where the sockets of this node are; ``fileno`` suits a reactor.
        name: ``edge``, or the name of a worker.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.bell"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with suppress(FileNotFoundError):
            self._path.unlink()
        self._socket.bind(str(self._path))

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._socket.fileno()

    def wait(self, seconds: float) -> bool:
        """Return True as soon as the bell rings, False when the time is up."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        return bool(ready) and self.take()

    def take(self) -> bool:
        """Take every ring that has arrived; tell whether there was one."""
        rung = False
        for _ in range(_MOST_AT_ONCE):
            try:
                self._socket.recv(16)
            except OSError:
                break
            rung = True
        return rung

    def close(self) -> None:
        """Stop hearing."""
        self._socket.close()
        with suppress(FileNotFoundError):
            self._path.unlink()


class Ringer:
    """Rings the bells of other processes of this node.

    Args:
        folder: where the sockets of this node are; None when nobody listens.
        prefix: which bells: ``worker`` rings all workers.
    """

    def __init__(self, folder: Path | None, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._known: list[str] = []

    def ring(self) -> None:
        """Ring; a bell that is full or gone is passed over."""
        for bell in self._known or self._look():
            try:
                self._socket.sendto(b"!", bell)
            except BlockingIOError:  # it has rings enough to be awake
                continue
            except OSError:  # the process ended; its successor has another socket
                self._known = []

    def _look(self) -> list[str]:
        if self._folder is not None:
            found = self._folder.glob(f"{self._prefix}*.bell")
            self._known = sorted(map(str, found))
        return self._known

    def close(self) -> None:
        """Ring no more."""
        self._socket.close()
