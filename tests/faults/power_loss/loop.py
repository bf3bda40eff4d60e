"""F03, the loop: load a watched engine, kill it, cut the log anywhere, and judge."""

import hashlib
import json
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from typing_extensions import override

from tests.edge_ledger import Load, adt, seeded
from tests.faults.power_loss.disk import POLICIES, Disk
from tests.faults.power_loss.engine_site import WatchedEngine, bursts, warm
from tests.faults.power_loss.log import Operation, Record, read_log
from tests.faults.power_loss.verdict import answered_in, judge

MEMORY = Path("/dev/shm")  # noqa: S108 - images are read once; no disk need wait
LEAST_ANSWERS = 50


@dataclass
class Recording:
    """What one run leaves: the folder before it, and every change since."""

    before: Path
    records: list[Record]
    sent: dict[str, bytes]

    def cuts(self, count, chance: random.Random):
        """Return cut points: half anywhere, half where an answer has just left."""
        answers = [
            number + 1
            for number, record in enumerate(self.records)
            if record.operation is Operation.ANSWER
        ]
        anywhere = range(answers[0] if answers else 0, len(self.records) + 1)
        return sorted(
            chance.choice(answers if answers and chance.random() < 0.5 else anywhere)
            for _ in range(count)
        )


@dataclass
class Figures:
    """What may be quoted, counted by name; offenders by cut and number only."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)

    @property
    def clean(self):
        return not any(self.counts[wrong] for wrong in ("lost", "unreadable", "wrong"))

    def add(self, verdict, where, answered):
        """Count one image."""
        self.counts["images"] += 1
        self.counts["answered in all images"] += answered
        self.counts["lost"] += len(verdict.lost)
        self.counts["unreadable"] += bool(verdict.unreadable)
        self.counts["wrong"] += len(verdict.wrong)
        if not verdict.clean and len(self.offenders) < 10:
            first = [verdict.unreadable, *verdict.lost[:1], *verdict.wrong[:1]]
            self.offenders.append(f"{where}: {'; '.join(filter(None, first))}")

    @override
    def __str__(self):
        return json.dumps(
            {"seed": self.seed, **self.counts, "offenders": self.offenders}
        )


def record_engine(folder, *, new=False, kill=True, in_flight=48, seconds=0.6):
    """Run the whole engine, kill or stop it, and return what it did.

    With ``new`` it makes its store and its key first; else the store is warm.
    """
    folder.mkdir()
    engine = WatchedEngine(folder)
    if not new:
        warm(folder)
    before = folder.with_name("before")
    shutil.copytree(folder, before)
    load = Load(in_flight)
    engine.start()
    try:
        bursts(engine, load, seconds, kill=kill)
    finally:
        engine.stop()
    return Recording(before, list(read_log(engine.log, folder)), hashes(load.sent))


def hashes(count):
    """Return the SHA-256 of the messages a load sends first, by control id."""
    made = map(adt, range(1, count + 1))
    return {name: hashlib.sha256(body).digest() for name, body in made}


def examine(recording: Recording, count, seed) -> Figures:
    """Judge ``count`` images of one run, over all policies and both kinds of names."""
    chance, figures = seeded(seed), Figures(seed)
    kinds = list(product((True, False), POLICIES))
    cuts = recording.cuts(count, chance)
    chance.shuffle(kinds)
    plan = [(cut, *kinds[place % len(kinds)]) for place, cut in enumerate(cuts)]
    for strict in (True, False):
        disk = Disk.of(recording.before, strict=strict)
        answered: set[str] = set()
        number = 0
        for cut, _, policy in [one for one in plan if one[1] is strict]:
            while number < cut:
                record = recording.records[number]
                disk.take(number, record)
                answered.update(answered_in(record.data) if not record.path else ())
                number += 1
            names = "strict" if strict else "lenient"
            where = f"cut {cut}, {policy}, {names} names"
            figures.add(_judged(disk, policy, chance, answered, recording), where,
                        len(answered))  # fmt: skip
    figures.counts["answered"] = len(_answers(recording))
    figures.counts["records"] = len(recording.records)
    return figures


def _answers(recording):
    return {
        name
        for record in recording.records
        if record.operation is Operation.ANSWER
        for name in answered_in(record.data)
    }


def _judged(disk, policy, chance, answered, recording):
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="interop-image-", dir=where) as folder:
        return judge(disk.image(policy, chance), Path(folder), answered, recording.sent)
