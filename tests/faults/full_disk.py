"""F05 with the ledger: one disk after the other is full, and has space again.

    python -m tests.faults.full_disk [--places store logs temp out] [--seconds 4]

A small file system (tmpfs of 32 MiB) lies where the store, the logs, the temporary
files or the output folder are. Under load its last block is taken.

* A full store takes no message and gives no answer, the commands that show and clear
  queues work, and taking begins again by itself when there is space.
* Full logs, temporary files and output folders stop no answer; what is written to the
  output folder waits and is delivered when there is space.

In the end the ledger judges. Prints one JSON object; ends with 1 if a figure or the
ledger does not hold. Mounting needs root.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from typing_extensions import override

from tests.edge_ledger import ROOT
from tests.faults.evidence import commit
from tests.faults.ledger import wait_until_settled
from tests.faults.node import Node
from tests.faults.sending import Sender
from tests.faults.site import site

PLACES = ("store", "logs", "temp", "out")
CHANNELS = ("relay", "archive")
SIZE = "size=32m"
STOP_SECONDS, RESUME_SECONDS = 1.0, 10.0
WARM_ANSWERS = 30
SETTLE_SECONDS = 120.0
COMMANDS = (("status",), ("errors", "list"), ("messages", "search"), ("doctor",))
PROBLEMS = 1


def may_mount():
    """Whether this machine lets us make a small file system."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder, suppress(OSError):
        if mount(folder).returncode == 0:
            unmount(folder)
            return True
    return False


def mount(folder):
    words = ["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs", str(folder)]
    return subprocess.run(words, check=False, capture_output=True)  # noqa: S603 - fixed words


def unmount(folder):
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607


@contextmanager
def small(folder):
    """Mount a small file system on a folder."""
    folder.mkdir(exist_ok=True, mode=0o700)
    told = mount(folder)
    assert told.returncode == 0, told.stderr
    try:
        yield folder
    finally:
        unmount(folder)


def fill(folder):
    """Take every free block; return the file that holds them."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\xa5" * 65536):
            pass
    return ballast


class Watched(Sender):
    """A sender that knows when it was answered last and when it was not."""

    @override
    def __post_init__(self):
        super().__post_init__()
        self.last = time.monotonic()
        self.times: list[float] = []

    @override
    def note(self, event, channel, name, body, code=""):
        if event == "answered":
            self.last = time.monotonic()
            self.times.append(self.last)
        return super().note(event, channel, name, body, code)


class FullDisk:
    """One run: a node with one small disk."""

    def __init__(self, run, place, folder, asked):
        self.run, self.place, self.folder = run, place, folder
        self.asked = asked
        logs = folder if place == "logs" else None
        variables = {"TMPDIR": str(folder)} if place == "temp" else {}
        self.node = Node(run, logs=logs, variables=variables)
        self.sender = Watched(run.folder, run.ports, width=4)
        self.sender.pause = 0.02
        self.told: dict[str, object] = {"place": place}
        self.faults: list[str] = []

    def hold(self, name, value, good):
        """Keep a figure, and that it does not hold."""
        self.told[name] = value
        if not good:
            self.faults.append(f"{self.place}: {name} is {value}")

    async def go(self):
        """Load, fill, look, free, look."""
        stop = asyncio.Event()
        running = asyncio.create_task(self._senders(stop))
        await self._until(lambda: self.sender.answered >= WARM_ANSWERS, 60)
        ballast = fill(self.folder)
        if self.place == "store":
            await self._full_store(ballast)
        else:
            await self._full_elsewhere(ballast)
        stop.set()
        await running

    async def _senders(self, stop):
        """Keep connections: a full store closes them after a while."""
        while not stop.is_set():
            lives = asyncio.create_task(self.sender.run(stop))
            while not (stop.is_set() or lives.done()):
                await asyncio.sleep(0.05)
                if time.monotonic() - self.sender.last > 2 * STOP_SECONDS:
                    lives.cancel()  # dial anew, as a sender without an answer does
                    self.sender.last = time.monotonic()
            with suppress(asyncio.CancelledError):
                await lives
            await asyncio.sleep(0.1)

    async def _full_store(self, ballast):
        """What the files still hold may be answered; then there is silence."""
        silent = lambda: time.monotonic() - self.sender.times[-1] > 2 * STOP_SECONDS  # noqa: E731
        self.hold("falls silent", await self._until(silent, 120), good=True)
        before = self.sender.answered
        for words in COMMANDS:
            code = await asyncio.to_thread(self._command, words)
            self.hold(f"interop {' '.join(words)}", code, good=code in {0, PROBLEMS})
        await asyncio.sleep(self.asked.seconds)
        late = self.sender.answered - before
        self.hold("answers while full", late, good=late == 0)
        reserve = (self.run.store / "reserve").stat().st_size
        self.hold("reserve given away", reserve == 0, good=reserve == 0)
        ballast.unlink()
        begun = time.monotonic()
        await self._until(lambda: self.sender.answered > before, 30)
        seconds = round(time.monotonic() - begun, 1)
        self.hold("resumes after", seconds, good=seconds <= RESUME_SECONDS)

    async def _full_elsewhere(self, ballast):
        """Messages are answered all the same."""
        before = self.sender.answered
        await asyncio.sleep(self.asked.seconds)
        taken = self.sender.answered - before
        self.hold("answers while full", taken, good=taken > 0)
        self.hold("runs", self.node.running, good=self.node.running)
        ballast.unlink()

    async def _until(self, true, limit):
        end = time.monotonic() + limit
        while not true() and time.monotonic() < end:  # noqa: ASYNC110 - a condition
            await asyncio.sleep(0.02)
        return true()

    def _command(self, words):
        command = [sys.executable, "-m", "engine.cli", *words, "--config"]
        return subprocess.run(  # noqa: S603 - our own module
            [*command, str(self.run.config)], cwd=ROOT, capture_output=True, check=False
        ).returncode

    def judge(self):
        """Let the node finish; return whether everything holds."""
        settled = wait_until_settled(self.run.store, SETTLE_SECONDS)
        ended, _ = self.node.stop()
        code, told = self.run.check()
        self.told |= {"answered": self.sender.answered, "settled": settled}
        if code or ended:
            self.faults.append(
                f"{self.place}: ended {ended}, the ledger {code}: {told}"
            )
        return self.told


def run_place(place, asked):
    """Return the figures of one place, and what does not hold."""
    with (
        tempfile.TemporaryDirectory(prefix="interop-F05-") as top,
        site(Path(top), CHANNELS) as run,
        small(Path(top, place)) as folder,
    ):
        run.plan(least=WARM_ANSWERS, fault="F05")
        one = FullDisk(run, place, folder, asked)
        one.node.start()
        asyncio.run(one.go())
        return one.judge(), one.faults


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--places", nargs="*", default=PLACES, choices=PLACES)
    options.add_argument("--seconds", type=float, default=4.0)
    asked = options.parse_args()
    found, faults = [], []
    for place in asked.places:
        told, wrong = run_place(place, asked)
        print(f"{told} {wrong}", file=sys.stderr)
        found.append(told)
        faults += wrong
    shape = {"fault": "F05", "commit": commit(), "places": found, "faults": faults}
    print(json.dumps(shape, indent=1))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
