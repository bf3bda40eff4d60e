"""F16 as a command: many small worlds, each from one integer.

    python -m tests.faults.simulated --seeds 100000 [--first 1]
    python -m tests.faults.simulated --seed 4711          # one again, told in full

Exits 1 at the first world in which an invariant does not hold, with its seed.
"""

import argparse
import json
import sys
import time
from collections import Counter

from tests.faults.simulated.run import run


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=1000)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--seed", type=int)
    asked = options.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.seed is not None:
        seeds = range(asked.seed, asked.seed + 1)
    total: Counter[str] = Counter()
    began = time.process_time()
    for seed in seeds:
        wrong, world = run(seed)
        total += world.counts
        if asked.seed is not None:
            print(*world.story, sep="\n")
        if wrong:
            told = {"seed": seed, "wrong": wrong[:10], **world.counts}
            print(json.dumps(told))
            return 1
    seconds = round(time.process_time() - began, 1)
    print(json.dumps({"seeds": len(seeds), "cpu_seconds": seconds, **total}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
