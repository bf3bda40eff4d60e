"""Code tables on disk: read, changed by rows, and written so that no half file is seen.

Spec:
    channel-format.md 7; console.md S10.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.channels.whole_files import replace_file
from engine.errors import ConfigurationError
from engine.transforms.code_tables import CodeTable, Match, read_csv
from engine.transforms.table_sheet import Change, Sheet, applied, csv_of, read_sheet

FOLDER: Final = "tables"


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table as it stands in its file; ``version`` is a hash of the content."""

    name: str
    sheet: Sheet
    table: CodeTable

    @property
    def version(self) -> str:
        """The version that lookups record."""
        return self.table.version


def names(config: Path) -> list[str]:
    """Return the tables of a site."""
    return sorted(each.stem for each in (config / FOLDER).glob("*.csv"))


def read_table(config: Path, name: str, match: Match = Match.EXACT) -> TableFile:
    """Return one table.

    Raises:
        ConfigurationError: there is none of this name, or it cannot be read.
    """
    if name not in names(config):
        known = ", ".join(names(config)) or "none"
        raise ConfigurationError(f"there is no table {name!r}; tables: {known}")
    try:
        text = _path(config, name).read_text("utf-8-sig")
        return TableFile(name, read_sheet(text), read_csv(text, name, match)[0])
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"tables/{name}.csv is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class Plan:
    """What a table would be: its new file, and the changes that clash with the old."""

    file: TableFile
    clashes: tuple[Change, ...] = ()
    unchanged: bool = False


def planned(
    config: Path, name: str, changes: Sequence[Change], match: Match = Match.EXACT
) -> Plan:
    """Return a table with rows changed, not written yet; see `alone`.

    Raises:
        ConfigurationError: the table would not be one: with every fault.
    """
    before = read_table(config, name, match)
    sheet, clashes = applied(before.sheet, changes)
    if clashes or sheet == before.sheet:
        return Plan(before, tuple(clashes), unchanged=True)
    table, faults = read_csv(csv_of(sheet), name, match)
    if faults:
        told = tuple(f"line {f.line}: {f.sentence}; {f.hint}" for f in faults)
        raise ConfigurationError(f"nothing was saved: {told[0]}", told)
    return Plan(TableFile(name, sheet, table))


def write(config: Path, file: TableFile) -> None:
    """Put a table in the place of its old file: whole, and on disk."""
    replace_file(_path(config, file.name), csv_of(file.sheet).encode())


def _path(config: Path, name: str) -> Path:
    return config / FOLDER / f"{name}.csv"


@contextmanager
def alone(config: Path, held: str = FOLDER) -> Iterator[None]:
    """Hold the tables, or another folder of a site, against others who change it."""
    folder = os.open(config / held, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def create(config: Path, name: str, columns: Sequence[str]) -> None:
    """Make a table without rows."""
    replace_file(_path(config, name), csv_of(Sheet(tuple(columns))).encode())
