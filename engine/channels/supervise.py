"""Start the processes of one node, start again what ends, and stop them in order.

No sockets and no database here: it outlives whatever happens to its children.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

from engine.channels.supervised import SUPERVISOR

FIRST_WAIT: Final = 0.2
LONGEST_WAIT: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A process that lived so long starts again without a wait."""

DRAIN_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.2
STOPPED_TO_PROTECT_DATA: Final = 70
WRONG_CONFIGURATION: Final = 3

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running.

    ``order`` is the place in the stop: edge first, so that nothing new comes in.
    ``at_first`` are options of its first life only.
    """

    name: str
    command: tuple[str, ...]
    order: int = 0
    at_first: tuple[str, ...] = ()


@dataclass(slots=True)
class Child:
    """A program and its present life."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    lives: int = 0
    start_at: float = 0.0

    @property
    def pid(self) -> int:
        """The process, or 0."""
        return self.process.pid if self.process else 0


def wait_before(failures: int) -> float:
    """Return seconds before the next start after so many short lives in a row.

    Examples:
        >>> [wait_before(failures) for failures in (0, 1, 2, 3, 20)]
        [0.0, 0.2, 0.4, 0.8, 30.0]
    """
    return min(FIRST_WAIT * 2.0 ** (failures - 1), LONGEST_WAIT) if failures else 0.0


@dataclass(slots=True)
class Supervisor:
    """Keeps programs running until it is told to stop.

    Args:
        programs: what to run.
        clock: monotonic seconds.
    """

    programs: Sequence[Program]
    clock: Callable[[], float] = time.monotonic
    _children: list[Child] = field(default_factory=list)
    _stopping: bool = False
    _code: int = 0

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until a child ends for good."""
        self._children = [Child(program) for program in self.programs]
        hearing, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        signal.signal(signal.SIGHUP, self._told_to_reload)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            self._look()
            ready, _, _ = select.select([hearing], [], [], LOOK_SECONDS)
            if ready:
                os.read(hearing, 4096)
        self._stop()
        return self._code

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True

    def _told_to_reload(self, number: int, frame: FrameType | None) -> None:
        del frame
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(number)

    def _look(self) -> None:
        """Note who ended, and start whoever is due."""
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, child.process.returncode)
            if child.process is None and self.clock() >= child.start_at:
                self._start(child)

    def _start(self, child: Child) -> None:
        program = child.program
        first = () if child.lives else program.at_first
        child.process = subprocess.Popen(  # noqa: S603 - our own
            [*program.command, *first], env={**os.environ, SUPERVISOR: str(os.getpid())}
        )
        child.lives += 1
        child.started_at = self.clock()
        _log.info("process_started", process=child.program.name, pid=child.pid)

    def _ended(self, child: Child, code: int) -> None:
        lived = self.clock() - child.started_at
        child.process = None
        child.failures = 0 if lived >= STEADY_SECONDS else child.failures + 1
        child.start_at = self.clock() + wait_before(child.failures)
        _log.warning("process_ended", process=child.program.name, code=code)
        if code in {STOPPED_TO_PROTECT_DATA, WRONG_CONFIGURATION}:
            self._stopping, self._code = True, code

    def _stop(self) -> None:
        """Stop everything within `DRAIN_SECONDS`, the edge first."""
        end = self.clock() + DRAIN_SECONDS
        for order in sorted({child.program.order for child in self._children}):
            group = [
                child.process
                for child in self._children
                if child.program.order == order and child.process is not None
            ]
            for process in group:
                process.terminate()
            for process in group:
                _wait(process, max(end - self.clock(), 0.1))
        _log.info("stopped", code=self._code)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        _log.error("process_killed", pid=process.pid)
        process.kill()
        process.wait()


def programs_of(
    folder: Path, environment: str | None, workers: int, bells: Path
) -> list[Program]:
    """Return the processes of a node: one edge and its workers."""
    shared = ["--config", str(folder), "--bells", str(bells)]
    if environment:
        shared += ["--environment", environment]
    found = [_program("edge", "engine.channels.edge", shared, order=0)]
    for number in range(workers):
        name = f"worker-{number}"
        options = [*shared, "--name", name]
        worker = _program(name, "engine.channels.worker_process", options, order=1)
        found.append(replace(worker, at_first=("--fresh",)))
    return found


def module_command(module: str) -> tuple[str, ...]:
    """Return how a child is started: what lies in the current folder is none of its."""
    return sys.executable, "-P", "-m", module


def _program(name: str, module: str, options: list[str], *, order: int) -> Program:
    return Program(name, (*module_command(module), *options), order)


def supervise(
    folder: Path,
    environment: str | None = None,
    *,
    workers: int = 1,
    only: str = "",
    more: Sequence[Program] = (),
) -> int:
    """Run a node until it is told to stop; return the exit code of `interop run`.

    Args:
        folder: the configuration.
        environment: which values of it apply; None takes the configured one.
        workers: how many worker processes.
        only: ``edge`` or ``worker`` runs just those.
        more: further processes to look after, such as the console.
    """
    bells = Path(tempfile.mkdtemp(prefix="interop-"))
    try:
        programs = [*programs_of(folder, environment, workers, bells), *more]
        chosen = [each for each in programs if each.name.startswith(only)]
        return Supervisor(chosen).run()
    finally:
        shutil.rmtree(bells, ignore_errors=True)
