"""Commits that a file of the store has lost, and how that is known.

SQLite reads its write-ahead log up to the first damaged frame and takes that for the
end: what was committed and acknowledged after it would be gone without a word. So every
transaction that changes something counts itself in its own file; when it is on disk,
the count is noted beside it. The note is not synced: it may fall behind, and never says
more than was durable when it was written. A file that is behind its note has lost
commits.

Spec:
    faults.md F12.
"""

import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.errors import ConfigurationError
from engine.store.write_lock import WriteLock

_COMMIT: Final = "commit"


@dataclass(frozen=True, slots=True)
class Loss:
    """One file that holds fewer ``commits`` than were ``noted``, the last one ``at``.

    ``log`` is the copy of its write-ahead log; None where there was none.
    """

    schema: str
    commits: int
    noted: int
    at: datetime
    log: Path | None
    _lock: WriteLock

    def forgive(self) -> None:
        """Take the file as it is."""
        self._lock.note(self.commits)

    def sentence(self) -> str:
        """Return what happened, in words."""
        kept = f" What is left of the log is kept in {self.log}." if self.log else ""
        return (
            f"{self.schema}.db has lost its last {self.noted - self.commits} "
            f"commits: it was at {self.noted} and is at {self.commits}; the "
            f"last one was made at {self.at:%Y-%m-%d %H:%M:%S} UTC. Its write-ahead "
            f"log is damaged, or files of another day were put in its place.{kept}"
        )


def refuse(losses: Iterable[Loss]) -> None:
    """Do nothing if nothing is lost.

    Raises:
        ConfigurationError: something is; a person has to decide.
    """
    told = tuple(loss.sentence() for loss in losses)
    if told:
        raise ConfigurationError(
            " ".join(told) + " Put the right files back, or go on without what is "
            "lost: interop store accept-loss",
            told,
        )


def count(raw: sqlite3.Connection, schema: str) -> int:
    """Count the present transaction in its own file; return its number."""
    [(number,)] = raw.execute(_COUNT[schema], (_COMMIT,)).fetchall()
    return int(number)


def counted(raw: sqlite3.Connection, schema: str) -> int:
    """Return how many commits a file holds; 0 if it has no tables (any more)."""
    if raw.execute(_TABLE[schema]).fetchone() is None:
        return 0
    row = raw.execute(_COUNTED[schema], (_COMMIT,)).fetchone()
    return int(row[0]) if row else 0


_TABLE: Final = {
    schema: f"SELECT 1 FROM {schema}.sqlite_schema WHERE name = 'sequence'"  # noqa: S608 - fixed words
    for schema in ("journal", "engine")
}
_COUNTED: Final = {
    schema: f"SELECT value FROM {schema}.sequence WHERE name = ?"  # noqa: S608
    for schema in ("journal", "engine")
}
_COUNT: Final = {
    schema: (
        f"INSERT INTO {schema}.sequence (name, value) VALUES (?, 1)"  # noqa: S608
        " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
    )
    for schema in ("journal", "engine")
}


def keep_log(folder: Path, schema: str, noted: int) -> Path | None:
    """Copy a write-ahead log before SQLite, closing, takes it away; return the copy."""
    log = folder / f"{schema}.db-wal"
    kept = folder / f"{schema}.db-wal.damaged-{noted}"
    if not kept.exists():
        if not log.exists() or not log.stat().st_size:
            return None
        shutil.copyfile(log, kept)
        kept.chmod(0o600)
    return kept
