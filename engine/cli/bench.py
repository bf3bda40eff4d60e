"""``interop bench``: throughput and CPU, with everything that decides them printed."""

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import orjson
import rich_click as click

from engine.cli.child_process import (
    ChildProcess,
    cpu_seconds,
    end_in_order,
    free_ports,
    interop,
)
from engine.cli.doctor import fsync_milliseconds
from engine.cli.invocation import Command, Exit, Stop, invocation, note
from engine.cli.output import Row, emit_one
from engine.peers.load import admissions
from engine.peers.sending import Feed, Sender, Tally

BENCH = Path(__file__).parents[2] / "bench"
DRAIN_SECONDS = 600.0
FEATURES = {
    "durability": "SQLite WAL, synchronous=FULL; every answer after the commit",
    "encryption": "AES-256-GCM over zstd",
    "audit": "hash-chained",
    "channel": "one filter with two comparisons, six edit steps, one code table",
    "map": "HL7 v2 to FHIR R4, with loss report and search keys",
    "identity": "on; five messages for each person, a fifth of them new",
    "destination": "one FHIR server, transaction Bundles with upserts; fan-out 1",
    "order": "kept for each person",
    "validation": "sampled",
}


@click.command("bench", cls=Command)
@click.option("--messages", type=click.IntRange(100), default=6000, show_default=True)
@click.option("--connections", type=click.IntRange(1, 512), default=32)
@click.option("--persons", default=0, help="Persons in the index before it starts.")
@click.option("--pairs", type=click.IntRange(0), default=3, show_default=True)
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Use and keep this folder."
)
def bench_command(
    messages: int, connections: int, persons: int, pairs: int, keep: Path | None
) -> None:
    """Measure durable answers and ADT to FHIR Bundles, end to end, to the drain.

    With python-hl7 installed its own MLLP server, which stores nothing, takes turns
    with the engine in --pairs pairs. The configuration is bench/config.
    """
    if not BENCH.is_dir():
        raise Stop("bench/config is not here", Exit.USAGE, "run it from a checkout")
    end_in_order()
    with _folder(keep) as folder, _Bench.started(folder) as bench:
        before = fsync_milliseconds(folder)
        if persons:
            note(f"loading {persons:,} persons")
            bench.run(persons * 5, connections)
        note(f"sending {messages:,} messages to the drain")
        delivered = bench.run(messages, connections)
        bench.batch = min(messages, bench.batch)
        answers = bench.answers(pairs, connections)
        after = fsync_milliseconds(folder)
    stages = _stages()
    emit_one(
        {
            "delivered": delivered,
            "answers": answers,
            "stages": stages,
            "features": FEATURES,
            "circumstances": _circumstances(before, after, messages, connections),
        }
    )


@dataclass(slots=True)
class _Bench:
    """An engine and the receiver it delivers to, both in processes of their own."""

    engine: ChildProcess
    receiver: ChildProcess
    port: int
    batch: int = 4000
    sent: int = 0
    number: int = 0

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> "Iterator[_Bench]":
        """Start both, and stop both afterwards."""
        adt, fhir, console = free_ports(3)
        log = folder / "bench.log"
        variables = {
            "ADT_PORT": str(adt),
            "FHIR_BASE_URL": f"http://127.0.0.1:{fhir}/fhir",
            "INTEROP_STORE__URL": f"sqlite:///{folder / 'store'}",
            "INTEROP_STORE__KEY": str(folder / "store.key"),
            "INTEROP_CONSOLE__BIND": f"127.0.0.1:{console}",
        }
        (folder / "store").mkdir(exist_ok=True)
        listen = interop("listen", str(fhir), "--fhir", "-q")
        run = interop("run", "--config", str(BENCH / "config"))
        invocation().config = BENCH / "config"
        os.environ.update(variables)
        with (
            ChildProcess(listen, log) as receiver,
            ChildProcess(run, log, variables) as engine,
        ):
            receiver.wait_for([fhir])
            engine.wait_for([adt])
            yield cls(engine, receiver, adt)

    def run(self, messages: int, connections: int) -> Row:
        """Send, wait for the drain, and return what it took."""
        cpu_before = self.engine.cpu_seconds()
        began = time.perf_counter()
        tally = self.send(messages, connections)
        answered = time.perf_counter() - began
        self.drain()
        seconds = time.perf_counter() - began
        used = self.engine.cpu_seconds()
        spent = {
            pid: used[pid] - cpu_before.get(pid, 0.0)
            for pid in used
            if used[pid] - cpu_before.get(pid, 0.0) > 0
        }
        total = sum(spent.values())
        return {
            "messages": messages,
            "answers_per_second": round(messages / answered, 1),
            "delivered_per_second": round(messages / seconds, 1),
            "cpu_seconds": round(total, 2),
            "messages_per_cpu_second": round(messages / total, 1) if total else None,
            "cpu_us_per_message": _by_process(spent, messages),
            "p50_ms": tally.milliseconds(0.50),
            "p95_ms": tally.milliseconds(0.95),
            "p99_ms": tally.milliseconds(0.99),
            "refused": messages - tally.accepted,
        }

    def send(self, messages: int, connections: int) -> Tally:
        """Send new messages and return the tally of the answers."""
        feed = Feed(list(admissions(self.number, messages, "B")))
        self.number += messages + (-messages % 500)
        tally = asyncio.run(Sender(feed, "127.0.0.1", self.port).run(connections))
        if tally.trouble:
            raise Stop(f"the engine did not answer: {tally.trouble}", Exit.UNREACHABLE)
        self.sent += tally.accepted
        return tally

    def drain(self) -> None:
        """Wait until everything sent was delivered."""
        from engine.cli.site import store
        from engine.store import queues

        end = time.monotonic() + DRAIN_SECONDS
        with store() as database:
            while time.monotonic() < end:
                with database.reading() as connection:
                    states: defaultdict[str, int] = defaultdict(int)
                    for row in queues.counts(connection):
                        states[row.state] += row.count
                if states["delivered"] + states["error"] + states["held"] >= self.sent:
                    return
                if not self.engine.running:
                    raise Stop("the engine ended", Exit.PROBLEMS)
                time.sleep(0.25)
        raise Stop(f"not drained within {DRAIN_SECONDS:.0f} s", Exit.PARTLY)

    def answers(self, pairs: int, connections: int) -> Row:
        """Return answers per second beside python-hl7's server, in turns."""
        if not pairs or find_spec("hl7") is None:
            return {"peer": "python-hl7 is not installed, or --pairs 0"}
        ours: list[float] = []
        theirs: list[float] = []
        for pair in range(pairs):
            sides = [self._ours, self._theirs]
            for side in sides if pair % 2 else reversed(sides):
                into = ours if side == self._ours else theirs
                into.append(side(connections))
            note(f"pair {pair + 1}: {ours[-1]:.0f} and {theirs[-1]:.0f} answers/s")
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        return {
            "ours_per_second": [round(rate) for rate in ours],
            "python_hl7_per_second": [round(rate) for rate in theirs],
            "ratio": round(statistics.median(ratios), 2),
            "ratio_min_max": [round(min(ratios), 2), round(max(ratios), 2)],
        }

    def _ours(self, connections: int) -> float:
        began = time.perf_counter()
        tally = self.send(self.batch, connections)
        rate = tally.accepted / (time.perf_counter() - began)
        self.drain()
        return rate

    def _theirs(self, connections: int) -> float:
        """Return the answers per second of python-hl7's server; it stores nothing."""
        (port,) = free_ports(1)
        command = [sys.executable, str(BENCH / "python_hl7_server.py"), str(port)]
        with ChildProcess(command, self.engine.log) as peer:
            peer.wait_for([port])
            feed = Feed(list(admissions(0, min(self.batch, 1500), "P")))
            began = time.perf_counter()
            tally = asyncio.run(Sender(feed, "127.0.0.1", port).run(connections))
            return tally.accepted / (time.perf_counter() - began)


def _stages() -> Row:
    """Return microseconds of CPU for each message by stage, with the budgets."""
    note("measuring the stages")
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(BENCH / "stages.py"), "1500"],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PYTHONPATH": str(BENCH.parent)},
    )
    found: Row = orjson.loads(done.stdout)
    return found


def _by_process(spent: dict[int, float], messages: int) -> dict[str, float]:
    """Return microseconds for each message by what the process is called."""
    named: defaultdict[str, float] = defaultdict(float)
    for pid, seconds in spent.items():
        named[_role(pid)] += seconds / messages * 1e6
    return {role: round(each, 1) for role, each in sorted(named.items())}


_ROLES = {
    "engine.channels.edge": "edge",
    "engine.channels.worker_process": "worker",
}


def _role(pid: int) -> str:
    """Return edge, worker or supervisor, by the command line of a process."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return "ended"
    return next((_ROLES[word] for word in words if word in _ROLES), "supervisor")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="interop-bench-") as folder:
        yield Path(folder)


def _circumstances(
    before: tuple[float, float],
    after: tuple[float, float],
    messages: int,
    connections: int,
) -> Row:
    """Return everything that decides a figure besides the code."""
    size = statistics.mean(map(len, admissions(0, 100, "B")))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    steady = max(before[0], after[0]) <= 3 * min(before[0], after[0])
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "fsync_ms_before": [round(each, 3) for each in before],
        "fsync_ms_after": [round(each, 3) for each in after],
        "disk": "steady" if steady else "changed: discard the rates",
        "load_average": round(os.getloadavg()[0], 2),
        "message_bytes": round(size),
        "messages": messages,
        "connections": connections,
        "window": "stop-and-wait",
        "generator_cpu_seconds": round(cpu_seconds(os.getpid()), 2),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next(
        (x.partition(": ")[2] for x in lines if x.startswith("model name")), "?"
    )
