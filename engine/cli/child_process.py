"""Children of a command, the engine above all: started, watched, measured, stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Self

from engine.cli.invocation import Exit, Stop

READY_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 15.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM, _PARENT = 11, 12, 1


@dataclass(slots=True)
class ChildProcess:
    """A command in a process group of its own; its output goes to a file."""

    command: list[str]
    log: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _output: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._output = self.log.open("ab")
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, **self.variables},
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GRACE_SECONDS)
            except BaseException as error:  # it takes too long, also for who waits here
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
        if self._output is not None:
            self._output.close()

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Return its exit code when it has ended.

        Raises:
            Stop: it does not end.
        """
        try:
            return self._process.wait(READY_SECONDS) if self._process else 0
        except subprocess.TimeoutExpired as error:
            raise Stop("it does not end", Exit.PROBLEMS) from error

    def wait_for(self, ports: Iterable[int]) -> None:
        """Return when something listens on every port.

        Raises:
            Stop: it ended, or a port stayed closed for too long.
        """
        end = time.monotonic() + READY_SECONDS
        for port in ports:
            while not listens(port):
                if not self.running:
                    raise Stop(f"it ended: {self._last_line()}", Exit.PROBLEMS)
                if time.monotonic() > end:
                    raise Stop(f"nothing listens on port {port}", Exit.UNREACHABLE)
                time.sleep(0.05)

    def cpu_seconds(self) -> dict[int, float]:
        """Return user and system time of the process and all that it started."""
        return {pid: cpu_seconds(pid) for pid in tree(self.pid)}

    def _last_line(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl+C does: with its children."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def interop(*arguments: str) -> list[str]:
    """Return the command line of another interop of this installation."""
    return [sys.executable, "-m", "engine.cli", *arguments]


def listens(port: int) -> bool:
    """Tell whether something accepts connections on a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return True
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def cpu_seconds(pid: int) -> float:
    """Return user plus system time of one process; 0 when it is gone."""
    fields = _stat(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS if fields else 0.0


def tree(pid: int) -> list[int]:
    """Return a process and everything below it."""
    parents = {int(path.name): _stat(int(path.name)) for path in _processes()}
    found = [pid]
    for each in found:
        found += [
            p for p, stat in parents.items() if stat and int(stat[_PARENT]) == each
        ]
    return found


def parent(pid: int) -> int:
    """Return the parent of a process; 0 when the process is gone."""
    fields = _stat(pid)
    return int(fields[_PARENT]) if fields and fields[0] != "Z" else 0


def _processes() -> Iterable[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdecimal())


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name of the process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
