"""Family names: who has one."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, bindparam, delete

from engine.identity.traits import Traits
from engine.store import name_lists
from engine.store.dialect import put
from engine.store.patient_tables import family_record
from engine.store.plain_sql import fetcher
from engine.store.seal import Sealer

_GONE: Final = delete(family_record).where(
    family_record.c.key == bindparam("old"), family_record.c.record == bindparam("who")
)
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


def keep(
    connection: Connection, sealer: Sealer, named: Iterable[tuple[int, Traits]]
) -> None:
    """Let records be found by their names; ``named`` are (record, traits)."""
    rows: list[dict[str, object]] = []
    families: dict[str, int] = {}
    givens: dict[str, int] = {}
    for number, traits in named:
        if traits.isolated:
            continue
        if traits.family:
            rows.append({"key": key_of(sealer, traits.family), "record": number})
            families.setdefault(traits.family, number)
        if traits.given:
            givens.setdefault(traits.given, number)
    put(connection, family_record, rows)
    name_lists.add(connection, sealer, "family", families)
    name_lists.add(connection, sealer, "given", givens)


def change(
    connection: Connection, sealer: Sealer, number: int, before: Traits, after: Traits
) -> None:
    """Let a record be found by its new names, and no more by its old family name."""
    old, new = ((each.family, each.given, each.isolated) for each in (before, after))
    if old == new:
        return
    if before.family and (old[0], old[2]) != (new[0], new[2]):
        gone = {"old": key_of(sealer, before.family), "who": number}
        connection.execute(_GONE, gone)
    keep(connection, sealer, [(number, after)])


def holders(connection: Connection, key: int, page: int) -> Iterator[list[int]]:
    """Yield the records with a family name, in their order, ``page`` at a time."""
    fetch, after = fetcher(connection), 0
    while found := [row[0] for row in fetch(_HOLDERS, (key, after, page))]:
        yield found
        if len(found) < page:
            return
        after = found[-1]
