"""Backups of an embedded store: made beside the running engine, verified, restored.

Each file is copied as of one instant. ``engine.db`` goes first, so that the journal
holds every message it speaks of; what came between is processed after a restore. The
key is never in a backup: without it, its content cannot be read.

Spec:
    cli.md 3 (backup); faults.md F13; console.md S16.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from sqlalchemy import select

from engine.errors import ConfigurationError, EngineError
from engine.store.audit import Act, Order, write
from engine.store.damage import damages
from engine.store.database import Connection, Database, open_database
from engine.store.folders import make_folder, sync_folder
from engine.store.key_file import Keys
from engine.store.reports import set_run_state
from engine.store.seal import Sealer
from engine.store.tables import lane
from engine.store.words import RunState

MANIFEST: Final = "manifest.json"
FILES: Final = ("engine.db", "journal.db")
"""In the order in which they are copied."""

_UNFINISHED: Final = ".unfinished-"
_PIECE: Final = 1 << 20
_PLACES: Final = select(lane.c.channel, lane.c.destination).distinct()
SERVER: Final = (
    "The store is a PostgreSQL server: back it up there, with pg_basebackup or pg_dump."
)


@dataclass(frozen=True, slots=True)
class Backup:
    """One finished backup; ``verified_at`` is when it was last opened and looked at."""

    folder: Path
    made_at: datetime
    size: int
    verified_at: datetime | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name


def create(database: Database, place: Path, order: Order) -> Backup:
    """Copy the store into a new folder in ``place``; the engine may run meanwhile.

    Raises:
        ConfigurationError: the store is a server, or one was just made.
        OSError: the disk refused; nothing is left behind.
    """
    if database.folder is None:
        raise ConfigurationError(SERVER)
    made = place / order.now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    if made.exists():
        raise ConfigurationError(f"there is a backup {made.name} already")
    make_folder(place)
    fresh = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    try:
        for name in FILES:
            _copy(database.folder / name, fresh / name)
        files = {name: _digest(fresh / name) for name in FILES}
        told = {"made_at": order.now, "release": database.release, "files": files}
        _write(fresh / MANIFEST, orjson.dumps(told))
        sync_folder(fresh)
        fresh.rename(made)
        sync_folder(place)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _audited(database, order, "backup.create", made.name)
    return _read(made)


def _copy(source: Path, copy: Path) -> None:
    """Write one file as of one instant; it is on disk when this returns."""
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as raw:
            raw.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        raise EngineError(f"{source.name} could not be copied: {error}") from error
    copy.chmod(0o600)
    with copy.open("rb+") as file:
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def listed(place: Path) -> list[Backup]:
    """Return the finished backups in a folder, newest first."""
    if not place.is_dir():
        return []
    found = [each for each in place.iterdir() if (each / MANIFEST).is_file()]
    finished = [each for each in found if not each.name.startswith(_UNFINISHED)]
    return sorted(map(_read, finished), key=lambda each: each.made_at, reverse=True)


def _read(folder: Path) -> Backup:
    told = _manifest(folder)
    size = sum((folder / name).stat().st_size for name in FILES)
    verified = told.get("verified_at")
    at = datetime.fromisoformat(str(verified)) if verified else None
    return Backup(folder, datetime.fromisoformat(str(told["made_at"])), size, at)


def _manifest(folder: Path) -> dict[str, object]:
    try:
        told = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder} is not a backup: {error}") from error
    if not isinstance(told, dict):
        raise ConfigurationError(f"{folder} is not a backup: {MANIFEST} is no object")
    return told


def verify(folder: Path, key: Keys | bytes, now: datetime) -> list[str]:
    """Open a copy of a backup and look at every row; return what is wrong.

    A sound one is noted as verified. It takes as much space again meanwhile.

    Raises:
        ConfigurationError: there is no backup, or it was made with another key.
    """
    told = _manifest(folder)
    wrong = list(_changed(folder, told))
    if wrong:
        return wrong
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=folder.parent) as place:
        for name in FILES:
            shutil.copyfile(folder / name, Path(place) / name)
        database = open_database(f"sqlite:///{place}", key, create=False)
        try:
            with database.reading() as connection:
                found = damages(connection, database.sealer)
                wrong = [f"{each.place}: {each.says}" for each in found]
        finally:
            database.close()
    if not wrong:
        _write(folder / MANIFEST, orjson.dumps(told | {"verified_at": now}))
    return wrong


def _changed(folder: Path, told: dict[str, object]) -> Iterator[str]:
    files = told.get("files")
    for name in FILES:
        noted = files.get(name) if isinstance(files, dict) else None
        if not (folder / name).is_file():
            yield f"{name} is missing"
        elif _digest(folder / name) != noted:
            yield f"{name} is not as it was written"


def restore(folder: Path, target: Path, key: Keys | bytes, order: Order) -> list[str]:
    """Put a backup where a store shall be; return the destinations that rest.

    Everything that was on its way out rests until a person starts it: part of it was
    sent after the backup was made, and only the receivers know which.

    Raises:
        ConfigurationError: it is damaged, or files of a store are there already.
    """
    wrong = list(_changed(folder, _manifest(folder)))
    if wrong:
        raise ConfigurationError(f"{folder.name} is damaged: {'; '.join(wrong)}")
    if any((target / name).exists() for name in FILES):
        raise ConfigurationError(
            f"{target} holds a store: stop the engine and move its files away first"
        )
    make_folder(target)
    for name in FILES:
        shutil.copyfile(folder / name, target / name)
        (target / name).chmod(0o600)
        with (target / name).open("rb+") as file:
            os.fsync(file.fileno())
    sync_folder(target)
    database = open_database(f"sqlite:///{target}", key)
    try:
        with database.engine() as connection:
            paused = _pause(connection, database.sealer, order)
        _audited(database, order, "backup.restore", folder.name)
    finally:
        database.close()
    return paused


def _pause(connection: Connection, sealer: Sealer, order: Order) -> list[str]:
    places = sorted(
        (row.channel, row.destination) for row in connection.execute(_PLACES)
    )
    for place in places:
        set_run_state(connection, sealer, place, RunState.PAUSED, order)
    return ["/".join(place) for place in places]


def _audited(database: Database, order: Order, what: str, name: str) -> None:
    act = Act(order.now, order.actor, what, f"backup {name}", order.reason)
    with database.engine() as connection:
        write(connection, database.sealer, [act])
