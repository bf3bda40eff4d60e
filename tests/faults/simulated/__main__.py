"""F16 as a command: many small worlds, each from one integer.

    python -m tests.faults.simulated --seeds 100000 [--first 1] [--evidence]
    python -m tests.faults.simulated --seed 4711          # one again, told in full

Exits 1 at the first world in which an invariant does not hold, with its seed.
"""

import json
import os
import sys
import time
from collections import Counter

from tests.faults.evidence import Evidence, options, processes
from tests.faults.simulated.run import blocks, run, run_some

PART, BLOCK = 50, 1000
"""Seeds that a process takes at once, and seeds between two rows of evidence."""


def tell(seed):
    """Print the whole story of one world; return what was wrong with it."""
    wrong, world = run(seed)
    print(*world.story, sep="\n")
    print(json.dumps({"seed": seed, "wrong": wrong[:10], **world.counts}))
    return wrong


def run_all(asked, evidence):
    """Run block after block until one is not clean; return the counts and offenders."""
    total: Counter[str] = Counter()
    offenders: list[dict[str, object]] = []
    with processes(asked.jobs) as pool:
        for block in blocks(asked.first, asked.seeds, BLOCK):
            before = total.copy()
            parts = blocks(block[0], len(block), PART)
            for seeds, (counts, offenders) in zip(
                parts, pool.map(run_some, parts), strict=True
            ):
                total += counts
                total["seeds"] += len(seeds)
                if offenders:
                    break
            new = total - before
            evidence.add(block[0], new["seeds"], new["answered"], len(offenders))
            print(f"{total['seeds']} seeds", file=sys.stderr)
            if offenders:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return total, offenders


def main():
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.seed is not None:
        return int(bool(tell(asked.seed)))
    evidence = Evidence("F16", "seeds", asked.evidence)
    asked.first = asked.first or evidence.next_seed()
    begun = time.monotonic()
    total, offenders = run_all(asked, evidence)
    told = {"first": asked.first, **total, "offenders": offenders[:10]}
    print(json.dumps(told | {"seconds": round(time.monotonic() - begun)}))
    return int(bool(offenders))


if __name__ == "__main__":
    sys.exit(main())
