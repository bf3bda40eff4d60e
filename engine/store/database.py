"""Open the store: who writes what, and what every connection must prove."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import Connection

from engine.store.seal import Sealer

__all__ = ["Connection", "Database", "Role", "open_database"]

Role = Literal["edge", "worker", "console", "cli"]


class Database:
    """An open store; one for each process.

    ``sealer`` belongs to the thread that opened the database; other threads make
    their own with `new_sealer`.
    """

    sealer: Sealer

    def new_sealer(self) -> Sealer:
        """Return a sealer for another thread."""
        raise NotImplementedError

    @contextmanager
    def journal(self) -> Iterator[Connection]:
        """Give a transaction that writes the journal; only edge does.

        Raises:
            JournalError: the commit failed; nothing of it may be acknowledged.
        """
        raise NotImplementedError

    @contextmanager
    def engine(self) -> Iterator[Connection]:
        """Give a transaction that writes the engine schema and may read the journal.

        It holds the write lock from start to commit: prepare first, then enter.
        """
        raise NotImplementedError

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees both schemas as of now."""
        raise NotImplementedError

    def migrate(self) -> None:
        """Bring both schemas to this release's form."""
        raise NotImplementedError

    def checkpoint(self) -> None:
        """Move what the write-ahead logs hold into the files, when idle."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection."""
        raise NotImplementedError


def open_database(
    url: str, key: bytes, *, role: Role = "cli", create: bool = True
) -> Database:
    """Open ``sqlite:////folder`` or ``postgresql://...``, migrated and proved.

    Raises:
        ConfigurationError: not durable as configured, the wrong key, or (without
            ``create``) nothing there.
    """
    raise NotImplementedError
