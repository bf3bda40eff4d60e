"""F03 as a command: how many images, over how many runs of the engine.

    python -m tests.faults.power_loss --images 2000 [--in-flight 48] [--evidence]

Prints one JSON object for each run and one for all; exits 1 if an answered message is
lost or an image cannot be opened, and 2 if so few were answered that a run proves
nothing. What a run left is kept if one of its images is not clean.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

from tests.faults.evidence import Evidence, options, processes
from tests.faults.power_loss.loop import LEAST_ANSWERS, examine, record_engine

IMAGES_OF_ONE_RUN = 500


def one_run(pool, asked, count, seed):
    """Run the engine once; return the figures of its images."""
    folder = Path(tempfile.mkdtemp(prefix="interop-power-"))
    recording = record_engine(folder / "site", in_flight=asked.in_flight)
    parts = [(part, asked.jobs) for part in range(asked.jobs)]
    first, *rest = pool.map(partial(examine, recording, count, seed), parts)
    figures = sum(rest, first)
    if figures.clean:
        shutil.rmtree(folder)
    else:
        figures.offenders.append(f"kept in {folder}")
    return figures


def main():
    parser = options(__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--seed", type=int, help="of the first run; then by images")
    parser.add_argument("--in-flight", type=int, default=48)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    evidence = Evidence("F03", "images", asked.evidence)
    total: Counter[str] = Counter()
    code, begun = 0, time.monotonic()
    first = asked.seed or evidence.next_seed()
    with processes(asked.jobs) as pool:
        while total["images"] < asked.images:
            count = min(asked.images - total["images"], IMAGES_OF_ONE_RUN)
            seed = first + total["images"]
            figures = one_run(pool, asked, count, seed)
            print(figures, flush=True)
            total += figures.counts
            answered = figures.counts["answered"]
            evidence.add(seed, count, answered, figures.violations)
            if not figures.clean:
                code = 1
            elif answered < LEAST_ANSWERS:
                code = code or 2
    wrong = {name: total[name] for name in ("lost", "unreadable", "wrong")}
    told = {**total, **wrong, "seconds": round(time.monotonic() - begun)}
    print(json.dumps(told))
    return code


if __name__ == "__main__":
    sys.exit(main())
