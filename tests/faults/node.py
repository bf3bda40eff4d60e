"""A whole node as a site runs it: ``interop run`` with its edge and its worker."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge_ledger import ROOT
from tests.faults.site import Run


@dataclass
class Node:
    """``interop run`` in a process group of its own."""

    run: Run
    process: subprocess.Popen[bytes] | None = None
    logs: Path | None = None
    variables: dict[str, str] = field(default_factory=dict)

    def launch(self):
        words = (sys.executable, "-m", "engine.cli", "run", "--config", self.run.config)
        with ((self.logs or self.run.folder) / "node.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                list(map(str, words)),
                cwd=ROOT,
                env={**os.environ, **self.variables},
                stderr=log,
                stdout=log,
                start_new_session=True,
            )

    def start(self):
        """Launch, and return when every channel takes connections."""
        self.launch()
        await_ports(self)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """End every process of the node at once, whatever it is doing."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, limit=20.0):
        """Ask the node to end; return its exit code and the seconds it took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit), time.monotonic() - begun

    def log(self):
        return ((self.logs or self.run.folder) / "node.log").read_text()[-3000:]


def await_ports(node, limit=90.0):
    """Return when every channel takes connections."""
    end = time.monotonic() + limit
    for port in node.run.ports.values():
        while not is_open(port):
            assert time.monotonic() < end, node.log()
            assert node.running, node.log()
            time.sleep(0.01)


def is_open(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
