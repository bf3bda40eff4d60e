"""Lives of the engine's processes as forks of one that has imported everything.

A start costs some 30 ms instead of a second of imports, so that hundreds of crashes fit
into a minute. They are real processes with real files and sockets all the same; the
parent has no threads and no reactor.
"""

import gc
import os
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.channels import edge, worker_process
from engine.channels.format.load import load_site
from tests.faults.node import await_ports
from tests.faults.site import Run

MAINS = {"edge": edge.main, "worker": worker_process.main}


@dataclass
class Life:
    """One forked process; ``code`` is None while it runs, negative after a signal."""

    pid: int
    code: int | None = None

    def poll(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, limit=20.0):
        end = time.monotonic() + limit
        while self.poll() is None:
            if time.monotonic() > end:
                raise TimeoutError(f"process {self.pid} does not end")
            time.sleep(0.002)
        return self.code

    def send(self, number):
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ask(self, number, limit=20.0):
        """Send a signal once there is something that hears it."""
        end = time.monotonic() + limit
        while self.poll() is None and not self._hears(number):
            if time.monotonic() > end:
                raise TimeoutError(f"process {self.pid} does not hear {number}")
            time.sleep(0.002)
        self.send(number)

    def _hears(self, number):
        with suppress(FileNotFoundError):
            told = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
            caught = told.partition("SigCgt:")[2].split(maxsplit=1)[0]
            return bool(int(caught, 16) >> (number - 1) & 1)
        return False


def fork(call, log, variables=None):
    """Run ``call`` in a process of its own; what it returns is the exit code."""
    pid = os.fork()
    if pid:
        return Life(pid)
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.environ.update(variables or {})
        code = call() or 0
    except BaseException:  # noqa: BLE001 - the log is all that is left of it
        traceback.print_exc()
    finally:
        os._exit(code)
    raise AssertionError("a fork has returned")


@dataclass
class ForkedNode:
    """Edge and worker of one node, without a supervisor."""

    run: Run
    lives: dict[str, Life] = field(default_factory=dict)

    def __post_init__(self):
        (self.run.folder / "bells").mkdir(exist_ok=True)
        _ = load_site(self.run.config, None).models  # what is cached, the forks have
        gc.collect()
        gc.freeze()  # no fork looks at, and so copies, what was there before it

    def launch(self, name, variables=None):
        """Start one process; the variables are its own."""
        words = self.arguments(name)
        self.lives[name] = fork(lambda: MAINS[name](words), self.told, variables)

    @property
    def told(self):
        """The file of what the processes print."""
        return self.run.folder / "node.log"

    def arguments(self, name):
        """Return the command line of one process."""
        words = ["--config", self.run.config, "--bells", self.run.folder / "bells"]
        if name == "worker":
            words += ["--name", "worker-0", "--fresh"]  # the whole node had stopped
        return list(map(str, words))

    def start(self):
        """Launch both, and return when every channel takes connections."""
        self.launch("edge")
        self.launch("worker")
        await_ports(self)

    @property
    def running(self):
        return all(life.poll() is None for life in self.lives.values())

    def kill(self):
        """End both at once, whatever they are doing."""
        for life in self.lives.values():
            life.send(signal.SIGKILL)
        for life in self.lives.values():
            life.wait()

    def stop(self):
        """Ask both to end, the edge first; return the worst code and the seconds."""
        begun, codes = time.monotonic(), []
        for life in self.lives.values():
            life.ask(signal.SIGTERM)
            codes.append(life.wait())
        return max(codes, key=abs), time.monotonic() - begun

    def log(self):
        return self.told.read_text()[-3000:]
