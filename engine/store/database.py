"""Open the store: who writes what, and what every connection must prove."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import Connection, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from engine.errors import ConfigurationError, EngineError, JournalError, StoreError
from engine.failpoint import reach
from engine.store import key_use, schema_version
from engine.store.away import is_away, mended_by
from engine.store.dialect import SCHEMAS, Backend, open_backend, put
from engine.store.key_file import Keys
from engine.store.losses import Loss, refuse
from engine.store.reserve import Reserve
from engine.store.seal import Sealer
from engine.store.space import space
from engine.store.tables import site

__all__ = ["Connection", "Database", "Role", "open_database"]

Role = Literal["edge", "worker", "console", "cli"]

_PROOF: Final = "site|key-proof"


class Database:
    """An open store; one for each process, for all its threads."""

    def __init__(self, backend: Backend, keys: Keys, role: Role) -> None:
        self.role = role
        self.keys = keys
        self._backend = backend
        self._local = threading.local()

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._backend.engine.dialect.name

    @property
    def release(self) -> str:
        """What keeps the store, and its version: ``sqlite 3.45.1``."""
        numbers = self._backend.engine.dialect.server_version_info or ()
        return f"{self.kind} {'.'.join(map(str, numbers))}"

    @property
    def folder(self) -> Path | None:
        """Where the files are; None for a server."""
        return self._backend.folder

    def size(self) -> int | None:
        """Return how many bytes the store takes on disk; None where a server has it."""
        folder = self._backend.folder
        if folder is None:
            return None
        return sum(each.stat().st_size for each in folder.iterdir() if each.is_file())

    def reserve(self) -> Reserve | None:
        """Return the space kept back beside the files; None for a server."""
        folder = self._backend.folder
        return None if folder is None else Reserve(folder)

    @property
    def sealer(self) -> Sealer:
        """The sealer of the calling thread."""
        try:
            sealer: Sealer = self._local.sealer
        except AttributeError:
            sealer = self._local.sealer = Sealer(self.keys)
        return sealer

    @contextmanager
    def journal(self) -> Iterator[Connection]:
        """Give a transaction that writes the journal; only edge does.

        Raises:
            JournalError: the commit failed; nothing of it may be acknowledged.
        """
        try:
            with self._backend.writing("journal") as connection:
                yield connection
        except DBAPIError as error:
            raise JournalError(
                f"The journal could not commit: {_words(error)}"
            ) from error

    @contextmanager
    def engine(self, *, urgent: bool = False) -> Iterator[Connection]:
        """Give a transaction that writes the engine schema and may read the journal.

        It holds the write lock from start to commit: prepare first, then enter. An
        ``urgent`` one goes before others and is short; see `is_wanted`.

        Raises:
            StoreError: the database is away; nothing was written.
            EngineError: the database refused; nothing was written.
        """
        with (
            _in_our_words("The store could not commit"),
            self._backend.writing("engine", urgent=urgent) as connection,
        ):
            yield connection

    def is_wanted(self) -> bool:
        """Whether an urgent writer waits for the transaction of `engine` to end."""
        return self._backend.is_wanted("engine")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees both schemas as of now.

        Raises:
            StoreError: the database is away.
            EngineError: the database refused.
        """
        with (
            _in_our_words("The store could not be read"),
            self._backend.engine.connect() as connection,
        ):
            yield connection

    def losses(self) -> list[Loss]:
        """Return what each file has lost, while nobody writes."""
        turn = self._backend.turn
        with turn("journal"), turn("engine"), self.reading() as look:
            return self._backend.losses(look)

    def migrate(self) -> None:
        """Bring both schemas to this release's form."""
        with self._backend.turn("journal"), self._backend.turn("engine"):
            for schema in SCHEMAS:  # one transaction each: none writes both files
                with self._backend.engine.begin() as connection:
                    self._backend.prepare(connection)
                    reach("migration.begun")
                    schema_version.migrate(connection, schema, self.sealer)
                    reach("migration.done")
                reach("migration.committed")

    def space(self, connection: Connection) -> tuple[int, int | None]:
        """Return the bytes of the store, and those left for it where that is known."""
        return space(connection, self._backend.folder)

    def checkpoint(self) -> None:
        """Move what the write-ahead logs hold into the files, when idle."""
        self._backend.checkpoint()

    def close(self) -> None:
        """Close every connection and lock file; closing again does nothing."""
        self._backend.close()

    def prove_key(self) -> None:
        """Open what was sealed when the store was made.

        Raises:
            ConfigurationError: it was made with another key.
        """
        with self.reading() as connection:
            proof = connection.execute(_PROOFS).scalar()
        if proof is None:
            with self.engine() as connection:
                sealed = self.sealer.seal(b"the right key", _PROOF)
                put(connection, site, [{"name": _PROOF, "value": sealed}])
                proof = connection.execute(_PROOFS).scalar_one()
        try:
            self.sealer.open(proof, _PROOF)
        except EngineError:
            raise ConfigurationError(
                "This store was made with another key. Put back the key file that was "
                "in use, or name it in store.key; without it the content is lost."
            ) from None

    def follow_keys(self, connection: Connection) -> None:
        """Seal with the newest key of the store from now on.

        Raises:
            ConfigurationError: the key file does not hold it; the one before goes on.
        """
        key_use.follow(connection, self.sealer, self.keys)


@contextmanager
def _in_our_words(what: str) -> Iterator[None]:
    """Turn an error of the driver into ours; what it was about stays out of it."""
    try:
        yield
    except DBAPIError as error:
        kind = StoreError if is_away(error) else EngineError
        raise kind(f"{what}: {_words(error)}") from error


def _words(error: DBAPIError) -> str:
    """Return what the driver said, without the row it said it of."""
    return str(error.orig).partition("\n")[0]


_PROOFS: Final = select(site.c.value).where(site.c.name == _PROOF)


def open_database(
    url: str,
    key: Keys | bytes,
    *,
    role: Role = "cli",
    create: bool = True,
    lossy: bool = False,
    known: bool = False,
) -> Database:
    """Open ``sqlite:////folder`` or ``postgresql://...``, migrated and proved.

    Raises:
        ConfigurationError: not durable as configured, the wrong key, files that do not
            open, commits that are lost (unless ``lossy``), a server that refuses who
            asks (unless it is ``known`` to have taken it), or (without ``create``)
            nothing there.
        StoreError: the server is away.
    """
    try:
        backend = open_backend(make_url(url), create=create)
    except ArgumentError:
        raise ConfigurationError(f"store.url is not a URL: {url!r}") from None
    except OSError as error:
        raise _closed(error) from error
    keys = key if isinstance(key, Keys) else Keys([key])
    database = Database(backend, keys, role)
    try:
        if not lossy:
            refuse(database.losses())
        if not _is_current(database, backend):
            _migrate(database, create=create)
        database.prove_key()
        with database.reading() as connection:
            database.follow_keys(connection)
        backend.keep_names()
    except BaseException as error:
        database.close()
        cause = error.__cause__ if isinstance(error, EngineError) else error
        if isinstance(cause, DBAPIError | OSError | UnicodeDecodeError):
            waits = backend.folder is None and (known or not mended_by(cause))
            raise _closed(cause, may_come_back=waits) from error
        raise
    return database


def _closed(
    error: DBAPIError | OSError | UnicodeDecodeError, *, may_come_back: bool = False
) -> EngineError:
    match error:
        case DBAPIError():
            why = _words(error)
        case OSError():
            why = error.strerror or "the file system refuses it"
        case _:  # SQLite's own complaint could not be read
            why = "its list of tables is damaged"
    fix = mended_by(error)
    kind = StoreError if may_come_back and is_away(error) else ConfigurationError
    return kind(f"The store does not open: {why}{fix and '. ' + fix}")


def _is_current(database: Database, backend: Backend) -> bool:
    with backend.turn("journal"), backend.turn("engine"), database.reading() as look:
        return schema_version.is_current(look)


def _migrate(database: Database, *, create: bool) -> None:
    if not create:
        raise ConfigurationError(
            "The store has the form of an older release, or is empty. "
            "Bring it up with: interop store migrate"
        )
    database.migrate()
