"""F01: kill -9 a whole node under load, again and again, then let the ledger judge.

    python -m tests.faults.kill_node --cycles 100 [--seed 1] [--answers 450] [--forked]

Supervisor, edge and worker die at once: mostly 10 to 200 ms after so many answers of
this life that a cycle has ``--answers`` of them on average, in every fifth cycle 10 to
200 ms after the listeners opened. What was not answered is sent again in the next life.
Every ``--check`` cycles the node settles and the ledger judges everything so far.
Prints the ledger's object; ends as the ledger does.

A node is ``interop run``. With ``--forked`` edge and worker are forks of this process,
which has imported the engine already: four times the cycles in the same time, without
the supervisor. With ``--delay`` the receivers take that many seconds to answer.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.edge_ledger import seeded
from tests.faults.forked import ForkedNode
from tests.faults.node import Node
from tests.faults.sending import Sender
from tests.faults.site import site, with_shape

SETTLE_SECONDS = 900.0
EARLY = 5
"""Every so many cycles the node dies right after its start."""

SPARE = 20


def quota(cycle, answers, chance):
    """Return how many answers a life may give: ``answers`` on average, and some."""
    if cycle % EARLY == 0:
        return 0
    return round(answers * EARLY / (EARLY - 1) * chance.uniform(0.8, 1.2)) + SPARE


async def until_killed(node, sender, wanted, chance):
    """Send; kill 10 to 200 ms after the answer that was waited for."""
    stop, before = asyncio.Event(), sender.answered
    running = asyncio.create_task(sender.run(stop))
    while sender.answered - before < wanted and not running.done():  # noqa: ASYNC110 - a counter, not an event
        await asyncio.sleep(0.002)
    await asyncio.sleep(chance.uniform(0.01, 0.2))
    node.kill()
    stop.set()
    await running


def settle(run, node, code=0):
    """Let the node finish what it has, judge, and stop it."""
    node.start()
    judged, told = run.check(wait=SETTLE_SECONDS)
    ended, _ = node.stop()
    return told, judged or code or ended


def cycles(run, asked):
    """Kill that many times; return the last printout and the exit code."""
    chance = seeded(asked.seed)
    node = ForkedNode(run) if asked.forked else Node(run)
    sender = Sender(run.folder, run.ports, asked.in_flight)
    begun = time.monotonic()
    for cycle in range(1, asked.cycles + 1):
        node.start()
        wanted = quota(cycle, asked.answers, chance)
        asyncio.run(until_killed(node, sender, wanted, chance))
        over = time.monotonic() - begun > asked.minutes * 60
        last = over or cycle == asked.cycles
        if not last and cycle % asked.check:
            continue
        run.plan(least=asked.answers * cycle, fault="F01", seed=asked.seed)
        told, code = settle(run, node)
        code = code or int(sender.wrong > 0 or '"messages_error"' in told)
        seconds = time.monotonic() - begun
        print(
            f"{cycle} cycles, {sender.answered} answered, {seconds:.0f} s, ends {code}",
            file=sys.stderr,
        )
        if code or last:
            shape = {
                "cycles": cycle,
                "forked": asked.forked,
                "in_flight": asked.in_flight,
            }
            shape |= {"wrong_answers": sender.wrong, "seconds": round(seconds)}
            return with_shape(told, shape), code
    raise AssertionError("no cycles were asked for")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cycles", type=int, default=25)
    options.add_argument("--in-flight", type=int, default=64)
    options.add_argument("--answers", type=int, default=450)
    options.add_argument("--check", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--forked", action="store_true")
    options.add_argument("--delay", type=float, default=0.0)
    options.add_argument("--minutes", type=float, default=24 * 60.0)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="interop-F01-") as folder,
        site(Path(folder), delay=asked.delay) as run,
    ):
        told, code = cycles(run, asked)
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
