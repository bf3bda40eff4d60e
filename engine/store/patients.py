"""The patient index as the store keeps it: everything `PatientIndex` asks.

One `SqlPatientIndex` lives as long as a transaction and holds back new records until
`flush`; what may outlive it (assigning authorities, which are never changed) stands in
a `PatientCache` of the process.
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Self

from nicknames import NickNamer
from sqlalchemy import Connection, select, text

from engine.identity.blocking import CANDIDATES, ROWS_PER_KEY
from engine.identity.enterprise_identifier import BITS, identifier_of
from engine.identity.index import Identifier, SourceRecord
from engine.identity.registration import Registration
from engine.identity.traits import Traits, unpacked
from engine.identity.weights import Frequencies, Mode, Model, shipped_model
from engine.store import family_names, rulings
from engine.store.counters import chunks, reserve
from engine.store.patient_buffer import PatientBuffer
from engine.store.patient_tables import NumberState, authority
from engine.store.plain_sql import fetcher
from engine.store.read_ahead import ReadAhead
from engine.store.seal import Sealer

_NUMBERS_AT_ONCE: Final = 32
_IDENTITY_LOCK: Final = 7309476
ALL_RECORDS: Final = 0


def mint() -> str:
    """Return an enterprise identifier that was never used."""
    return identifier_of(secrets.randbits(BITS))


@lru_cache(maxsize=4)
def shipped(mode: Mode = Mode.SAFE) -> Model:
    """Return the model that comes with the engine, with its nicknames and counts."""
    folder = files("engine.identity") / "shipped"
    names, weights = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("names.csv", "weights.csv")
    )
    return shipped_model(names, weights, NickNamer().nickname_lookup, mode)


class PatientCache:
    """Facts of the index that never change once they are committed."""

    def __init__(self) -> None:
        self.authorities: dict[str, int] = {}
        self.keys: dict[int, str] = {}

    def learn(self, number: int, key: str) -> None:
        """Remember an authority that a committed row names."""
        self.authorities[key], self.keys[number] = number, key


COLUMNS: Final = "r.id, r.person, r.authority, r.happened, r.traits, r.confidential"
MEMBERS: Final = (
    f"SELECT {COLUMNS} FROM engine.record AS r WHERE r.person = ? ORDER BY r.id"  # noqa: S608 - only columns are written in
)
_RECORD: Final = f"SELECT {COLUMNS} FROM engine.record AS r WHERE r.id = ?"  # noqa: S608
_NEXT: Final = (
    f"SELECT {COLUMNS} FROM engine.record AS r WHERE r.id > ? "  # noqa: S608
    "ORDER BY r.id LIMIT 1000"
)
_COUNTS: Final = "SELECT key, records FROM engine.name_count WHERE key IN (?, ?, ?)"
_SHARING: Final = (
    "SELECT count(DISTINCT r.person) FROM engine.block AS b "
    "JOIN engine.record AS r ON r.id = b.record WHERE b.key = ?"
)
_AUTHORITY: Final = select(authority.c.id, authority.c.key)


@lru_cache(maxsize=64)
def _members_of(persons: int) -> str:
    """Fetch the records of so many persons."""
    marks = ", ".join("?" * persons)
    return (
        f"SELECT {COLUMNS} FROM engine.record AS r "  # noqa: S608 - only marks are written in
        f"WHERE r.person IN ({marks}) ORDER BY r.person, r.id"
    )


@lru_cache(maxsize=CANDIDATES)
def _records(numbers: int) -> str:
    """Fetch so many records by their numbers."""
    marks = ", ".join("?" * numbers)
    return f"SELECT {COLUMNS} FROM engine.record AS r WHERE r.id IN ({marks})"  # noqa: S608 - only marks are written in


@lru_cache(maxsize=64)
def _known(numbers: int) -> str:
    """Fetch the records that so many identifiers lead to."""
    marks = ", ".join("?" * numbers)
    return (
        f"SELECT {COLUMNS}, i.key, i.state FROM engine.identifier AS i "  # noqa: S608 - only marks are written in
        f"JOIN engine.record AS r ON r.id = i.record WHERE i.key IN ({marks})"
    )


@lru_cache(maxsize=64)
def _candidates(keys: int) -> str:
    """Fetch the records sharing most of so many block keys, and how many."""
    blocks = " UNION ALL ".join(
        f"SELECT record FROM (SELECT record FROM engine.block WHERE key = ? "  # noqa: S608 - only places are written in
        f"ORDER BY record LIMIT {ROWS_PER_KEY}) AS b{place}"
        for place in range(keys)
    )
    return (
        f"SELECT {COLUMNS}, best.shared "  # noqa: S608
        f"FROM (SELECT record, count(*) AS shared FROM ({blocks}) AS found "
        "GROUP BY record ORDER BY count(*) DESC, record "
        f"LIMIT {CANDIDATES}) AS best "
        "JOIN engine.record AS r ON r.id = best.record "
        "ORDER BY best.shared DESC, best.record"
    )


class SqlPatientIndex:
    """`engine.identity.index.PatientIndex` on one connection.

    Use it as a context manager, or call `flush` before the transaction commits. With
    ``reads_only`` questions register nobody and so wait for nobody.

    On PostgreSQL the first question that may lead to a new person takes a lock that is
    held until commit: two first messages of one person meet, and give one person. The
    price is that new people are registered by one transaction at a time.
    """

    def __init__(
        self,
        connection: Connection,
        sealer: Sealer,
        cache: PatientCache | None = None,
        *,
        reads_only: bool = False,
    ) -> None:
        self.connection = connection
        self.sealer = sealer
        self._cache = cache or PatientCache()
        self._own: dict[str, int] = {}
        self._numbers: Iterable[int] = iter(())
        self._promised: dict[bytes, int] = {}
        self._keys: dict[Identifier, bytes] = {}
        self._serial = reads_only or connection.dialect.name == "sqlite"
        self._secret = sealer.blind("block keys")
        self.buffer = PatientBuffer()
        self.ahead = ReadAhead()
        self.fetch = fetcher(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.ahead = ReadAhead()  # it is asked no more
            self.flush()

    def flush(self) -> None:
        """Write the new records held back so far."""
        if new := self.buffer.records:
            named = [(number, each.traits) for number, each in new.items()]
            family_names.keep(self.connection, self.sealer, named)
        self.ahead.written(self.buffer.blocks, self.buffer.numbers)
        self.buffer.write(self.connection)

    def read_ahead(self, registrations: Iterable[Registration]) -> None:
        """Look up together what new records will be asked for one by one.

        Only those count whose keys are made. Nothing is decided differently for it.
        """
        self._serialise()
        new = [each for each in registrations if each.keys]
        keys = {key for each in new for key in each.keys}
        numbers = {self.key_of(n) for each in new for n in each.identifiers}
        self.ahead.read(self.fetch, keys, numbers)
        self._numbers = iter(reserve(self.connection, "link_event", len(new) or 1))

    @property
    def secret(self) -> bytes:
        """Key of the hashes of block keys."""
        return self._secret

    def known(
        self, identifiers: Sequence[Identifier]
    ) -> dict[Identifier, SourceRecord]:
        """Return the record of each identifier that has one."""
        found = self._known(identifiers)
        if len(found) < len(identifiers) and not self._serial:
            self._serialise()
            found = self._known(identifiers)
        return found

    def _known(
        self, identifiers: Sequence[Identifier]
    ) -> dict[Identifier, SourceRecord]:
        keys = {self.key_of(each): each for each in identifiers}
        new = self.buffer.numbers
        found = {
            each: self.buffer.records[new[key]]
            for key, each in keys.items()
            if key in new
        }
        absent = self.ahead.absent
        asked = [key for key in keys if key not in new and key not in absent]
        if asked:
            for row in self.fetch(_known(len(asked)), asked):
                old = row[-1] == NumberState.OLD
                found[keys[bytes(row[-2])]] = self.read(row, retired=old)
        return found

    def candidates(self, keys: Sequence[int]) -> list[SourceRecord]:
        """Return the records that share most keys."""
        if not keys:
            return []
        self._serialise()
        rows = self._sharing(keys)
        new = self.buffer.sharing(keys)
        if not new:
            return [self.read(row) for row in rows]
        shared = [(row[-1], self.read(row)) for row in rows]
        shared += [(count, self.buffer.records[each]) for each, count in new.items()]
        shared.sort(key=lambda each: (-each[0], each[1].number))
        return [each for _, each in shared[:CANDIDATES]]

    def _sharing(self, keys: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return the rows of written records that share most keys, and how many."""
        best = self.ahead.best(keys)
        if best is None:
            return self.fetch(_candidates(len(keys)), keys)
        if not best:
            return []
        rows = self.fetch(_records(len(best)), [*best])
        found = [(*row, best[row[0]]) for row in rows]
        return sorted(found, key=lambda row: (-row[-1], row[0]))

    def members(self, person: str) -> list[SourceRecord]:
        """Return the records of one active person."""
        rows = self.fetch(MEMBERS, (person,))
        return [*map(self.read, rows), *self.buffer.members(person)]

    def members_of(self, persons: Collection[str]) -> dict[str, list[SourceRecord]]:
        """Return the records of some active persons; who has none is left out."""
        self.flush()
        found: defaultdict[str, list[SourceRecord]] = defaultdict(list)
        for some in chunks(persons):
            for row in self.fetch(_members_of(len(some)), some):
                found[row[1]].append(self.read(row))
        return found

    def record(self, number: int) -> SourceRecord | None:
        """Return one record."""
        self.flush()
        return next(map(self.read, self.fetch(_RECORD, (number,))), None)

    def everyone(self, after: int = 0) -> Iterator[SourceRecord]:
        """Return all records above a number, in the order of their numbers."""
        self.flush()
        while rows := self.fetch(_NEXT, (after,)):
            yield from map(self.read, rows)
            after = rows[-1][0]

    def frequencies(self, given: str, family: str) -> Frequencies:
        """Return how often the index has these names, and how many records it has."""
        names = (self.name_key("given", given), self.name_key("family", family))
        keys = [*names, ALL_RECORDS]
        counts: dict[int, int] = dict(self.fetch(_COUNTS, keys))
        new = self.buffer.names
        return Frequencies(*(counts.get(key, 0) + new[key] for key in keys))

    def placeholders(self, keys: Sequence[int]) -> frozenset[int]:
        """Return those block keys of which the value was learned to mean nobody."""
        marks = ", ".join("?" * len(keys))
        wanted = f"SELECT key FROM engine.placeholder WHERE key IN ({marks})"  # noqa: S608 - only marks are written in
        return frozenset(row[0] for row in self.fetch(wanted, keys))

    def persons(self, key: int) -> int:
        """Return how many persons have a block key."""
        self.flush()
        count: int = self.fetch(_SHARING, (key,))[0][0]
        return count

    def told_apart(self, record: int, traits: Traits) -> frozenset[int]:
        """Return the records a person decided to be different, and still holds so."""
        pairs = rulings.told_apart(self.connection, record)
        if not pairs:
            return frozenset()
        self.flush()
        return rulings.still_apart(
            self.connection, pairs, record, self.identifying(traits)
        )

    def doubted(self, record: int) -> frozenset[int]:
        """Return the records an open doubt about likeness names together with one."""
        return rulings.doubted(self.connection, record)

    def ruling(self, message: int) -> str:
        """Return what a person said about the doubt of this message, or ``""``."""
        return rulings.ruling(self.connection, message)

    # -- what the writing side needs, too ----------------------------------------------

    def read(self, row: Sequence[Any], *, retired: bool = False) -> SourceRecord:
        """Return the record in a row that begins with the record's columns."""
        number, person, authority, happened, sealed, confidential = row[:6]
        traits = unpacked(self.sealer.open(bytes(sealed), f"record|{number}").decode())
        issuer = self.authority_key(authority)
        return SourceRecord(
            number, person, issuer, traits, happened, retired, bool(confidential)
        )

    def key_of(self, number: Identifier) -> bytes:
        """Return the keyed hash an identifier is found by."""
        key = self._keys.get(number)
        if key is None:
            key = self.sealer.blind("identifier|" + "|".join(number))
            self._keys[number] = key
        return key

    def name_key(self, trait: str, name: str) -> int:
        """Return the keyed hash a name is counted under; never that of all records."""
        return family_names.name_key(self.sealer, trait, name)

    def identifying(self, traits: Traits) -> bytes:
        """Return the keyed hash of the identifying traits."""
        return self.sealer.blind("identifying|" + traits.identifying)

    def next_number(self) -> int:
        """Return a number for a record or a link event, never used before."""
        number = next(iter(self._numbers), None)
        if number is None:
            block = reserve(self.connection, "link_event", _NUMBERS_AT_ONCE)
            self._numbers = iter(block)
            number = next(iter(self._numbers))
        return number

    def number_for(self, identifiers: Sequence[Identifier]) -> int:
        """Return the number that a new record with these identifiers will get."""
        keys = [self.key_of(each) for each in identifiers]
        known = (self._promised[key] for key in keys if key in self._promised)
        number = next(known, 0) or self.next_number()
        self._promised |= dict.fromkeys(keys, number)
        return number

    def take_number(self, identifiers: Sequence[Identifier]) -> int:
        """Return the number of a new record that is written now."""
        number = self.number_for(identifiers)
        given = self._promised.items()
        self._promised = {key: other for key, other in given if other != number}
        return number

    def authority_key(self, number: int) -> str:
        """Return the key of an authority row."""
        if number not in self._cache.keys:
            self._load_authorities()
        return self._cache.keys.get(number) or self._fresh()[number]

    def authority_number(self, key: str) -> int | None:
        """Return the row of an authority, None while it has none."""
        if key not in self._cache.authorities and key not in self._own:
            self._load_authorities()
        return self._cache.authorities.get(key) or self._own.get(key)

    def authority_added(self, key: str, number: int) -> None:
        """Remember an authority of this transaction, and no longer."""
        self._own[key] = number

    def _fresh(self) -> Mapping[int, str]:
        return {number: key for key, number in self._own.items()}

    def _load_authorities(self) -> None:
        for row in self.connection.execute(_AUTHORITY):
            if row.key not in self._own:
                self._cache.learn(row.id, row.key)

    def _serialise(self) -> None:
        """Wait for the right to register, on databases with several writers."""
        if not self._serial:
            self.connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _IDENTITY_LOCK}
            )
            self._serial = True
