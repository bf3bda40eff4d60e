"""F17 as a command: many sequences of what may happen, against the model.

    python -m tests.faults.states --examples 2000 --steps 50 [--evidence]

Exits 1 at the first block of sequences in which the model and the store differ, and
shows the shortest sequence that does it, or with ``--first-found`` just that one.
"""

import json
import os
import sys
import time
import traceback
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.evidence import Evidence, options, processes
from tests.faults.simulated.run import blocks
from tests.faults.test_F17_states import Hospital

BLOCK = 50


def difference(steps, phases, block):
    """Run a block of sequences; return how the model and the store differ, or ""."""
    machine = seed(block[0])(type("Seeded", (Hospital,), {}))
    wanted = settings(
        max_examples=len(block),
        stateful_step_count=steps,
        phases=phases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),  # a busy machine is no defect
    )
    try:
        run_state_machine_as_test(machine, settings=wanted)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever it is, it ends the run
        return traceback.format_exc()
    return ""


def main():
    parser = options(__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--first", type=int)
    parser.add_argument("--first-found", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    evidence = Evidence("F17", "sequences", asked.evidence)
    first, begun, found = asked.first or evidence.next_seed(), time.monotonic(), ""
    work = blocks(first, asked.examples, BLOCK)
    done = 0
    with processes(asked.jobs) as pool:
        phases = (Phase.generate,) if asked.first_found else tuple(Phase)
        ends = pool.map(partial(difference, asked.steps, phases), work)
        for block, found in zip(work, ends, strict=True):
            done += len(block)
            evidence.add(block[0], len(block), 0, int(bool(found)))
            if found:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    print(found, file=sys.stderr)
    told = {"first": first, "sequences": done, "steps_each": asked.steps}
    told |= {"violations": int(bool(found)), "seconds": round(time.monotonic() - begun)}
    print(json.dumps(told))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
