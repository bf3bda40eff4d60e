"""F03 as a command: how many images, over how many runs of the engine.

    python -m tests.faults.power_loss --images 2000 [--seed 1] [--in-flight 48]

Prints one JSON object; exits 1 if an answered message is lost or an image cannot be
opened, and 2 if so few were answered that the run proves nothing.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.faults.power_loss.loop import LEAST_ANSWERS, examine, record_engine

IMAGES_OF_ONE_RUN = 500


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--in-flight", type=int, default=48)
    asked = options.parse_args()
    total: Counter[str] = Counter()
    code, seed = 0, asked.seed
    while total["images"] < asked.images:
        with tempfile.TemporaryDirectory(prefix="interop-power-") as folder:
            recording = record_engine(Path(folder) / "site", in_flight=asked.in_flight)
            left = asked.images - total["images"]
            figures = examine(recording, min(left, IMAGES_OF_ONE_RUN), seed)
        print(figures, flush=True)
        total += figures.counts
        seed += 1
        if not figures.clean:
            code = 1
        elif figures.counts["answered"] < LEAST_ANSWERS:
            code = code or 2
    wrong = {name: total[name] for name in ("lost", "unreadable", "wrong")}
    print(json.dumps({**total, **wrong}))
    return code


if __name__ == "__main__":
    sys.exit(main())
