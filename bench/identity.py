"""CPU of the patient index per message as it fills, against the budgets of the flow.

Run: ``python bench/identity.py [FEED.hl7] [--preload 10000,100000] [--measured 4000]``.
Without a feed it makes one of invented patients. For each size it fills a new store and
prints microseconds of CPU per message, amortised over batches with durable commits, and
the slope between the sizes. Goals: known and unchanged 50, new person 200 at 10,000;
at a million at most twice of that (G13).
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from math import log
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.hl7 import parse
from engine.identity import Mode, Reading, Registration, decide, registration_of
from engine.peers.sending import split
from engine.peers.synthetic import Plan, make_feed
from engine.store.database import Database, open_database
from engine.store.patient_changes import apply
from engine.store.patients import PatientCache, SqlPatientIndex, mint, shipped

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
BATCH = 64


@dataclass(frozen=True, slots=True)
class Figures:
    """One size's measurements: microseconds per message, megabytes."""

    records: int
    fill: float
    new: float
    known: float
    p99: float
    megabytes: float


def main() -> None:
    """Fill, measure and print, one size after the other."""
    options = _options()
    sizes = [int(size) for size in options.preload.split(",")]
    messages = _messages(options.feed, max(sizes) + options.measured)
    columns = ("records", "fill", "new", "known", "p99", "MB")
    print("".join(f"{name:>10}" for name in columns), "  us of CPU; p99 of wall time")
    found = [_measured(messages, size, options.measured) for size in sizes]
    if len(found) > 1:
        first, last = found[0], found[-1]
        slope = log(last.new / first.new) / log(last.records / first.records)
        print(f"new: {last.new / first.new:.2f} x, log-log slope {slope:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("feed", nargs="?", type=Path)
    parser.add_argument("--preload", default="10000")
    parser.add_argument("--measured", type=int, default=4000)
    return parser.parse_args()


def _messages(feed: Path | None, count: int) -> list[bytes]:
    if feed is not None:
        return split(feed.read_bytes())[:count]
    made = make_feed(Plan("adt", count, count // 10, 30, 1, 0.0))
    return [each.data for each in made][:count]


def _measured(messages: Sequence[bytes], size: int, count: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}", bytes(32), role="worker")
        feeding = Feeding(database)
        fill, _ = feeding.take(messages[:size])
        new, waits = feeding.take(messages[size : size + count])
        known, _ = feeding.take(messages[size : size + count])
        database.close()
        megabytes = sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6
    p99 = sorted(waits)[int(len(waits) * 0.99)] if waits else 0.0
    found = Figures(size, fill, new, known, p99, megabytes)
    cells = (fill, new, known, p99, megabytes)
    print(f"{size:>10}" + "".join(f"{cell:>10.0f}" for cell in cells))
    return found


class Feeding:
    """One worker's way with messages, without what is not identity's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache = PatientCache()
        self._model = shipped(Mode.SAFE)
        self._taken = 0

    def take(self, messages: Sequence[bytes]) -> tuple[float, list[float]]:
        """Return CPU per message and the wall time of each decision, microseconds."""
        registrations = list(self._read(messages))
        waits: list[float] = []
        started = process_time()
        for batch in _batches(registrations):
            with self._database.engine() as connection:
                index = SqlPatientIndex(connection, self._database.sealer, self._cache)
                for registration in batch:
                    before = perf_counter()
                    apply(index, decide(registration, index, self._model), NOON)
                    waits.append((perf_counter() - before) * 1e6)
                index.flush()
        spent = process_time() - started
        return spent / max(len(registrations), 1) * 1e6, waits

    def _read(self, messages: Sequence[bytes]) -> Iterator[Registration]:
        for data in messages:
            self._taken += 1
            found = registration_of(parse(data), Reading(), mint, self._taken)
            if found.registration is not None:
                yield found.registration


def _batches(found: Sequence[Registration]) -> Iterator[list[Registration]]:
    rest = iter(found)
    while batch := list(islice(rest, BATCH)):
        yield batch


if __name__ == "__main__":
    main()
