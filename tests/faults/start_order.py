"""F21: start a node that was killed with work in every state; recovery comes first.

    python -m tests.faults.start_order [--answers 300]

No receiver answers and the worker dies before the edge, so that the kill leaves
messages received and processed, deliveries queued and leased. The next edge dies at the
end of its recovery: it must not have opened a listener by then. The one after it
delivers everything, and the ledger holds.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

from engine.failpoint import ENABLED, POINT
from tests.faults.books import read_books
from tests.faults.forked import ForkedNode
from tests.faults.ledger import BROKEN, wait_until_settled
from tests.faults.sending import Sender
from tests.faults.site import site, with_shape

DYING = {POINT: "recovery.committed:1:exit", ENABLED: "1"}
OF_WORKER = {"processed", "queued", "leased"}
SETTLE_SECONDS = 300.0


def states(run):
    """Return the states that the kill left behind."""
    books = read_books(run.folder)
    found = {each.state or "received" for each in books.messages.values()}
    return found | {each.state for each in books.deliveries.values()}


async def until_full(run, node, sender, answers):
    """Send until there is work in every state; kill the node in the middle of it."""
    stop = asyncio.Event()
    running = asyncio.create_task(sender.run(stop))

    async def until(reached):
        while not reached():
            await asyncio.sleep(0.1)
            assert not running.done(), node.log()

    await until(lambda: sender.answered >= answers)
    with run.still():
        await until(lambda: states(run) >= OF_WORKER)
        node.lives["worker"].send(signal.SIGKILL)
        await until(lambda: "received" in states(run))
        node.kill()
    stop.set()
    await running


def early_listeners(node):
    """Let the edge die as its recovery ends; return the listeners it had opened."""
    log = node.run.folder / "node.log"
    begun = log.stat().st_size
    node.launch("edge", DYING)
    code = node.lives["edge"].wait()
    assert code == -signal.SIGKILL, node.log()
    lines = log.read_text()[begun:].splitlines()
    return [line for line in lines if "source_open" in line]


def run_start(run, answers):
    """Return the ledger's printout and the exit code."""
    node, sender = ForkedNode(run), Sender(run.folder, run.ports, 16)
    node.start()
    asyncio.run(until_full(run, node, sender, answers))
    left = sorted(states(run))
    early = early_listeners(node)
    begun = time.monotonic()
    node.start()
    seconds = time.monotonic() - begun
    wait_until_settled(run.store, SETTLE_SECONDS)
    node.stop()
    code, told = run.check()
    shape = {"left": left, "early_listeners": early, "ready": round(seconds, 1)}
    return with_shape(told, shape), code or (BROKEN if early else 0)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--answers", type=int, default=300)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="interop-F21-") as folder,
        site(Path(folder)) as run,
    ):
        run.plan(least=asked.answers, fault="F21")
        told, code = run_start(run, asked.answers)
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
