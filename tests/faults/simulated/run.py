"""One world from one integer."""

from collections import Counter

from tests.edge_ledger import seeded
from tests.faults.simulated.peers import ENDS
from tests.faults.simulated.verdict import judge
from tests.faults.simulated.world import World

STEPS = 100
SERVICES = ("MED", "MED", "MED", "MED", "MED", "MED", "BAD", "NONE")


def run(seed):
    """Return what is wrong with the world of this seed, and what happened in it."""
    chance = seeded(seed)
    world = World(chance, nodes=chance.choice((1, 2)))
    world.ends = ENDS
    for number in range(chance.randint(3, 7)):
        person = chance.choice(("ANN", "BOB"))
        service = chance.choice(SERVICES)
        world.add(f"M{number}", person, service, chance.randint(0, 1))
    for _ in range(STEPS):
        world.counts["steps"] += bool(world.step())
    world.calm()
    wrong = judge(world)
    world.counts["answered"] = sum(len(peer.answered) for peer in world.peers)
    world.counts["taken"] = sum(len(r.taken) for r in world.receivers.values())
    return wrong, world


def run_some(seeds):
    """Return what happened in some worlds, and the seeds where something is wrong."""
    total: Counter[str] = Counter()
    offenders = []
    for seed in seeds:
        wrong, world = run(seed)
        total += world.counts
        if wrong:
            offenders.append({"seed": seed, "wrong": wrong[:10]})
    return total, offenders


def blocks(first, count, size):
    """Return ranges that cover ``count`` seeds from the first on."""
    end = first + count
    return [range(at, min(at + size, end)) for at in range(first, end, size)]
