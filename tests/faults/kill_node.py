"""F01: kill -9 a whole node under load, again and again, then let the ledger judge.

    python -m tests.faults.kill_node --cycles 100 [--forked] [--evidence]

Supervisor, edge and worker die at once: mostly 10 to 200 ms after so many answers of
this life that a cycle has ``--answers`` of them on average, in every fifth cycle 10 to
200 ms after the listeners opened. What was not answered is sent again in the next life.
Every ``--check`` cycles the node settles and the ledger judges everything so far; after
``--site`` cycles there is a new site, so that a cycle costs the same in a long run.
Prints the ledger's object with the sums of all sites; ends as the ledger does. What a
site left is kept if it is not clean.

A node is ``interop run``. With ``--forked`` edge and worker are forks of this process,
which has imported the engine already: four times the cycles in the same time, without
the supervisor. With ``--delay`` the receivers take that many seconds to answer.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.edge_ledger import seeded
from tests.faults.evidence import Evidence, options
from tests.faults.forked import ForkedNode
from tests.faults.ledger import HOLDS, NO_POWER
from tests.faults.node import Node
from tests.faults.sending import Sender
from tests.faults.site import read_told, site, sums

SETTLE_SECONDS = 900.0
EARLY = 5
"""Every so many cycles the node dies right after its start."""

SPARE = 200


def quota(cycle, answers, chance, answered):
    """Return how many answers a life may give, so that their average is ``answers``.

    ``answered`` is how many there were before it, in this site.
    """
    if cycle % EARLY == 0:
        return 0
    each = answers * EARLY / (EARLY - 1)
    before = cycle - 1 - (cycle - 1) // EARLY
    ahead = answered - each * before
    return max(0, round(each * chance.uniform(0.8, 1.2) + SPARE - ahead))


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


def settle(run, node):
    """Let the node finish what it has, judge, and stop it."""
    node.start()
    judged, told = run.check(wait=SETTLE_SECONDS)
    ended, _ = node.stop()
    return told, judged or ended


def cycles(run, asked, first, count):
    """Kill a site's node that many times; yield cycles, printout and code, if judged.

    The last time is when the code is not 0 or the cycles are done.
    """
    chance = seeded(first)
    node = ForkedNode(run) if asked.forked else Node(run)
    sender = Sender(run.folder, run.ports, asked.in_flight)
    for cycle in range(1, count + 1):
        node.start()
        wanted = quota(cycle, asked.answers, chance, sender.answered)
        asyncio.run(until_killed(node, sender, wanted, chance))
        if cycle < count and cycle % asked.check:
            continue
        run.plan(least=asked.answers * cycle, fault="F01", seed=first)
        told, code = settle(run, node)
        code = code or int(sender.wrong > 0 or '"messages_error"' in told)
        yield cycle, told, code
        if code:
            return


def one_site(asked, first, count, evidence):
    """Return the last printout of a site, and the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="interop-F01-"))
    told: dict[str, Any] = {}
    code, before, answered = HOLDS, 0, 0
    with site(folder, delay=asked.delay) as run:
        for cycle, printed, code in cycles(run, asked, first, count):
            told = read_told(printed)
            new = told.get("answered", 0) - answered
            found = sum(map(len, told.get("broken", {}).values()))
            if code != NO_POWER:
                evidence.add(first + before, cycle - before, new, found or code)
            before, answered = cycle, answered + new
            print(f"{first + cycle - 1} cycles, ends {code}", file=sys.stderr)
    if code == HOLDS:
        shutil.rmtree(folder)
    else:
        print(f"kept in {folder}", file=sys.stderr)
    return {**told, "cycles": before}, code


def main():
    parser = options(__doc__)
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--answers", type=int, default=450)
    parser.add_argument("--check", type=int, default=50)
    parser.add_argument("--site", type=int, default=100)
    parser.add_argument("--seed", type=int, help="of the first site; then by cycles")
    parser.add_argument("--forked", action="store_true")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--minutes", type=float, default=24 * 60.0)
    asked = parser.parse_args()
    evidence = Evidence("F01", "cycles", asked.evidence)
    first = asked.seed or evidence.next_seed()
    total: dict[str, int] = {"cycles": 0}
    begun, told, code = time.monotonic(), {}, HOLDS
    while total["cycles"] < asked.cycles and code == HOLDS:
        if time.monotonic() - begun > asked.minutes * 60:
            break
        count = min(asked.site, asked.cycles - total["cycles"])
        told, code = one_site(asked, first + total["cycles"], count, evidence)
        total = sums((total, told))
    shape = {"seed": first, "forked": asked.forked, "in_flight": asked.in_flight}
    shape["seconds"] = round(time.monotonic() - begun)
    print(json.dumps({**told, **total, **shape}, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
