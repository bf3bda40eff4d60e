"""One store for all worlds of a process, wound back to an empty one for each.

A store that is opened anew, or whose pages are put back, costs a world half its time:
SQLite reads the schema again and prepares every statement once more. So only rows go.
"""

import atexit
import functools
import shutil
import sqlite3
import tempfile
from collections import namedtuple
from pathlib import Path

from engine.store.database import open_database
from engine.store.dialect import SCHEMAS
from tests.databases import KEY, empty_url

MEMORY = Path("/dev/shm")  # noqa: S108 - stores of a second's life
WINDING = "winding back"


class Store:
    """An open store, a look into it past the engine, and the rows of an empty one."""

    def __init__(self, folder):
        url = empty_url("sqlite", folder)
        self.database = open_database(url, KEY)
        self._look = sqlite3.connect(":memory:", isolation_level=None)
        for schema in SCHEMAS:
            path = f"{url.removeprefix('sqlite:///')}/{schema}.db"
            self._look.execute(f"ATTACH DATABASE ? AS {schema}", (path,))
        self._let_audit_go()
        self._empty = {
            table: self.rows(f"SELECT * FROM {table}")  # noqa: S608 - a fixed word
            for schema in SCHEMAS
            for table in self._tables(schema)
        }

    def rows(self, sql, *values):
        """Return what a query of our own finds, as named tuples."""
        found = self._look.execute(sql, values)
        if found.description is None:
            return []
        return list(map(_kind(*(each[0] for each in found.description))._make, found))

    def wind_back(self):
        """Make it as it was, row for row."""
        self.rows("BEGIN IMMEDIATE")
        self.rows("INSERT INTO engine.site VALUES (?, '')", WINDING)
        self.rows("DELETE FROM engine.audit")
        for table, rows in self._empty.items():
            self.rows(f"DELETE FROM {table}")  # noqa: S608 - a fixed word
            for row in rows:
                places = ", ".join("?" * len(row))
                self.rows(f"INSERT INTO {table} VALUES ({places})", *row)  # noqa: S608
        self.rows("COMMIT")

    def _tables(self, schema):
        sql = f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table'"  # noqa: S608
        return [f'{schema}."{row.name}"' for row in self.rows(sql)]

    def _let_audit_go(self):
        """Let go of audit rows while winding back, and at no other time."""
        [made] = self.rows(
            "SELECT sql FROM engine.sqlite_schema WHERE name = 'audit_delete'"
        )
        winding = f"SELECT 1 FROM site WHERE name = '{WINDING}'"  # noqa: S608
        self.rows("DROP TRIGGER engine.audit_delete")
        guarded = made.sql.replace(" BEGIN ", f" WHEN NOT EXISTS ({winding}) BEGIN ")
        self.rows(guarded.replace("audit_delete", "engine.audit_delete"))

    def close(self):
        self.database.close()
        self._look.close()


@functools.cache
def _kind(*names):
    return namedtuple("Row", names, rename=True)  # noqa: PYI024 - any query's


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
    return store
