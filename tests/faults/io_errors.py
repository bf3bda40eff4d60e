"""F04: every write and every sync fails once, one after the other; then judge.

    python -m tests.faults.io_errors [--every 1] [--only edge:sync:EIO]
    python -m tests.faults.io_errors --some 6 [--seed 1]

A node with one channel from MLLP to a file runs under the shim of the power-loss runs.
The k-th sync or write below a folder fails in one process, k = 1, 2, ... until a life
ends without one. After each life

* the disk as it would be found without power is judged: what a failed sync should have
  covered is gone for good, and everything that was answered must be there all the same;
* the process has stopped to protect data (70), refused to start (3), ended to be
  started again (1, no space for its recovery or its first write), or has gone on;
* a node without faults starts on what is there, everything settles, the ledger holds.

With ``--some`` so many calls are drawn; one that is never made proves nothing.
Prints one JSON object; ends with 1 if an answered message is lost or anything else does
not hold, and with 2 where too few calls failed to prove anything.
"""

import argparse
import asyncio
import ctypes
import errno
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from engine.channels import journal_writer
from tests.edge_ledger import seeded
from tests.faults.evidence import commit
from tests.faults.forked import MAINS, ForkedNode, fork
from tests.faults.ledger import wait_until_settled
from tests.faults.node import await_ports
from tests.faults.power_loss.disk import Disk
from tests.faults.power_loss.log import Operation, read_log, shim
from tests.faults.power_loss.verdict import Shape, answered_in, judge
from tests.faults.sending import Sender, admission
from tests.faults.site import Run, site

CHANNEL = "archive"
SHAPE = Shape(CHANNEL, f"out/{CHANNEL}/")
ANSWERS = 6
WARM_ANSWERS = 20
SILENCE_SECONDS = 1.5
FROZEN_SECONDS = 0.5
START_SECONDS = 30.0
SETTLE_SECONDS = 60.0
IDLE_SECONDS = 0.1
DRAWN_FROM = 15
PRELOAD = "LD_PRELOAD"
STOPPED, REFUSED = 70, 3
CALLS = {"sync": Operation.SYNC_BEGIN, "write": Operation.WRITE}
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "short": 0}
NOT_KEPT = shutil.ignore_patterns("reserve", "*-shm", "*.bell")
MEMORY = Path("/dev/shm")  # noqa: S108 - images are read once; no disk need wait


@dataclass(frozen=True)
class Place:
    """Whose calls fail, below which folder; ``fresh``: at the site's first start."""

    process: str
    below: str
    fresh: bool = False


PLACES = {
    "edge": Place("edge", "store"),
    "worker": Place("worker", "store"),
    "file": Place("edge", "out"),
    "start": Place("edge", ".", fresh=True),
}
SWEEPS = [
    (place, call, error)
    for place in PLACES
    for call in CALLS
    for error in ERRORS
    if (call, error) != ("sync", "short")
]


@dataclass
class FaultyNode(ForkedNode):
    """Edge and worker under the write log, one of them with a call that will fail."""

    log_file: Path | None = None
    process: str = ""
    fault: tuple[Path, int, int, int] | None = None

    @override
    def launch(self, name, variables=None):
        fault = self.fault if name == self.process else None

        def run():
            journal_writer.IDLE_SECONDS = IDLE_SECONDS  # type: ignore[misc]
            if self.log_file is not None:
                preload = ctypes.CDLL(os.environ[PRELOAD])
                folder = os.fsencode(self.run.folder)
                preload.begin_log(os.fsencode(self.log_file), folder)
                if fault is not None:
                    below, operation, number, error = fault
                    where = os.fsencode(below)
                    preload.fail_call(where, operation, ctypes.c_long(number), error)
            return MAINS[name](self.arguments(name))

        self.lives[name] = fork(run, self.told, variables)

    @property
    @override
    def told(self):
        return self.run.folder.parent / "node.log"

    @property
    def codes(self):
        return {name: life.poll() for name, life in self.lives.items()}


@dataclass
class Errors:
    """The whole run: a site that is set back before each life, and what was seen."""

    run: Run
    counts: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)
    _looked_at: int = 0
    _has_fired: bool = False

    @property
    def beside(self):
        """Where what is no part of the site lies."""
        return self.run.folder.parent

    def prepare(self):
        """Make the two sites that lives start from: a new one, and one in use."""
        self._save("new")
        node = FaultyNode(self.run)
        sender = self._sender(0)
        node.start()
        asyncio.run(self._work(node, sender, WARM_ANSWERS))
        node.stop()
        self._save("used")

    def _save(self, name):
        shutil.copytree(self.run.folder, self.beside / name, ignore=NOT_KEPT)

    def _set_back(self, name):
        shutil.rmtree(self.run.folder)
        shutil.copytree(self.beside / name, self.run.folder)
        (self.run.folder / "bells").mkdir(exist_ok=True)
        for left in ("write.log", "node.log"):
            (self.beside / left).unlink(missing_ok=True)
        self._looked_at, self._has_fired = 0, False

    def _sender(self, after):
        sender = Sender(self.run.folder, self.run.ports, width=2)
        sender.numbers = after
        return sender

    # ---- one life

    def fail(self, sweep, number):
        """Let the call of this number fail; return whether there was one."""
        name, call, error = sweep
        place = PLACES[name]
        start = "new" if place.fresh else "used"
        self._set_back(start)
        below = self.run.folder / place.below
        fault = below, int(CALLS[call]), number, ERRORS[error]
        log = self.beside / "write.log"
        node = FaultyNode(self.run, {}, log, place.process, fault)
        sender = self._sender(0 if place.fresh else WARM_ANSWERS * 2)
        code = self._live(node, sender, place.process)
        records = list(read_log(log, self.run.folder))
        hit = next((one for one in records if one.operation is Operation.FAULT), None)
        if hit is None:
            if code or sender.answered < ANSWERS:
                self._offend(":".join(sweep), f"a life without faults: {code}")
            return False
        self.counts["faults"] += 1
        self.counts[f"{name} ended with {code}"] += 1
        named = f"{name} {call} {number} {error} on {hit.path or 'the folder'}"
        told = f"{named}: ended with {code}, {sender.answered} answered"
        print(told, file=sys.stderr, flush=True)
        started_again = code == 1 and "not_started" in node.log()
        if code not in {0, STOPPED, REFUSED} and not started_again:
            self._offend(named, f"{place.process} ended with {code}")
        self._judge_disk(named, self.beside / start, records)
        self._judge_next_life(named, sender)
        return True

    def _live(self, node, sender, process):
        """Work, be idle, stop; return how the process with the fault ended."""
        for name in ("edge", "worker"):
            node.launch(name)
        with suppress(AssertionError):
            await_ports(node, START_SECONDS)
            asyncio.run(self._work(node, sender, ANSWERS, faulty=True))
        if node.running:
            time.sleep(3 * IDLE_SECONDS)
        node.stop()
        return node.codes[process]

    async def _work(self, node, sender, wanted, *, faulty=False):
        """Send until so many were answered and settled, or nothing goes on."""
        stop, begun = asyncio.Event(), time.monotonic()
        running, before = asyncio.create_task(sender.run(stop)), sender.answered
        while sender.answered < wanted and not running.done() and node.running:
            await asyncio.sleep(0.01)
            if sender.answered > before:
                before, begun = sender.answered, time.monotonic()
            silent = time.monotonic() - begun
            patience = SILENCE_SECONDS if faulty and self._fired() else START_SECONDS
            if silent > patience:
                break
        stop.set()
        with suppress(TimeoutError):  # a frozen connection answers nobody
            await asyncio.wait_for(running, FROZEN_SECONDS if faulty else None)
        if node.running and sender.answered >= wanted:
            wait_until_settled(self.run.store, 2 * SILENCE_SECONDS)

    def _fired(self):
        """Whether a call has failed by now: then silence may be the answer to it."""
        log = self.beside / "write.log"
        size = log.stat().st_size if log.exists() else 0
        if size > self._looked_at:
            self._looked_at = size
            records = read_log(log, self.run.folder)
            self._has_fired = any(one.operation is Operation.FAULT for one in records)
        return self._has_fired

    # ---- verdicts

    def _judge_disk(self, named, before, records):
        """What is found after a power failure holds everything that was answered."""
        disk, answered = Disk.of(before, strict=True), set[str]()
        for number, record in enumerate(records):
            disk.take(number, record)
            if record.operation is Operation.ANSWER:
                answered.update(answered_in(record.data))
        self.counts["answered"] += len(answered)
        image = disk.image("none", seeded(0))
        if not answered and "store.key" not in image:
            return
        where = MEMORY if MEMORY.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="interop-F04-", dir=where) as folder:
            found = judge(image, Path(folder), answered, hashes(), SHAPE)
        for told in (found.unreadable, *found.lost[:1], *found.wrong[:1]):
            if told:
                self._offend(named, f"without power: {told}")

    def _judge_next_life(self, named, sender):
        """A node without faults goes on with what is there, and the ledger holds."""
        node = FaultyNode(self.run)
        self.run.plan(least=1, fault="F04")
        try:
            node.start()
            asyncio.run(self._work(node, sender, sender.answered + ANSWERS))
            wait_until_settled(self.run.store, SETTLE_SECONDS)
            ended, _ = node.stop()
        except AssertionError as error:
            node.kill()
            self._offend(named, f"the next life does not start: {error}")
            return
        code, told = self.run.check()
        if code or ended:
            self._offend(named, f"the next life ended with {ended}, the ledger: {told}")

    def _offend(self, named, told):
        self.counts["offences"] += 1
        if len(self.offenders) < 10:
            self.offenders.append(f"{named}: {told}")
        print(f"{named}: {told}", file=sys.stderr)


@functools.cache
def hashes():
    """Return the SHA-256 of everything a run may send, by control id."""
    made = map(admission, range(1, 40 * WARM_ANSWERS))
    return {name: hashlib.sha256(body).digest() for name, body in made}


def sweep_all(errors, sweeps, every):
    """Let every ``every``-th call fail, from the first on."""
    for sweep in sweeps:
        begun, number = time.monotonic(), 1
        while errors.fail(sweep, number):
            number += every
        told = f"{':'.join(sweep)}: up to {number}, {time.monotonic() - begun:.0f} s"
        print(told, file=sys.stderr, flush=True)


def draw(errors, sweeps, count, chance):
    """Let so many calls fail, of any kind and number."""
    for _ in range(count):
        errors.fail(chance.choice(sweeps), chance.randint(1, DRAWN_FROM))


def under_the_shim():
    """Start this program again with the shim in it, unless it is there."""
    if PRELOAD not in os.environ:
        library = shim()
        if library is None:
            sys.exit("the shim needs a C compiler")
        variables = {**os.environ, PRELOAD: str(library)}
        words = [sys.executable, "-m", "tests.faults.io_errors", *sys.argv[1:]]
        os.execve(sys.executable, words, variables)  # noqa: S606 - ourselves


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--some", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="")
    asked = options.parse_args()
    under_the_shim()
    sweeps = [one for one in SWEEPS if ":".join(one).startswith(asked.only)]
    with tempfile.TemporaryDirectory(prefix="interop-F04-") as folder:
        place = Path(folder) / "site"
        place.mkdir()
        with site(place, (CHANNEL,)) as run:
            errors = Errors(run)
            errors.prepare()
            if asked.some:
                draw(errors, sweeps, asked.some, seeded(asked.seed))
            else:
                sweep_all(errors, sweeps, asked.every)
    shape = {"fault": "F04", "commit": commit(), "sweeps": len(sweeps)}
    print(json.dumps({**shape, **errors.counts, "offenders": errors.offenders}))
    if errors.offenders:
        return 1
    return 0 if errors.counts["faults"] >= (asked.some or len(sweeps)) / 2 else 2


if __name__ == "__main__":
    sys.exit(main())
