"""One store for all worlds of a process, wound back to an empty one for each.

A store that is opened anew costs a world a fifth of its time: files, connections, and
every statement compiled and prepared once more.
"""

import atexit
import functools
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from engine.store.database import open_database
from engine.store.dialect import SCHEMAS
from tests.databases import KEY, empty_url

MEMORY = Path("/dev/shm")  # noqa: S108 - stores of a second's life


class Store:
    """An open store, and what it held when it was empty."""

    def __init__(self, folder):
        url = empty_url("sqlite", folder)
        self.files = Path(url.removeprefix("sqlite:///"))
        self.database = open_database(url, KEY)
        self.database.checkpoint()
        self.empty = {schema: self._loaded(schema) for schema in SCHEMAS}

    def wind_back(self):
        """Make it as it was, page for page."""
        for schema, pages in self.empty.items():
            with closing(self._opened(schema)) as file:
                pages.backup(file)

    def close(self):
        self.database.close()
        for pages in self.empty.values():
            pages.close()

    def _loaded(self, schema):
        pages = sqlite3.connect(":memory:")
        with closing(self._opened(schema)) as file:
            file.backup(pages)
        return pages

    def _opened(self, schema):
        return sqlite3.connect(self.files / f"{schema}.db")


@functools.cache
def _the_store():
    folder = tempfile.mkdtemp(
        prefix="interop-world-", dir=MEMORY if MEMORY.is_dir() else None
    )
    store = Store(Path(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(store.close)
    return store


def empty_store():
    """Return the store of this process with nothing in it; the last world's is gone."""
    store = _the_store()
    store.wind_back()
    return store.database
