"""The site of a fault run: four channels, three kinds of destination, receivers."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.edge_ledger import ROOT, free_port
from tests.faults.books import RECEIVER, RUN
from tests.faults.evidence import commit

SETTINGS = """
site = "faults"
[store]
url = "sqlite:///../store"
key = "../store.key"
[files]
allowed = ["../out", "../in"]
[node]
workers = 1
[console]
bind = "off"
"""
CHANNEL = """
channel: {name}
source:
{source}
identity: {{match: {match}}}
destinations:
"""
SOURCE = "  mllp: {{port: {port}, max-connections: 1000}}"
FOLDER_SOURCE = '  file: {{path: "{folder}/in", every: 100ms}}'
MLLP = """
  - name: his
    mllp: {{host: 127.0.0.1, port: {port}, connections: 4}}
    retry: {{first: 1s, max: 2s}}
"""
FHIR = """
  - name: fhir
    fhir: {{url: "http://127.0.0.1:{port}/fhir"}}
    retry: {{first: 1s, max: 2s}}
"""
FILE = """
  - name: archive
    file: {{path: "{folder}/out/{name}/{{message.id}}.hl7"}}
"""
CHANNELS = {
    "relay": ("his",),
    "archive": ("archive",),
    "registry": ("fhir",),
    "all": ("his", "archive", "fhir"),
}
FOLDER = "folder"
"""A channel that takes files and writes files; only some runs have it."""

DESTINATIONS = {**CHANNELS, FOLDER: ("archive",)}
FORMS = {"his": MLLP, "fhir": FHIR, "archive": FILE}
KINDS = {"his": "mllp", "fhir": "http", "archive": "file"}


@dataclass(frozen=True)
class Run:
    """One fault run: its folder, its channels, and the ports of those that listen.

    ``receiving`` is the process of its receivers.
    """

    folder: Path
    channels: tuple[str, ...]
    ports: dict[str, int]
    receiving: int

    @property
    def config(self):
        return self.folder / "config"

    @property
    def store(self):
        return self.folder / "store"

    def plan(self, *, least, fault, seed=0):
        """Write what the ledger needs to know."""
        told = {
            "store": str(self.store),
            "key": str(self.folder / "store.key"),
            "channels": {name: self._promises(name) for name in self.channels},
            "least": least,
            "fault": fault,
            "seed": seed,
            "commit": commit(),
        }
        (self.folder / RUN).write_text(json.dumps(told), encoding="utf-8")

    def _promises(self, channel):
        promises = {}
        for name in DESTINATIONS[channel]:
            promises[name] = {"kind": KINDS[name]}
            if name != "fhir":
                promises[name]["verbatim"] = "yes"
            if name == "archive":
                promises[name]["files"] = str(self.folder / "out" / channel)
        return promises

    @contextmanager
    def still(self):
        """Let no receiver answer; those that connect are kept waiting."""
        os.kill(self.receiving, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.receiving, signal.SIGCONT)

    def check(self, wait=0.0):
        """Let the ledger judge; return its exit code and its printout."""
        done = subprocess.run(  # noqa: S603 - our own module
            [
                *(sys.executable, "-m", "tests.faults.ledger", str(self.folder)),
                *("--wait", str(wait)),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout or done.stderr


def with_shape(told, shape):
    """Return the ledger's printout with the shape of the run in it."""
    try:
        return json.dumps(json.loads(told) | shape, indent=1)
    except json.JSONDecodeError:
        return told


def read_told(printed):
    """Return the ledger's object, or what was printed instead of it."""
    try:
        return json.loads(printed)
    except json.JSONDecodeError:
        return {"printed": printed}


def sums(tellings):
    """Return every count of some ledgers' objects, added up."""
    total: Counter[str] = Counter()
    for told in tellings:
        total.update({k: v for k, v in told.items() if isinstance(v, int)})
    return dict(total)


@contextmanager
def receivers(folder, places, delay):
    """Run the receivers of ``places``; give their process and their ports by place."""
    words = [str(folder / RECEIVER), "--delay", str(delay)]
    for place in places:
        kind = KINDS[place.partition("/")[2]]
        words += [f"--{kind}", place]
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.faults.receivers", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def site(folder, channels=tuple(CHANNELS), delay=0.0):
    """Write a site with these channels and run its receivers; give the `Run`.

    ``delay`` is how many seconds the receivers take to answer.
    """
    places = [f"{name}/{each}" for name in channels for each in DESTINATIONS[name]]
    sockets = [place for place in places if not place.endswith("/archive")]
    ports = {name: free_port() for name in channels if name != FOLDER}
    for name in ("config/channels", "in", "out"):
        (folder / name).mkdir(parents=True)
    (folder / "config" / "interop.toml").write_text(SETTINGS)
    with receivers(folder, sockets, delay) as (receiving, theirs):
        run = Run(folder, tuple(channels), ports, receiving)
        for name in channels:
            path = run.config / "channels" / f"{name}.yaml"
            path.write_text(_channel(run, name, theirs))
        yield run


def _channel(run, name, ports):
    source = FOLDER_SOURCE if name == FOLDER else SOURCE
    match = "true" if "fhir" in DESTINATIONS[name] else "false"
    text = CHANNEL.format(
        name=name,
        match=match,
        source=source.format(folder=run.folder, port=run.ports.get(name)),
    )
    for each in DESTINATIONS[name]:
        port = ports.get(f"{name}/{each}")
        text += FORMS[each].format(name=name, folder=run.folder, port=port)
    return text
