"""What one pass over the index found for many registrations at once.

Asked one by one, registrations touch the index at as many places as they have keys, in
no order. Asked together, keys are read in the order they lie in, and those that several
registrations share once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.identity.blocking import CANDIDATES, ROWS_PER_KEY
from engine.store.counters import chunks
from engine.store.plain_sql import Fetch


@dataclass(slots=True)
class ReadAhead:
    """Block rows of some keys, and identifiers that nobody has.

    It answers for the transaction that read it, as long as that is told to it what the
    transaction writes; for what it did not read it has no answer.
    """

    blocks: dict[int, Sequence[int]] = field(default_factory=dict)
    absent: set[bytes] = field(default_factory=set)

    def read(
        self, fetch: Fetch, keys: Iterable[int], identifiers: Iterable[bytes]
    ) -> None:
        """Read what is kept under block keys, and which identifiers are free."""
        for some in chunks(keys):
            found: defaultdict[int, list[int]] = defaultdict(list)
            for key, record in fetch(_asked("key, record", "block", len(some)), some):
                found[key].append(record)
            for key in some:
                self.blocks[key] = _first(found[key]) if key in found else ()
        for numbers in chunks(identifiers):
            taken = fetch(_asked("key", "identifier", len(numbers)), numbers)
            self.absent.update(set(numbers) - {bytes(row[0]) for row in taken})

    def best(self, keys: Sequence[int]) -> dict[int, int] | None:
        """Return how many keys the best candidates share; None if not all were read."""
        shared: dict[int, int] = {}
        for key in keys:
            records = self.blocks.get(key)
            if records is None:
                return None
            for record in records:
                shared[record] = shared.get(record, 0) + 1
        if len(shared) <= CANDIDATES:
            return shared
        best = sorted(shared.items(), key=lambda each: (-each[1], each[0]))
        return dict(best[:CANDIDATES])

    def written(
        self, blocks: Mapping[int, Sequence[int]], identifiers: Iterable[bytes]
    ) -> None:
        """Take note of new block rows and identifiers."""
        for key in blocks.keys() & self.blocks.keys():
            self.blocks[key] = _first({*self.blocks[key], *blocks[key]})
        self.absent.difference_update(identifiers)

    def forget(self, keys: Iterable[int]) -> None:
        """Have no answer any more for keys whose rows changed."""
        for key in keys:
            self.blocks.pop(key, None)


def _first(records: Collection[int]) -> Sequence[int]:
    return sorted(records)[:ROWS_PER_KEY]


def _asked(columns: str, table: str, keys: int) -> str:
    marks = ", ".join("?" * keys)
    return f"SELECT {columns} FROM engine.{table} WHERE key IN ({marks})"  # noqa: S608 - only marks are written in
