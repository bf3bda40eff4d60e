"""F02: crash at every named failpoint, at its first and a later time; then judge.

    python -m tests.faults.crash_points [--only NAME] [--nth 3] [--jobs 2]

One store lives through all crashes of a job: each life is armed with the next point,
works until it dies there, and the next life has to recover. The ledger judges at the
end and every so many crashes. A point that is not reached is a failure: it proves
nothing. Prints the ledger's object with the number of points and crashes, its counts
summed over the jobs.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path

from engine.channels.clock import utc_now
from engine.failpoint import ENABLED, POINT, arm
from engine.store import edited_copies
from engine.store.audit import Order
from engine.store.database import open_database
from engine.store.key_file import load_or_create_key
from engine.store.reports import set_run_state
from engine.store.retention import decide
from engine.store.search import MessageFilter, messages
from engine.store.words import RunState
from tests.faults import points
from tests.faults.forked import ForkedNode, fork
from tests.faults.ledger import wait_until_settled
from tests.faults.sending import Sender
from tests.faults.site import CHANNELS, FOLDER, Run, read_told, site, sums

REACH_SECONDS = 30.0
SETTLE_SECONDS = 120.0
JUDGED_EVERY = 20


@dataclass
class Crashes:
    """The run: a site, its sender, and the node's present life."""

    run: Run
    node: ForkedNode
    sender: Sender
    crashes: int = 0

    def crash(self, point, hit):
        """Live until this point is reached; raise if it never is."""
        variables = {POINT: f"{point}:{hit}:exit", ENABLED: "1"}
        ways = {points.PRUNE: self._idle, points.OPERATOR: self._operate}
        ways |= {points.RELOAD: self._reload, points.STOP: self._stop}
        ways |= {points.EDITED: self._edit}
        way = next((ways[each] for each in ways if point in each), self._work)
        life = way(point, variables)
        self.node.kill()
        if life.code != -signal.SIGKILL:
            told = f"{point} was not reached {hit} times, it ended with {life.code}"
            raise AssertionError(f"{told}\n{self.node.log()}")
        self.crashes += 1

    def _armed(self, point, variables):
        """Start both processes, the one that reaches the point armed."""
        name = points.owner(point)
        for each in ("edge", "worker"):
            self.node.launch(each, variables if each == name else None)
        return self.node.lives[name]

    def _work(self, point, variables):
        """Send, and drop a file now and then, until the point is reached."""
        life = self._armed(point, variables)
        asyncio.run(self._send_until(life, files=point.startswith("source.")))
        return life

    async def _send_until(self, life, *, files=False):
        end = time.monotonic() + REACH_SECONDS
        while life.poll() is None and time.monotonic() < end:
            if files:
                self.sender.drop_file(FOLDER)
            stop, till = asyncio.Event(), time.monotonic() + (0.3 if files else 5.0)
            sending = asyncio.create_task(self.sender.run(stop))
            while life.poll() is None and not sending.done():
                await asyncio.sleep(0.01)
                if time.monotonic() > till:
                    break
            stop.set()
            await sending

    def _idle(self, point, variables):
        """Let the journal be idle with something to prune."""
        self._released()
        life = self._armed(point, variables)
        life.wait(REACH_SECONDS)
        return life

    def _released(self):
        """Release what is done, as retention does at night."""
        with self._store() as database, database.engine() as connection:
            order = Order("night", utc_now(), "retention")
            decide(connection, database.sealer, order.now, order, limit=20)

    def _edit(self, point, variables):
        """Ask for an edited copy of a message, which counts as sent and answered."""
        if not (stored := self._newest()):
            self.node.start()
            asyncio.run(self._send_for(1.0))
            wait_until_settled(self.run.store, SETTLE_SECONDS)
            self.node.kill()
            stored = self._newest()
        self.sender.numbers += 1
        name, body = self.sender.make(self.sender.numbers)
        with self._store() as database, database.engine() as connection:
            order = Order("kim", utc_now(), "wrong ward")
            edited_copies.ask(connection, database.sealer, stored[0].id, body, order)
        for event, code in (("sent", ""), ("answered", "AA")):
            self.sender.note(event, stored[0].channel, name, body, code)
        life = self._armed(point, variables)
        life.wait(REACH_SECONDS)
        return life

    def _newest(self):
        wanted = MessageFilter(channel=next(iter(CHANNELS)))
        with self._store() as database, database.reading() as connection:
            return messages(connection, database.sealer, wanted, limit=1)

    async def _send_for(self, seconds):
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await self.sender.run(stop)

    def _reload(self, point, variables):
        return self._told(point, variables, signal.SIGHUP)

    def _stop(self, point, variables):
        return self._told(point, variables, signal.SIGTERM)

    def _told(self, point, variables, number):
        """Send a signal in the middle of the work."""
        life = self._armed(point, variables)
        life.ask(number)
        asyncio.run(self._send_until(life))
        return life

    def _operate(self, point, variables):
        """Pause a destination as an operator does, from a process of its own."""
        self.node.start()

        def pause():
            arm(variables)
            with self._store() as database, database.engine() as connection:
                order = Order("kim", utc_now(), "asked for by the ward")
                place = "relay", "his"
                set_run_state(
                    connection, database.sealer, place, RunState.PAUSED, order
                )

        life = fork(pause, self.run.folder / "node.log")
        life.wait()
        return life

    @contextmanager
    def _store(self):
        key = load_or_create_key(self.run.folder / "store.key")
        database = open_database(f"sqlite:///{self.run.store}", key)
        try:
            yield database
        finally:
            database.close()

    def settle(self):
        """Let a clean life finish everything; return the ledger's verdict."""
        self.node.start()
        self._until_taken()
        wait_until_settled(self.run.store, SETTLE_SECONDS)
        ended, _ = self.node.stop()
        self.sender.note_files_taken(FOLDER)
        code, told = self.run.check()
        return code or ended, told

    def _until_taken(self):
        """Return when no file waits: the store cannot know of it yet."""
        end = time.monotonic() + SETTLE_SECONDS
        while any((self.run.folder / "in").glob("*.hl7")) and time.monotonic() < end:
            time.sleep(0.05)


def plan(nth):
    """Return every point with the hits it is crashed at, load before the rest."""
    later = dict.fromkeys(points.LOAD, (1, nth))
    once = (*points.START, *points.RELOAD, *points.STOP, *points.OPERATOR)
    return later | dict.fromkeys((*once, *points.EDITED, *points.PRUNE), (1,))


def crash_everywhere(crashes, wanted):
    """Crash at every point; return the last verdict as soon as one is not clean."""
    begun, verdict = time.monotonic(), (0, "")
    for at, (name, hit) in enumerate(wanted, start=1):
        crashes.crash(name, hit)
        if at % JUDGED_EVERY == 0 or at == len(wanted):
            verdict = crashes.settle()
            seconds = time.monotonic() - begun
            print(f"{at} crashes, {seconds:.0f} s, ends {verdict[0]}", file=sys.stderr)
            if verdict[0]:
                break
    return verdict


def one_job(least, wanted):
    """Crash a site of its own at these points; return the exit code and the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="interop-F02-") as folder,
        site(Path(folder), (*CHANNELS, FOLDER)) as run,
    ):
        run.plan(least=least, fault="F02")
        sender = Sender(run.folder, run.ports, width=8, pause=0.05)
        crashes = Crashes(run, ForkedNode(run), sender)
        code, told = crash_everywhere(crashes, wanted)
    return code, read_told(told) | {"crashes": crashes.crashes}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="")
    options.add_argument("--nth", type=int, default=3)
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = options.parse_args()
    chosen = {k: v for k, v in plan(asked.nth).items() if k.startswith(asked.only)}
    wanted = [(name, hit) for name, hits in chosen.items() for hit in hits]
    parts = [wanted[at :: asked.jobs] for at in range(min(asked.jobs, len(wanted)))]
    # forks of this process, which has imported everything and has no threads yet
    with multiprocessing.get_context("fork").Pool(len(parts)) as pool:
        ends = pool.map(partial(one_job, 0 if asked.only else 10), parts, chunksize=1)
    code, told = max(ends, key=itemgetter(0))
    total = sums(each for _, each in ends)
    print(json.dumps(told | total | {"points": len(chosen)}, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
