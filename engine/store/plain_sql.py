"""Hot statements without SQLAlchemy's cost per statement, on the same connection.

A statement costs 50 microseconds through Core and 3 through the driver. Identity asks
up to four per message, so these few are written as SQL, once for both databases.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

Fetch = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Rows of a statement with ``?`` for its parameters."""


def fetcher(connection: Connection) -> Fetch:
    """Return what fetches rows inside the connection's transaction."""
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection in use has its driver's"
    execute = driver.execute
    if connection.dialect.name == "sqlite":

        def fetch(sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = execute(sql, values).fetchall()
            return rows

    else:

        def fetch(sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = execute(
                sql.replace("?", "%s"), values, prepare=True
            ).fetchall()
            return rows

    return fetch


def insert_many(
    connection: Connection, sql: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Execute a statement with ``?`` for its parameters once for each row."""
    if rows:
        plain = connection.dialect.name == "sqlite"
        connection.exec_driver_sql(sql if plain else sql.replace("?", "%s"), list(rows))
