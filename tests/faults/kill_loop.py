"""F01 for the edge: kill -9 at random moments under load, then count.

    python -m tests.faults.kill_loop --cycles 200 [--in-flight 64] [--seed 1]

Prints one JSON object; exits 1 if an answered message is missing, changed or there
twice, and 2 if so few were answered that the run proves nothing.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.edge_ledger import (
    EdgeProcess,
    Load,
    compare,
    describe,
    kill_cycle,
    seeded,
)

LEAST_ANSWERS = 20
"""Per cycle, on average; fewer would be no proof."""


def run(folder, cycles, in_flight, seed):
    """Kill ``cycles`` times; return the figures and the exit code."""
    edge, load, chance = EdgeProcess(folder), Load(in_flight), seeded(seed)
    for cycle in range(1, cycles + 1):
        kill_cycle(edge, load, chance)
        if cycle % 20 == 0:
            print(f"{cycle} cycles, {len(load.answered)} answered", file=sys.stderr)  # noqa: T201 - a command
    edge.start()
    edge.stop()
    verdict = compare(load, edge.journal())
    figures = describe(verdict, load, cycles, seed)
    if not verdict.clean or load.wrong:
        return figures, 1
    return figures, 0 if verdict.answered >= LEAST_ANSWERS * cycles else 2


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cycles", type=int, default=20)
    options.add_argument("--in-flight", type=int, default=64)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="interop-kill-") as folder:
        figures, code = run(Path(folder), asked.cycles, asked.in_flight, asked.seed)
    print(json.dumps(figures))  # noqa: T201 - a command
    return code


if __name__ == "__main__":
    sys.exit(main())
