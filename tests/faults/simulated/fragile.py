"""A real store whose process may end between any two of its steps."""

from collections.abc import Callable
from contextlib import contextmanager

from engine.errors import JournalError


class Crash(BaseException):
    """The process ended here; what its memory held is gone."""


class FragileStore:
    """The transactions of a store, for one process.

    ``strike`` is asked before each commit and after it: it may raise `Crash`, and
    before a commit of the journal `JournalError` as a full disk would. ``between`` is
    called before a transaction begins: others may act there.
    """

    def __init__(
        self, database, strike: Callable[[str], None], between: Callable[[str], None]
    ):
        self._database = database
        self._strike = strike
        self._between = between

    @property
    def sealer(self):
        return self._database.sealer

    def reading(self):
        return self._database.reading()

    def is_wanted(self):
        return self._database.is_wanted()

    @contextmanager
    def journal(self):
        try:
            with self._database.journal() as connection:
                yield connection
                self._strike("journal before commit")
        except FullDiskError as error:
            raise JournalError("no room") from error
        self._strike("journal after commit")

    @contextmanager
    def engine(self, *, urgent=False):
        self._between("engine")
        with self._database.engine(urgent=urgent) as connection:
            yield connection
            self._strike("engine before commit")
        self._strike("engine after commit")


class FullDiskError(Exception):
    """There is no room for this commit."""
