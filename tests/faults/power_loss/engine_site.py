"""The engine whose power will fail: a warm store, a site, and a load with a pause."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from engine.store.database import open_database
from engine.store.key_file import load_or_create_key
from engine.store.message_state import MessageState
from engine.store.results import Outcome
from tests.edge_ledger import ROOT, EdgeProcess, Load
from tests.faults.power_loss.log import watched
from tests.stored import accept, arrival, claim, record

WARM_ROWS = 2000
BATCH = 250
PAUSE_SECONDS = 1.3
"""Long enough for the journal's writer to tidy up: a checkpoint between two bursts."""

CHANNEL = """
channel: adt
source:
  mllp: {{port: {port}, max-connections: 1000}}
destinations:
  - name: archive
    file: {{path: "out/adt/{{message.id}}.hl7"}}
"""
SETTINGS = """
site = "power"
[store]
url = "sqlite:///../store"
key = "../store.key"
[files]
allowed = ["out"]
[console]
bind = "off"
"""


def warm(folder, rows=WARM_ROWS):
    """Make a store with some thousand rows, checkpointed, as a running site has."""
    key = load_or_create_key(folder / "store.key")
    store = open_database(f"sqlite:///{folder}/store", key, role="edge")
    for start in range(0, rows, BATCH):
        some = [arrival(f"W{start + n}", warm_message(start + n)) for n in range(BATCH)]
        accept(store, *some)
        outcomes = [
            Outcome(one.row.id, MessageState.FILTERED, reason="warm", attempt=1)
            for one in claim(store, BATCH)
        ]
        record(store, *outcomes)
    store.checkpoint()
    store.close()


def warm_message(number):
    """One of the messages that are there before the load begins."""
    return f"MSH|^~\\&|WARM|GEN|||2030||ADT^A01|W{number}|P|2.5.1\r{'x' * 400}".encode()


@dataclass
class WatchedEngine(EdgeProcess):
    """``interop run`` with every change of its folder in a write log."""

    log: Path = field(init=False)

    def __post_init__(self):
        self.log = self.folder.parent / f"{self.folder.name}.log"
        channels = self.folder / "config" / "channels"
        channels.mkdir(parents=True)
        (self.folder / "config" / "interop.toml").write_text(SETTINGS)
        (channels / "adt.yaml").write_text(CHANNEL.format(port=self.port))

    @override
    def launch(self):
        command = [sys.executable, "-m", "engine.cli", "run", "--config"]
        with self.log.with_suffix(".err").open("ab") as errors:
            return subprocess.Popen(  # noqa: S603 - our own module
                [*command, str(self.folder / "config")],
                cwd=ROOT,
                env=watched(self.folder, self.log),
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    @override
    def kill(self):
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def bursts(engine, load: Load, seconds, *, kill=True):
    """Load the engine twice, with a pause between for a checkpoint; then kill it."""

    async def run():
        for last in (False, True):
            stop = asyncio.Event()
            running = asyncio.create_task(load.run(engine.address, stop))
            await asyncio.sleep(seconds)
            if last and kill:
                engine.kill()
            stop.set()
            await running
            if not last:
                await asyncio.sleep(PAUSE_SECONDS)

    asyncio.run(run())
