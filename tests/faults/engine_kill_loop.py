"""F01 for the whole engine: kill -9 every process at random moments, then count.

    python -m tests.faults.engine_kill_loop --cycles 200 [--in-flight 64] [--seed 1]

Edge, worker and supervisor die at once, in the middle of whatever they do; messages
that were not answered are sent again. At the end every answered message must be in the
journal, processed, and delivered to the file destination exactly once, unchanged.
Prints one JSON object; exits 1 if anything is lost, changed or there twice, and 2 if so
few were answered that the run proves nothing.
"""

import argparse
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from tests.edge_ledger import (
    ROOT,
    EdgeProcess,
    Load,
    compare,
    describe,
    kill_cycle,
    seeded,
)

LEAST_ANSWERS = 20
"""Per cycle, on average; fewer would be no proof."""

CHANNEL = """
channel: adt
source:
  mllp: {{port: {port}, max-connections: 1000}}
destinations:
  - name: archive
    file: {{path: "out/{{message.id}}.hl7"}}
"""
SETTINGS = """
site = "kill"
[store]
url = "sqlite:///../store"
key = "../store.key"
[files]
allowed = ["out"]
"""


@dataclass
class WholeEngine(EdgeProcess):
    """``interop run`` in a process group of its own."""

    names: list[str] = field(default_factory=list)

    def __post_init__(self):
        config = self.folder / "config"
        (config / "channels").mkdir(parents=True)
        (config / "interop.toml").write_text(SETTINGS)
        text = CHANNEL.format(port=self.port)
        (config / "channels" / "adt.yaml").write_text(text)
        self.command = (sys.executable, "-m", "engine.cli", "run", "--config", config)

    @override
    def launch(self):
        with (self.folder / "engine.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module
                [*map(str, self.command)],
                cwd=ROOT,
                stderr=log,
                stdout=log,
                start_new_session=True,
            )

    @override
    def kill(self):
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def settle(self, limit=300.0):
        """Run until nothing is queued; return the states of messages."""
        self.start()
        end = time.monotonic() + limit
        while time.monotonic() < end and not self.is_settled():
            time.sleep(0.5)
        self.stop()
        return self.states()

    def is_settled(self):
        states = self.states()
        done = sum(states.values()) == len(self.journal())
        return done and not self.query("SELECT 1 FROM lane LIMIT 1")

    def states(self):
        return Counter(
            dict(self.query("SELECT state, count(*) FROM message GROUP BY state"))
        )

    def query(self, sql):
        with suppress(sqlite3.OperationalError):
            path = self.folder / "store" / "engine.db"
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                return connection.execute(sql).fetchall()
        return []

    def delivered(self):
        """Return the control ids of the files, by their own content."""
        found = []
        for path in (self.folder / "config" / "out").glob("*.hl7"):
            body = path.read_bytes()
            name = body.split(b"|")[9].decode()
            found.append((name, hashlib.sha256(body).digest()))
        return found


def run(folder, cycles, in_flight, seed):
    """Kill ``cycles`` times; return the figures and the exit code."""
    engine, load, chance = WholeEngine(folder), Load(in_flight), seeded(seed)
    for cycle in range(1, cycles + 1):
        kill_cycle(engine, load, chance)
        if cycle % 20 == 0:
            print(f"{cycle} cycles, {len(load.answered)} answered", file=sys.stderr)  # noqa: T201 - a command
    states = engine.settle()
    verdict = compare(load, engine.journal())
    files = engine.delivered()
    known = load.answered
    figures = describe(verdict, load, cycles, seed) | {
        "states": dict(states),
        "files": len(files),
        "undelivered": sorted(set(known) - {name for name, _ in files})[:10],
        "changed_files": [name for name, sha in files if known.get(name, sha) != sha][
            :10
        ],
        "twice": [
            name for name, count in Counter(n for n, _ in files).items() if count > 1
        ][:10],
    }
    wrong = figures["undelivered"] or figures["changed_files"] or figures["twice"]
    lost = set(states) - {"processed"}
    if not verdict.clean or load.wrong or wrong or lost:
        return figures, 1
    return figures, 0 if verdict.answered >= LEAST_ANSWERS * cycles else 2


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cycles", type=int, default=10)
    options.add_argument("--in-flight", type=int, default=64)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="interop-kill-") as folder:
        figures, code = run(Path(folder), asked.cycles, asked.in_flight, asked.seed)
    print(json.dumps(figures))  # noqa: T201 - a command
    return code


if __name__ == "__main__":
    sys.exit(main())
