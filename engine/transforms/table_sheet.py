"""A code table as a sheet of rows: every value text, changes as values. Pure.

Spec:
    channel-format.md 7; console.md S10.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.transforms.code_tables import FROM, TO, VALID_FROM, VALID_TO

DISPLAY: Final = "display"
Key = tuple[str, str]
"""``from`` and ``valid-from``: a code may have several rows with dates."""

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The columns of a table and its rows in the order of the file."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after: none before is a new row, none after a removed one."""

    before: Values | None
    after: Values | None

    @property
    def key(self) -> Key:
        """Which row it is about, as it was, or as it will be."""
        return key_of(self.before or self.after or {})


def key_of(row: Values) -> Key:
    """Return what tells a row from the others of its table."""
    return row.get(FROM, ""), row.get(VALID_FROM, "")


def read_sheet(text: str) -> Sheet:
    """Return what CSV text holds; a row that is too long loses what has no column."""
    lines = [cells for cells in csv.reader(io.StringIO(text, newline="")) if cells]
    columns = tuple(cell.strip() for cell in lines[0]) if lines else (FROM, TO)
    return Sheet(columns, tuple(_row(columns, cells) for cells in lines[1:]))


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    filled = [*cells, *[""] * (len(columns) - len(cells))]
    return dict(zip(columns, filled, strict=False))


def csv_of(sheet: Sheet) -> str:
    """Return a sheet as CSV, lines ended by LF."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows(
        [row.get(name, "") for name in sheet.columns] for row in sheet.rows
    )
    return text.getvalue()


def rows_of(sheet: Sheet, code: str) -> list[dict[str, str]]:
    """Return the rows of one code."""
    return [row for row in sheet.rows if row.get(FROM) == code]


def changes_between(before: Sheet, after: Sheet) -> list[Change]:
    """Return what leads from one sheet to the other, row by row."""
    was = {key_of(row): row for row in before.rows}
    now = {key_of(row): row for row in after.rows}
    return [
        Change(was.get(key), now.get(key))
        for key in dict.fromkeys([*was, *now])
        if _filled(was.get(key)) != _filled(now.get(key))
    ]


def applied(sheet: Sheet, changes: Iterable[Change]) -> tuple[Sheet, list[Change]]:
    """Return the sheet with the changes made, and those that clash with it.

    A change clashes where its row is no longer as it was when the change was thought
    of; one that is there already is none.
    """
    rows = {key_of(row): row for row in sheet.rows}
    columns = list(sheet.columns)
    clashes = []
    for change in changes:
        now = rows.get(change.key)
        if _filled(now) == _filled(change.after):
            continue
        moved = change.after is not None and key_of(change.after) != change.key
        taken = moved and change.after is not None and key_of(change.after) in rows
        if _filled(now) != _filled(change.before) or taken:
            clashes.append(change)
            continue
        rows = _with(rows, change)
        columns += [name for name in change.after or () if name not in columns]
    filled = ({name: row.get(name, "") for name in columns} for row in rows.values())
    return Sheet(tuple(columns), tuple(filled)), clashes


def _with(rows: dict[Key, dict[str, str]], change: Change) -> dict[Key, dict[str, str]]:
    """Return rows with one changed in its place, added at the end, or taken away."""
    after = change.after
    if change.before is None:
        return rows | ({key_of(after): dict(after)} if after is not None else {})
    found: dict[Key, dict[str, str]] = {}
    for key, row in rows.items():
        if key != change.key:
            found[key] = row
        elif after is not None:
            found[key_of(after)] = row | dict(after)
    return found


def _filled(row: Values | None) -> Values | None:
    """Return a row without its empty values: a column nobody filled says nothing."""
    return None if row is None else {n: v for n, v in row.items() if v}


def retired(row: Values, last_day: str) -> Change:
    """Return the change that ends a row: it holds for the last time on this day."""
    return Change(row, {**row, VALID_TO: last_day})


def remarks(sheet: Sheet) -> dict[Key, str]:
    """Return what a person should know of a row: duplicates, and shared meanings."""
    codes: dict[str, int] = {}
    meanings: dict[str, list[str]] = {}
    for row in sheet.rows:
        code = row.get(FROM, "")
        codes[code] = codes.get(code, 0) + 1
        told = meanings.setdefault(row.get(TO, ""), [])
        told += [] if code in told else [code]
    found = {}
    for row in sheet.rows:
        said = []
        if codes[row.get(FROM, "")] > 1:
            said.append(f"{codes[row.get(FROM, '')]} rows for this code")
        others = [c for c in meanings[row.get(TO, "")] if c != row.get(FROM, "")]
        if row.get(TO) and others:
            shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")  # noqa: PLR2004 - a few are enough
            said.append(
                f"{shown} mean the same"
                if len(others) > 1
                else f"{shown} means the same"
            )
        found[key_of(row)] = "; ".join(said)
    return found
