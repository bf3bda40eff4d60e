"""Family names: who has one, and which there are, for questions with wildcards.

A dictionary of all names is small beside the index: some ten thousand for a million
people. A process opens it once and then only what came since.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from engine.identity.criteria import WILD, pattern_of
from engine.identity.traits import Traits
from engine.store.counters import chunks
from engine.store.dialect import put
from engine.store.patient_tables import family_name, family_record
from engine.store.plain_sql import fetcher
from engine.store.seal import Sealer

_OVERLAP: Final = 1_000
"""Numbers are given to transactions in blocks, so a later commit may hold earlier ones:
this many are looked at again."""

_NEW: Final = (
    select(family_name)
    .where(family_name.c.record > bindparam("after"))
    .order_by(family_name.c.record)
)
_GONE: Final = delete(family_record).where(
    family_record.c.key == bindparam("old"), family_record.c.record == bindparam("who")
)
_THERE: Final = "SELECT key FROM engine.family_name WHERE key IN"
_HOLDERS: Final = (
    "SELECT record FROM engine.family_record "
    "WHERE key = ? AND record > ? ORDER BY record LIMIT ?"
)


@lru_cache(maxsize=65_536)
def name_key(sealer: Sealer, trait: str, name: str) -> int:
    """Return the keyed hash a name is counted under; never that of all records."""
    return sealer.blind_number(f"{trait}|{name}") | 1


def key_of(sealer: Sealer, family: str) -> int:
    """Return the keyed hash a family name is found under."""
    return name_key(sealer, "family", family)


@lru_cache(maxsize=65_536)
def _digest(sealer: Sealer, family: str) -> bytes:
    """Return the keyed hash a family name is kept under."""
    return sealer.blind(f"family|{family}")


def keep(
    connection: Connection, sealer: Sealer, named: Iterable[tuple[int, Traits]]
) -> None:
    """Let records be found by their family names; ``named`` are (record, traits)."""
    rows: list[dict[str, object]] = []
    names: dict[str, int] = {}
    for number, traits in named:
        if traits.family and not traits.isolated:
            rows.append({"key": key_of(sealer, traits.family), "record": number})
            names.setdefault(traits.family, number)
    put(connection, family_record, rows)
    _add_names(connection, sealer, names)


def _add_names(
    connection: Connection, sealer: Sealer, names: Mapping[str, int]
) -> None:
    """Add the names that nobody had yet; each costs a sealing, most are there."""
    keys = {_digest(sealer, name): name for name in names}
    fetch = fetcher(connection)
    for some in chunks(keys):
        marks = ", ".join("?" * len(some))
        there = fetch(f"{_THERE} ({marks})", some)
        for (key,) in there:
            del keys[bytes(key)]
    rows: list[dict[str, object]] = [
        {
            "key": key,
            "record": names[name],
            "name": sealer.seal(name.encode(), f"family|{key.hex()}"),
        }
        for key, name in keys.items()
    ]
    put(connection, family_name, rows)


def change(
    connection: Connection, sealer: Sealer, number: int, before: Traits, after: Traits
) -> None:
    """Let a record be found by its new family name, and no more by its old one."""
    if (before.family, before.isolated) == (after.family, after.isolated):
        return
    if before.family:
        old = {"old": key_of(sealer, before.family), "who": number}
        connection.execute(_GONE, old)
    keep(connection, sealer, [(number, after)])


def holders(connection: Connection, key: int, page: int) -> Iterator[list[int]]:
    """Yield the records with a family name, in their order, ``page`` at a time."""
    fetch, after = fetcher(connection), 0
    while found := [row[0] for row in fetch(_HOLDERS, (key, after, page))]:
        yield found
        if len(found) < page:
            return
        after = found[-1]


@dataclass(slots=True)
class FamilyNames:
    """The names there are, as far as this process has read them."""

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
        after = {"after": max(self._last - _OVERLAP, 0)}
        new = []
        for row in connection.execute(_NEW, after):
            self._last, key = max(self._last, row.record), bytes(row.key)
            if key not in self._known:
                name = sealer.open(bytes(row.name), f"family|{key.hex()}")
                self._known.add(key)
                new.append(name.decode())
        if new:
            self._names = sorted([*self._names, *new])
