"""F16: small worlds of senders, nodes, crashes and receivers, each from one integer.

More of the same: ``python -m tests.faults.simulated --seeds 100000``; one again, told
in full: ``python -m tests.faults.simulated --seed N``.
"""

import random

import pytest

from tests.faults.simulated.run import run

SEEDS = 150


@pytest.mark.slow
def test_F16_every_invariant_holds_in_worlds_full_of_crashes():
    first = random.randrange(10**9)  # noqa: S311 - told when it fails
    answered = 0
    for seed in range(first, first + SEEDS):
        wrong, world = run(seed)
        assert not wrong, f"seed {seed}: {wrong}"
        answered += world.counts["answered"]

    assert answered >= 2 * SEEDS
