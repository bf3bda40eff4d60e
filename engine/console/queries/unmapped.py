"""Codes without a row, with what a person needs to give them one.

Spec:
    console.md 4 (unmapped-code bench).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rapidfuzz import fuzz, process, utils

from engine.channels.table_files import TableFile
from engine.errors import ParseError
from engine.hl7 import Message, dictionary, parse
from engine.store import journal, table_misses
from engine.store.database import Connection
from engine.store.seal import Sealer
from engine.store.table_misses import Miss
from engine.transforms.table_sheet import DISPLAY

CANDIDATES: Final = 5
LEAST: Final = 60.0
"""Of 100: below this a display text is nothing like another."""

_CODED: Final = frozenset({"CE", "CWE", "CNE", "CF"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A meaning the table has already, whose display is like the code's own."""

    to: str
    display: str
    score: int


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One code of one sender; ``stopped`` is how many messages it holds back now."""

    miss: Miss
    display: str
    stopped: int
    candidates: tuple[Candidate, ...]


def unmapped(
    connection: Connection, sealer: Sealer, file: TableFile, now: datetime
) -> list[Unmapped]:
    """Return the misses of a table for which it still has no row."""
    found = []
    for miss in table_misses.misses(connection, sealer, table=file.name):
        if file.table.lookup(miss.code, at=now) is not None:
            continue
        display = _display(connection, sealer, miss)
        stopped = len(table_misses.stopped_for(connection, sealer, [miss]))
        near = tuple(candidates(file, display or miss.code))
        found.append(Unmapped(miss, display, stopped, near))
    return found


def candidates(file: TableFile, words: str) -> Iterator[Candidate]:
    """Yield the meanings whose display text is nearest to these words."""
    displays = {
        row["to"]: row.get(DISPLAY, "") or row["to"]
        for row in file.sheet.rows
        if row.get("to")
    }
    near = process.extract(
        words,
        displays,
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        limit=CANDIDATES,
        score_cutoff=LEAST,
    )
    for display, score, to in near:
        yield Candidate(to, display, round(score))


def _display(connection: Connection, sealer: Sealer, miss: Miss) -> str:
    """Return what the sender calls the code, where a coded field says so."""
    data = journal.content(connection, sealer, miss.message_id)
    try:
        return "" if data is None else display_in(parse(data), miss.code)
    except ParseError:
        return ""


def display_in(message: Message, code: str) -> str:
    """Return the text beside a code in a field of a coded type; never of a person."""
    for segment in message.segments:
        known = dictionary.fields(segment.id, message.version)
        for number, definition in known.items():
            if definition.data_type not in _CODED:
                continue
            for one in segment.repetitions(number):
                if one.text(1) == code and one.text(2):
                    return one.text(2)
    return ""


def counted(
    misses: Sequence[Miss], files: Mapping[str, TableFile], now: datetime
) -> dict[str, int]:
    """Return how many codes without a row each table has."""
    open_codes = {
        (miss.table, miss.code)
        for miss in misses
        if miss.table not in files
        or files[miss.table].table.lookup(miss.code, at=now) is None
    }
    found: dict[str, int] = {}
    for table, _ in open_codes:
        found[table] = found.get(table, 0) + 1
    return found
