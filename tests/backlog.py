"""A destination that is down while deliveries queue up: memory, order, restart, drain.

    python -m tests.backlog [QUEUED [DRAINED]]

The real edge, a real store and a receiver on a real socket. The normal suite runs it
with a few thousand; with 1000000 it is E89 and F10 of protocol.md and faults.md. Rates
are deliveries per CPU second of the edge: a busy machine does not change them much.
"""

import json
import statistics
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.store.database import open_database
from engine.store.deliveries import NewDelivery, enqueue
from tests.edge_ledger import EdgeProcess, adt, free_port
from tests.edge_process import KEY
from tests.receiver import Receiver

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LANES, PIECE, READY_SECONDS, PAIRS = 500, 5_000, 10, 5


@dataclass(frozen=True)
class Figures:
    """What one run showed; sizes in MB, times in seconds."""

    queued: int
    drained: int
    growth_mb: float
    ready_seconds: float
    ready_cpu_seconds: float
    others_ratios: list[float]
    normal_per_cpu_second: float
    drain_per_cpu_second: float
    out_of_order: int

    @property
    def drain_ratio(self):
        return self.drain_per_cpu_second / self.normal_per_cpu_second

    @property
    def others_ratio(self):
        """How fast other destinations are beside the dead one; the median of pairs."""
        return statistics.median(self.others_ratios)


def run(folder, queued, drained, others=400):
    """Queue behind a dead receiver, restart, let it come back; return the figures."""
    normal = rate(folder / "normal", drained)
    port = free_port()
    with (
        running(folder / "well", files_in(folder / "well")) as well,
        running(folder, ("--mllp", f"127.0.0.1:{port}", *files_in(folder))) as edge,
    ):
        before = memory_mb(edge)
        fill(folder, queued)
        time.sleep(3)  # it looks, tries and waits
        ratios = [serve_others(edge, well, turn, others) for turn in range(PAIRS + 1)]
        growth = memory_mb(edge) - before
        edge.kill()
        began = time.monotonic()
        edge.start()
        ready, ready_cpu = time.monotonic() - began, cpu_seconds(edge)
        with closing(Receiver(port=port)) as receiver:
            drain = deliveries_per_cpu_second(edge, receiver, drained)
            got = receiver.got[:drained]
            growth = max(growth, memory_mb(edge) - before)
    return Figures(
        queued, drained, round(growth, 1), round(ready, 2), round(ready_cpu, 2),
        ratios[1:],  # the first of them warms both up
        normal, drain, out_of_order(got),
    )  # fmt: skip


def files_in(folder):
    (folder / "data" / "in").mkdir(parents=True)
    return "--files", str(folder / "data")


@contextmanager
def running(folder, options):
    folder.mkdir(exist_ok=True)
    edge = EdgeProcess(folder, options=options).start()
    try:
        yield edge
    finally:
        edge.stop()


def rate(folder, count):
    """Return deliveries per CPU second when nothing else waits."""
    with (
        closing(Receiver()) as receiver,
        running(folder, ("--mllp", receiver.place)) as edge,
    ):
        fill(folder, count)
        return deliveries_per_cpu_second(edge, receiver, count)


def deliveries_per_cpu_second(edge, receiver, count):
    """Return it for the deliveries after the first fifth, which warm everything up."""
    until(lambda: len(receiver.got) >= count // 5)
    first, used = len(receiver.got), cpu_seconds(edge)
    until(lambda: len(receiver.got) >= count)
    return (len(receiver.got) - first) / (cpu_seconds(edge) - used)


def fill(folder, count):
    """Queue messages for ``his``, spread over many lanes."""
    with closing(open_database(f"sqlite:///{folder}/store", KEY, role="worker")) as db:
        for start in range(0, count, PIECE):
            put(
                db,
                [
                    ("his", number, "")
                    for number in range(start, min(start + PIECE, count))
                ],
            )


def put(database, wanted):
    rows = [
        (number + 1, 1, 1, NewDelivery("adt", place, f"lane{number % LANES}",
                                       adt(number)[1], "text/plain", name=name))
        for place, number, name in wanted
    ]  # fmt: skip
    with database.engine() as connection:
        enqueue(connection, database.sealer, rows, LONG_AGO)


def serve_others(edge, well, turn, count):
    """Return how much of the rate without a backlog a destination has beside one."""
    both = [edge, well] if turn % 2 else [well, edge]
    spent = {each.port: cpu_of_files(each, turn, count) for each in both}
    return round(spent[well.port] / spent[edge.port], 3)


def cpu_of_files(edge, turn, count):
    """Return the processor time for so many files, as a destination that is well."""
    out, url = edge.folder / "data" / "out" / str(turn), f"{edge.folder}/store"
    used = cpu_seconds(edge)
    with closing(open_database(f"sqlite:///{url}", KEY, role="worker")) as database:
        put(
            database,
            [("archive", number, f"{out}/{number}.hl7") for number in range(count)],
        )
    until(lambda: out.is_dir() and len(list(out.glob("*.hl7"))) == count)
    return cpu_seconds(edge) - used


def out_of_order(got):
    """Return how many messages of a lane came after a later one of it."""
    last: dict[int, int] = {}
    late = 0
    for name in got:
        number = int(name[1:])
        late += number < last.get(number % LANES, -1)
        last[number % LANES] = number
    return late


def until(condition, limit=600.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def memory_mb(edge):
    status = Path(f"/proc/{edge.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_seconds(edge):
    """Return the time on a processor of all threads, finer than a clock tick."""
    tasks = Path(f"/proc/{edge.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def main():
    queued, drained = [*map(int, sys.argv[1:]), 1_000_000, 20_000][:2]
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), queued, min(queued, drained))
    more = {
        "drain_ratio": figures.drain_ratio,
        "others_ratio": figures.others_ratio,
        "ready_in_time": figures.ready_seconds <= READY_SECONDS,
    }
    json.dump(asdict(figures) | more, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
