"""Code tables: what a code of one system is called in another."""

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

FROM, TO, VALID_FROM, VALID_TO = "from", "to", "valid-from", "valid-to"


class Match(StrEnum):
    """How a code is compared with the column ``from``."""

    EXACT = "exact"
    TRIM = "trim"
    UPPER = "upper"


class OnMissing(StrEnum):
    """What a code without a row in the table does."""

    ERROR = "error"
    KEEP = "keep"
    EMPTY = "empty"
    FLAG = "flag"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class MissPolicy:
    """``on-missing`` of a step; ``text`` is the label of an error or the default."""

    kind: OnMissing = OnMissing.ERROR
    text: str = ""


_POLICY: Final = re.compile(
    r"(?P<kind>error|keep|empty|flag|default)"
    r"(?:\((?P<quote>[\"'])(?P<text>[^\"']{0,200})(?P=quote)\))?"
)


def read_policy(text: str) -> MissPolicy | None:
    """Return what ``on-missing`` says; None when it cannot be read.

    Examples:
        >>> read_policy('default("U")').text
        'U'
        >>> read_policy("default") is None
        True
    """
    found = _POLICY.fullmatch(text.strip())
    if found is None:
        return None
    kind, given = OnMissing(found["kind"]), found["text"]
    takes_text = kind in (OnMissing.ERROR, OnMissing.DEFAULT)
    if (given is not None and not takes_text) or (
        given is None and kind is OnMissing.DEFAULT
    ):
        return None
    return MissPolicy(kind, given or "")


@dataclass(frozen=True, slots=True)
class TableFault:
    """Something wrong with a table: the line in the file (from 1), and a sentence."""

    line: int
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: every value is text, and the days it holds on."""

    line: int
    values: Mapping[str, str]
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table. ``version`` is a hash of its content; ``rows`` are keyed by code."""

    name: str
    version: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Row, ...]] = field(repr=False)
    match: Match = Match.EXACT
    on_missing: MissPolicy = MissPolicy()

    def lookup(self, key: str, column: str = TO, *, at: datetime) -> str | None:
        """Return what a code means at a time; None when no row says so."""
        for row in self.rows.get(_matched(key, self.match), ()):
            if row.first_day <= at.date() <= row.last_day:
                return row.values.get(column, "")
        return None


def read_csv(
    text: str,
    name: str,
    match: Match = Match.EXACT,
    on_missing: MissPolicy = MissPolicy(),
) -> tuple[CodeTable, list[TableFault]]:
    """Return the table that CSV text holds, and everything wrong with it.

    A table with faults is still a table: it holds the rows that could be read, so that
    one bad row does not make every step that uses the table look wrong.
    """
    faults: list[TableFault] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        lines.extend((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        faults.append(TableFault(reader.line_num, f"this is not CSV: {error}"))
    columns = tuple(cell.strip() for cell in lines[0][1]) if lines else ()
    faults += _header_faults(columns)
    rows: dict[str, tuple[Row, ...]] = {}
    if not {FROM, TO} - set(columns):
        for line, cells in lines[1:]:
            _take(line, cells, columns, match, rows, faults)
    version = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    return CodeTable(name, version, columns, rows, match, on_missing), faults


def _header_faults(columns: tuple[str, ...]) -> list[TableFault]:
    missing = [column for column in (FROM, TO) if column not in columns]
    faults = [
        TableFault(
            1,
            f"the header has no column {column!r}",
            "the first line names the columns: from,to",
        )
        for column in missing
    ]
    if len(set(columns)) < len(columns):
        faults.append(TableFault(1, "two columns have the same name"))
    return faults


def _take(
    line: int,
    cells: list[str],
    columns: tuple[str, ...],
    match: Match,
    rows: dict[str, tuple[Row, ...]],
    faults: list[TableFault],
) -> None:
    """Add one row of cells to ``rows``, or say what is wrong with it."""
    if len(cells) > len(columns):
        faults.append(TableFault(line, "the row has more values than the header"))
        return
    values = dict(zip(columns, cells, strict=False))
    first, last = values.get(VALID_FROM, ""), values.get(VALID_TO, "")
    try:
        days = (
            date.fromisoformat(first) if first else date.min,
            date.fromisoformat(last) if last else date.max,
        )
    except ValueError:
        faults.append(
            TableFault(line, "a date is not written as 2024-01-31", "use YYYY-MM-DD")
        )
        return
    code = _matched(values[FROM], match)
    row = Row(line, values, *days)
    others = rows.get(code, ())
    for other in others:
        if row.first_day <= other.last_day and other.first_day <= row.last_day:
            faults.append(
                TableFault(
                    line,
                    f"{values[FROM]!r} stands in line {other.line} already",
                    "remove one row, or give both valid-from and valid-to",
                )
            )
            return
    rows[code] = (*others, row)


def _matched(code: str, match: Match) -> str:
    if match is Match.EXACT:
        return code
    return code.strip().upper() if match is Match.UPPER else code.strip()
