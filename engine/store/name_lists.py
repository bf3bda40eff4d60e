"""Which family and given names there are, for questions with ``*``.

A list of all names is small beside the index: some ten thousand for a million people. A
process opens it once and then only what came since.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Final

from sqlalchemy import Connection, Table, bindparam, select

from engine.identity.criteria import WILD, pattern_of
from engine.store.counters import chunks
from engine.store.dialect import put
from engine.store.patient_tables import family_name, given_name
from engine.store.plain_sql import fetcher
from engine.store.seal import Sealer

LISTS: Final[Mapping[str, Table]] = {"family": family_name, "given": given_name}

_OVERLAP: Final = 1_000
"""Numbers are given to transactions in blocks, so a later commit may hold earlier ones:
this many are looked at again."""


@lru_cache(maxsize=65_536)
def digest_of(sealer: Sealer, trait: str, name: str) -> bytes:
    """Return the keyed hash a name is kept under."""
    return sealer.blind(f"{trait}|{name}")


def context_of(trait: str, key: bytes) -> str:
    """Return what a name is sealed with."""
    return f"{trait}|{key.hex()}"


def add(
    connection: Connection, sealer: Sealer, trait: str, names: Mapping[str, int]
) -> None:
    """Add the names nobody had yet, each with the record that has it.

    Each costs a sealing; most are there.
    """
    keys = {digest_of(sealer, trait, name): name for name in names}
    table = LISTS[trait]
    fetch = fetcher(connection)
    for some in chunks(keys):
        marks = ", ".join("?" * len(some))
        there = f"SELECT key FROM engine.{table.name} WHERE key IN ({marks})"  # noqa: S608 - a table's name and marks
        for (key,) in fetch(there, some):
            del keys[bytes(key)]
    rows: list[dict[str, object]] = [
        {
            "key": key,
            "record": names[name],
            "name": sealer.seal(name.encode(), context_of(trait, key)),
        }
        for key, name in keys.items()
    ]
    put(connection, table, rows)


@dataclass(slots=True)
class NameList:
    """The names of one kind, as far as this process has read them."""

    trait: str
    _names: list[str] = field(default_factory=list)
    _known: set[bytes] = field(default_factory=set)
    _last: int = 0
    _lock: Lock = field(default_factory=Lock)

    def like(
        self, connection: Connection, sealer: Sealer, wanted: str
    ) -> Sequence[str]:
        """Return the names that fit a text with ``*``, in their order."""
        with self._lock:
            self._refresh(connection, sealer)
            names = self._names
        stem = wanted.split(WILD, maxsplit=1)[0]
        first, last = bisect_left(names, stem), bisect_left(names, stem + "\x7f")
        if wanted.rstrip(WILD) == stem:
            return names[first:last]
        fits = pattern_of(wanted).fullmatch
        return [name for name in names[first:last] if fits(name)]

    def _refresh(self, connection: Connection, sealer: Sealer) -> None:
        table = LISTS[self.trait]
        wanted = select(table).where(table.c.record > bindparam("after"))
        after = {"after": max(self._last - _OVERLAP, 0)}
        new = []
        for row in connection.execute(wanted.order_by(table.c.record), after):
            self._last, key = max(self._last, row.record), bytes(row.key)
            if key not in self._known:
                name = sealer.open(bytes(row.name), context_of(self.trait, key))
                self._known.add(key)
                new.append(name.decode())
        if new:
            self._names = sorted([*self._names, *new])


@dataclass(frozen=True, slots=True)
class Names:
    """Both lists."""

    family: NameList = field(default_factory=lambda: NameList("family"))
    given: NameList = field(default_factory=lambda: NameList("given"))
