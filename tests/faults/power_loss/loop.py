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
UNREAD = frozenset({"store/reserve"})
"""64 MiB of zeros that nobody reads: space kept back for a full disk."""


@dataclass
class Recording:
    """What one run leaves: the folder before it, and every change since."""

    before: Path
    records: list[Record]
    sent: dict[str, bytes]
    opened: dict[tuple[int, bytes], bytes] = field(default_factory=dict)

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
    def violations(self):
        return sum(self.counts[wrong] for wrong in ("lost", "unreadable", "wrong"))

    @property
    def clean(self):
        return self.violations == 0

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

    def __add__(self, other):
        """Return the figures of two parts of one run."""
        offenders = self.offenders + other.offenders
        return Figures(self.seed, self.counts + other.counts, offenders[:10])

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


def examine(recording: Recording, count, seed, part=(0, 1)) -> Figures:
    """Judge ``count`` images of one run, over all policies and both kinds of names.

    ``part`` is which of how many parts of them: each image has a seed of its own, so
    that parts may be judged by different processes.
    """
    chance, figures = seeded(seed), Figures(seed)
    kinds = list(product((True, False), POLICIES))
    cuts = recording.cuts(count, chance)
    chance.shuffle(kinds)
    plan = [
        (cut, *kinds[place % len(kinds)], seeded(f"{seed}, image {place}"))
        for place, cut in enumerate(cuts)
    ]
    mine, parts = part
    for strict in (True, False):
        disk = Disk.of(recording.before, strict=strict)
        answered: set[str] = set()
        number = 0
        chosen = [one for one in plan if one[1] is strict]
        for cut, _, policy, luck in chosen[mine::parts]:
            while number < cut:
                record = recording.records[number]
                disk.take(number, record)
                answered.update(answered_in(record.data) if not record.path else ())
                number += 1
            names = "strict" if strict else "lenient"
            where = f"cut {cut}, {policy}, {names} names"
            figures.add(_judged(disk, policy, luck, answered, recording), where,
                        len(answered))  # fmt: skip
    if mine == 0:
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
        image = disk.image(policy, chance, without=UNREAD)
        sent, opened = recording.sent, recording.opened
        return judge(image, Path(folder), answered, sent, opened=opened)
