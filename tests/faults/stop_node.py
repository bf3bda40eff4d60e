"""F22: stop a node under load with SIGTERM, again and again.

    python -m tests.faults.stop_node --stops 20 [--forked]

Every stop must end with 0 within ten seconds; a destination that is idempotent must not
see anything twice; the ledger must hold.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.edge_ledger import seeded
from tests.faults.books import read_books
from tests.faults.forked import ForkedNode
from tests.faults.ledger import BROKEN, wait_until_settled
from tests.faults.node import Node
from tests.faults.sending import Sender
from tests.faults.site import site, with_shape

MOST_SECONDS = 10.0
SETTLE_SECONDS = 300.0


async def until_stopped(node, sender, chance):
    """Send; ask the node to stop in the middle of it."""
    stop = asyncio.Event()
    running = asyncio.create_task(sender.run(stop))
    await asyncio.sleep(chance.uniform(0.3, 0.8))
    ended = await asyncio.to_thread(node.stop)
    stop.set()
    await running
    return ended


def twice(folder):
    """Return the documents that an idempotent destination saw more than once."""
    books = read_books(folder)
    return [
        f"{sha256[:12]} at {place}"
        for (place, sha256), receipts in books.seen().items()
        if books.plan.destination(place)["kind"] != "mllp" and len(receipts) > 1
    ]


def run_stops(run, asked):
    """Return the printout and the exit code."""
    node = ForkedNode(run) if asked.forked else Node(run)
    sender, chance = Sender(run.folder, run.ports, 16), seeded(asked.seed)
    faults, slowest = [], 0.0
    for stop in range(1, asked.stops + 1):
        node.start()
        code, seconds = asyncio.run(until_stopped(node, sender, chance))
        slowest = max(slowest, seconds)
        if code or seconds > MOST_SECONDS:
            faults.append(f"stop {stop} ended with {code} after {seconds:.1f} s")
    node.start()
    wait_until_settled(run.store, SETTLE_SECONDS)
    node.stop()
    faults += twice(run.folder)
    code, told = run.check()
    shape = {"stops": asked.stops, "slowest": round(slowest, 1), "faults": faults[:10]}
    return with_shape(told, shape), code or (BROKEN if faults else 0)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stops", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--forked", action="store_true")
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="interop-F22-") as folder,
        site(Path(folder)) as run,
    ):
        run.plan(least=10 * asked.stops, fault="F22", seed=asked.seed)
        told, code = run_stops(run, asked)
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
