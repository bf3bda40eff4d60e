"""New records of one transaction, written together and visible to it at once.

Most of what identity writes are rows of new records. Written message by message they
would cost seven statements each; a batch writes them in seven altogether, and block
keys in their order, which is what a B-tree likes.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, insert

from engine.identity.index import SourceRecord
from engine.store.dialect import bulk, put
from engine.store.patient_tables import (
    decision,
    identifier,
    link_event,
    name_count,
    person,
    record,
)
from engine.store.plain_sql import insert_many

Row = dict[str, object]
_INSERT_RECORDS: Final = insert(record)
_INSERT_EVENTS: Final = insert(link_event)
_INSERT_BLOCKS: Final = "INSERT INTO engine.block (key, record) VALUES (?, ?)"


@dataclass(slots=True)
class PatientBuffer:
    """What is to be written, and what of it has to be found before that."""

    records: dict[int, SourceRecord] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)
    blocks: defaultdict[int, list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )
    names: Counter[int] = field(default_factory=Counter)
    record_rows: list[Row] = field(default_factory=list)
    identifier_rows: list[Row] = field(default_factory=list)
    person_rows: list[Row] = field(default_factory=list)
    event_rows: list[Row] = field(default_factory=list)
    decision_rows: list[Row] = field(default_factory=list)

    def add_blocks(self, number: int, keys: tuple[int, ...]) -> None:
        """Let block keys lead to a new record."""
        for key in keys:
            self.blocks[key].append(number)

    def members(self, person: str) -> list[SourceRecord]:
        """Return the new records of one person."""
        return [each for each in self.records.values() if each.person == person]

    def sharing(self, keys: Sequence[int]) -> Counter[int]:
        """Return how many of the keys each new record shares."""
        shared: Counter[int] = Counter()
        for key in keys:
            for number in self.blocks.get(key, ()):
                shared[number] += 1
        return shared

    def write(self, connection: Connection) -> None:
        """Write everything, and be empty."""
        bulk(connection, _INSERT_RECORDS, self.record_rows)
        bulk(connection, _INSERT_EVENTS, self.event_rows)
        insert_many(connection, _INSERT_BLOCKS, self._block_rows())
        replaced = ("record", "authority", "state", "value")
        put(connection, identifier, self.identifier_rows, replace=replaced)
        put(connection, person, self.person_rows)
        put(connection, name_count, self._count_rows(), add=("records",))
        changing = ("outcome", "reasons", "candidate", "millibits", "levels", "model")
        put(connection, decision, self.decision_rows, replace=changing)
        self.__init__()  # type: ignore[misc]

    def _block_rows(self) -> list[tuple[int, int]]:
        return [
            (key, number)
            for key, numbers in sorted(self.blocks.items())
            for number in numbers
        ]

    def _count_rows(self) -> list[Row]:
        return [
            {"key": key, "records": change}
            for key, change in sorted(self.names.items())
            if change
        ]
