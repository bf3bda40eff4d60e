"""CPU of the patient index per registration, in a small index and in a large one.

Run: ``python bench/identity.py [--persons 10000,1000000] [--store FOLDER]``
``[--measured 6000] [--questions 0]``. Each size has a store of its own, filled with
invented persons and kept in ``--store`` for the next run, and a fresh process, which
registers persons nobody has seen, 64 to a durable commit, and then the same again. It
prints registrations per CPU second, microseconds of CPU, memory, and the ratio of the
last size to the first. With ``--questions`` it asks like ``bench/queries.py``, too.
Goals: 2,000 new persons per CPU second at a million, at most twice the CPU of 10,000,
300 MB beyond mapped files (G13).
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from math import log
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).parents[1]))


from bench import queries
from engine.channels.collector import Collector
from engine.identity import Identifier, Registration, decide
from engine.store.database import Database, open_database
from engine.store.patient_changes import apply
from engine.store.patients import PatientCache, SqlPatientIndex, mint, shipped

BATCH = 64
COLUMNS = ("persons", "new/CPU s", "new us", "known us", "p99 us", "RSS MB", "B each")


@dataclass(frozen=True, slots=True)
class Figures:
    """One size's measurements, in the order of `COLUMNS`.

    CPU is per registration, with its share of the commits; p99 is the wall time of one
    decision and what it writes before the commit.
    """

    persons: int
    per_second: float
    new: float
    known: float
    p99: float
    rss: float
    disk: float


def main() -> None:
    """Fill and measure, one size after the other."""
    options = _options()
    sizes = [int(size) for size in options.persons.split(",")]
    print("".join(f"{name:>11}" for name in COLUMNS))
    with tempfile.TemporaryDirectory() as scratch:
        place = options.store or Path(scratch)
        found = [
            _alone(place / str(size), size, options.measured, options.questions)
            for size in sizes
        ]
    if len(found) > 1:
        first, last = found[0], found[-1]
        slope = log(last.new / first.new) / log(last.persons / first.persons)
        print(f"new: {last.new / first.new:.2f} x, log-log slope {slope:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", default="10000")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--measured", type=int, default=6000)
    parser.add_argument("--questions", type=int, default=0)
    return parser.parse_args()


def _alone(folder: Path, size: int, count: int, questions: int) -> Figures:
    """Measure one size, each part in a process that did nothing before."""
    folder.mkdir(parents=True, exist_ok=True)
    _fresh(_fill, folder, size)
    found = _fresh(_measured, folder, size, count)
    assert isinstance(found, Figures)
    cells = (found.persons, found.per_second, found.new, found.known, found.p99)
    cells += (found.rss, found.disk)
    print("".join(f"{cell:>11.0f}" for cell in cells), flush=True)
    if questions:
        _fresh(_asked, folder, size, questions)
    return found


def _fresh(work: object, *given: object) -> object:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *given).result()  # type: ignore[arg-type, call-arg]


def _opened(folder: Path) -> Database:
    return open_database(f"sqlite:///{folder}", bytes(32), role="console")


def _fill(folder: Path, size: int) -> None:
    with closing(_opened(folder)) as database:
        queries.fill(database, size)


def _asked(folder: Path, size: int, questions: int) -> None:
    with closing(_opened(folder)) as database:
        queries.ask_all(database, size, questions)


def _measured(folder: Path, size: int, count: int) -> Figures:
    """Register a quarter more than is measured first: caches are warm in a worker."""
    with closing(_opened(folder)) as database:
        disk = (folder / "engine.db").stat().st_size / size
        there = _records(database)
        warm = count // 4
        people = list(_strangers(there, warm + count))
        feeding = Feeding(database)
        feeding.take(people[:warm])
        new, waits = feeding.take(people[warm:])
        known, _ = feeding.take(people[warm:])
    p99 = sorted(waits)[int(len(waits) * 0.99)]
    return Figures(size, 1e6 / new, new, known, p99, _resident(), disk)


def _records(database: Database) -> int:
    with database.reading() as connection:
        return SqlPatientIndex(connection, database.sealer).frequencies("", "").records


def _strangers(there: int, count: int) -> Iterator[Registration]:
    """Yield registrations of persons beyond those that any fill makes."""
    for number in range(100_000_000 + there, 100_000_000 + there + count):
        identifier = Identifier("HOSP", "MR", str(number))
        yield Registration(
            (identifier,),
            queries.person(number),
            mint(),
            event="ADT^A04",
            happened="20300101120000",
            message=number,
        )


def _resident() -> float:
    """Return megabytes of memory in use, mapped files left out."""
    with Path("/proc/self/status").open(encoding="ascii") as lines:
        found = dict(line.split(":", 1) for line in lines)
    return int(found["RssAnon"].split()[0]) / 1024


class Feeding:
    """One worker's way with messages, without what is not identity's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache = PatientCache()
        self._model = shipped()
        self._taken = 0

    def take(self, found: Sequence[Registration]) -> tuple[float, list[float]]:
        """Return CPU per message and the wall time of each decision, microseconds."""
        waits: list[float] = []
        with closing(Collector()) as collector:
            started = process_time()
            for batch in _batches(found):
                with self._database.engine() as connection:
                    index = SqlPatientIndex(
                        connection, self._database.sealer, self._cache
                    )
                    for registration in batch:
                        before = perf_counter()
                        decision = decide(registration, index, self._model)
                        apply(index, decision, self._now(), self._model)
                        waits.append((perf_counter() - before) * 1e6)
                    index.flush()
                collector.after_batch()
            spent = process_time() - started
        return spent / max(len(found), 1) * 1e6, waits

    def _now(self) -> datetime:
        """Return the time of the next message: each has its own, as from a clock."""
        self._taken += 1
        return queries.NOON + timedelta(milliseconds=self._taken)


def _batches(found: Sequence[Registration]) -> Iterator[list[Registration]]:
    rest = iter(found)
    while batch := list(islice(rest, BATCH)):
        yield batch


if __name__ == "__main__":
    main()
