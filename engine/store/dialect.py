"""What differs between SQLite and PostgreSQL, and nothing else."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol, cast

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Table,
    UpdateBase,
    create_engine,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from engine.errors import ConfigurationError
from engine.store.folders import make_folder, sync_folder
from engine.store.losses import Loss, count, counted, keep_log
from engine.store.schema import Instant, microseconds
from engine.store.write_lock import WriteLock

SCHEMAS: Final = ("journal", "engine")
_BUSY_MILLISECONDS: Final = 10_000
_CHECKPOINT_PAGES: Final = 20_000
_CACHE_KIBIBYTES: Final = 16_384
_STATEMENTS: Final = 512
"""Prepared statements kept: a list of each length is a statement of its own."""

_FULL: Final = 2


class Backend(Protocol):
    """One kind of database, opened."""

    engine: Engine

    def turn(
        self, schema: str, *, urgent: bool = False
    ) -> AbstractContextManager[None]:
        """Wait for the right to write a schema, and hold it."""

    def is_wanted(self, schema: str) -> bool:
        """Whether an urgent writer waits for the turn that the caller holds."""

    def writing(
        self, schema: str, *, urgent: bool = False
    ) -> AbstractContextManager[Connection]:
        """Give a transaction that writes a schema, in its turn."""

    def losses(self, connection: Connection) -> list[Loss]:
        """Return what each file has lost; for whoever has the turn of both."""

    def prepare(self, connection: Connection) -> None:
        """Make the schemas, and let nobody else migrate meanwhile."""

    def keep_names(self) -> None:
        """Have the names of all files on disk before anything in them counts."""

    def checkpoint(self) -> None:
        """Move the write-ahead logs into the files, as far as readers let it."""

    @property
    def folder(self) -> Path | None:
        """Where the files are; None where a server keeps them."""

    def close(self) -> None:
        """Give every connection and every other descriptor back."""


def open_backend(url: URL, *, create: bool) -> Backend:
    """Return the backend for a store URL.

    Raises:
        ConfigurationError: an unknown kind of database, or nothing there.
    """
    kind = url.get_backend_name()
    if kind == "sqlite":
        return SqliteFiles(Path(url.database or "."), create=create)
    if kind == "postgresql":
        return PostgresSchemas(url)
    raise ConfigurationError(
        f"store.url names {kind!r}. Known are sqlite:////folder and postgresql://..."
    )


class SqliteFiles:
    """``journal.db`` and ``engine.db`` in one folder, attached to every connection.

    The main database is an empty one in memory, so that both files carry their
    schema's name, as on PostgreSQL.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        if create:
            make_folder(folder.absolute())
        elif not (folder / "engine.db").exists():
            raise ConfigurationError(
                f"There is no store in {folder}. `interop run` makes one; "
                "store.url says where."
            )
        self.folder = folder.resolve()
        self._is_new = create and self._make_files()
        self._locks = {name: WriteLock(folder / f"{name}.lock") for name in SCHEMAS}
        self.engine = create_engine(
            "sqlite://",
            poolclass=QueuePool,
            connect_args={
                "check_same_thread": False,
                "isolation_level": None,
                "cached_statements": _STATEMENTS,
            },
            hide_parameters=True,
        )
        event.listen(self.engine, "connect", self._attach)
        # not an event: with a listener SQLAlchemy asks for events at every statement
        self.engine.dialect.do_begin = _begin  # type: ignore[method-assign]

    def _make_files(self) -> bool:
        """Have missing files there, with their names on disk, before SQLite makes them.

        It syncs the folder too, but takes no notice when that fails: so what it makes
        for a new store is synced after each step. Return whether the store is new.
        """
        missing = [
            path
            for path in (self.folder / f"{schema}.db" for schema in SCHEMAS)
            if not path.exists()
        ]
        for path in missing:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if missing:
            sync_folder(self.folder)
        return bool(missing)

    def turn(
        self, schema: str, *, urgent: bool = False
    ) -> AbstractContextManager[None]:
        """Wait for the lock file of a schema, and hold it."""
        return self._locks[schema].held(urgent=urgent)

    @contextmanager
    def writing(self, schema: str, *, urgent: bool = False) -> Iterator[Connection]:
        """Give a transaction; once on disk, note that its file must hold it."""
        number = 0
        with self.turn(schema, urgent=urgent):
            with self.engine.begin() as connection:
                raw = _raw(connection)
                before = raw.total_changes
                yield connection
                if raw.total_changes != before:
                    number = count(raw, schema)
            if number:
                self._locks[schema].note(number)

    def losses(self, connection: Connection) -> list[Loss]:
        """Compare what was noted with what the files say; keep a damaged log aside."""
        raw, found = _raw(connection), list[Loss]()
        for schema, lock in self._locks.items():
            noted = lock.noted()
            commits = counted(raw, schema) if noted else 0
            if commits < noted:
                log = keep_log(self.folder, schema, noted)
                at = datetime.fromtimestamp(lock.noted_at(), UTC)
                found.append(Loss(schema, commits, noted, at, log, lock))
        return found

    def is_wanted(self, schema: str) -> bool:
        """Whether an urgent writer waits for a lock file that the caller holds."""
        return self._locks[schema].is_wanted()

    def prepare(self, connection: Connection) -> None:
        """Make the files, and their names durable."""
        connection.exec_driver_sql("SELECT 1")
        self.keep_names()

    def keep_names(self) -> None:
        """Sync the folder: the logs are new in it."""
        sync_folder(self.folder)

    def checkpoint(self) -> None:
        """Move the write-ahead logs into the files, as far as readers let it."""
        raw = self.engine.raw_connection()  # outside of any transaction
        try:
            for schema in SCHEMAS:
                raw.cursor().execute(f"PRAGMA {schema}.wal_checkpoint(PASSIVE)")
        finally:
            raw.close()

    def close(self) -> None:
        """Close the connections and the lock files."""
        self.engine.dispose()
        for lock in self._locks.values():
            lock.close()

    def _attach(self, raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA temp_store = MEMORY")
        for schema in SCHEMAS:
            path = str(self.folder / f"{schema}.db")
            cursor.execute(f"ATTACH DATABASE ? AS {schema}", (path,))
            cursor.execute(f"PRAGMA {schema}.mmap_size = 0")
            cursor.execute(f"PRAGMA {schema}.cache_size = -{_CACHE_KIBIBYTES}")
            cursor.execute(f"PRAGMA {schema}.synchronous = FULL")
            _require(cursor.execute, f"PRAGMA {schema}.journal_mode = WAL", "wal")
            _require(cursor.execute, f"PRAGMA {schema}.synchronous", _FULL)
            if self._is_new:
                self.keep_names()
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        cursor.close()


class _Execute(Protocol):
    def __call__(self, statement: str, /) -> object: ...


def _require(execute: _Execute, statement: str, expected: object) -> None:
    found = next(iter(execute(statement)), (None,))[0]  # type: ignore[call-overload]
    if found != expected:
        raise ConfigurationError(
            f"The store would not be durable: {statement} gave {found!r} instead of "
            f"{expected!r}."
        )


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _begin(dbapi_connection: PoolProxiedConnection) -> None:
    dbapi_connection.cursor().execute("BEGIN")


class PostgresSchemas:
    """Schemas ``journal`` and ``engine`` in one PostgreSQL database."""

    folder = None

    def __init__(self, url: URL) -> None:
        try:
            self.engine = create_engine(
                url.set(drivername="postgresql+psycopg"), hide_parameters=True
            )
        except ModuleNotFoundError:
            raise ConfigurationError(
                "store.url names PostgreSQL, but its driver is not installed. "
                "Install interop-engine[postgres]."
            ) from None
        event.listen(self.engine, "connect", _prove_durable)

    def turn(
        self,
        schema: str,  # noqa: ARG002 - row locks do it
        *,
        urgent: bool = False,  # noqa: ARG002 - row locks do it
    ) -> AbstractContextManager[None]:
        """Wait for nothing: PostgreSQL locks rows."""
        return nullcontext()

    def is_wanted(self, schema: str) -> bool:  # noqa: ARG002 - row locks do it
        """Return False: nobody waits for a whole schema."""
        return False

    def writing(
        self,
        schema: str,  # noqa: ARG002 - row locks do it
        *,
        urgent: bool = False,  # noqa: ARG002
    ) -> AbstractContextManager[Connection]:
        """Give a transaction."""
        return self.engine.begin()

    def losses(self, connection: Connection) -> list[Loss]:  # noqa: ARG002
        """Return nothing: the server checks its log."""
        return []

    def prepare(self, connection: Connection) -> None:
        """Make the schemas, one process at a time."""
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7309475)")
        for schema in SCHEMAS:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")

    def keep_names(self) -> None:
        """Do nothing: the server does it."""

    def checkpoint(self) -> None:
        """Do nothing: the server does it."""

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def _prove_durable(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = raw.cursor()
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        cursor.execute(f"SHOW {setting}")
        if cursor.fetchall()[0][0] == "off":
            raise ConfigurationError(
                f"PostgreSQL runs with {setting}=off: an acknowledged message could "
                "be lost. Set it to on."
            )
    raw.rollback()
    cursor.close()


@lru_cache(maxsize=256)
def upsert(
    kind: str, table: Table, replace: tuple[str, ...] = (), add: tuple[str, ...] = ()
) -> Insert:
    """Return an INSERT that meets an existing key by replacing or adding to columns.

    With neither, the existing row stays as it is.
    """
    insert = sqlite.insert if kind == "sqlite" else postgresql.insert
    statement = insert(table)
    keys = list(table.primary_key.columns)
    if not (replace or add):
        return statement.on_conflict_do_nothing(index_elements=keys)
    new = statement.excluded
    changes: dict[str, ColumnElement[object]] = {name: new[name] for name in replace}
    changes |= {name: table.c[name] + new[name] for name in add}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def put(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, object]],
    *,
    replace: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
) -> None:
    """Insert rows, meeting existing keys as `upsert` says."""
    bulk(connection, upsert(connection.dialect.name, table, replace, add), rows)


def bulk(
    connection: Connection, statement: UpdateBase, rows: Sequence[dict[str, object]]
) -> None:
    """Execute a statement once for each row, past SQLAlchemy's work on each.

    That work costs more than the database's own. All rows a statement is ever used
    with have the same keys. Their datetimes become numbers in place.
    """
    if not rows:
        return
    sql, instants, in_order = _driver_text(connection, statement, rows[0])
    for name in instants:
        at: object = None
        number: int | None = None
        for row in rows:
            if row[name] is not at:
                at = row[name]
                number = microseconds(at) if isinstance(at, datetime) else None
            row[name] = number
    given = rows if in_order is None else [in_order(row) for row in rows]
    connection.exec_driver_sql(sql, given)


_Text = tuple[str, list[str], Callable[[dict[str, object]], tuple[object, ...]] | None]
_texts: Final[dict[tuple[str, UpdateBase], _Text]] = {}


def _driver_text(
    connection: Connection, statement: UpdateBase, row: dict[str, object]
) -> _Text:
    """Return what the driver gets, which parameters are instants, and their order."""
    key = (connection.dialect.name, statement)
    if key not in _texts:
        columns = list(row) if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=connection.dialect, column_keys=columns)
        instants = [
            name
            for name, parameter in compiled.binds.items()
            if isinstance(parameter.type, Instant)
        ]
        names = compiled.positiontup
        in_order = None if names is None else _in_order(names)
        _texts[key] = (str(compiled), instants, in_order)
    return _texts[key]


def _in_order(names: list[str]) -> Callable[[dict[str, object]], tuple[object, ...]]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)
