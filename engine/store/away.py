"""Whether a failure is the store's own or its caller's, and what a person mends."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError

from engine.errors import StoreError

_PASSING_STATES: Final = ("08", "25", "40", "53", "57", "58")
"""Classes of SQLSTATE that are about the server, not about what it was asked."""


def is_away(error: BaseException) -> bool:
    """Whether a store could not serve, whatever it was asked: nobody is to blame.

    Not so a statement that it refuses for what it says.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, StoreError)
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        operational = isinstance(error.orig, sqlite3.OperationalError)
        return operational and code & 0xFF != sqlite3.SQLITE_ERROR
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:  # the connection, not the server, failed
        return isinstance(error, OperationalError | InterfaceError)
    return state.startswith(_PASSING_STATES)


def is_unstorable(error: BaseException | None) -> bool:
    """Whether a database refused a value as such: a number too large, a NUL in text."""
    return isinstance(error, DataError)


_NO_RIGHT: Final = "42501"
_MENDED_BY: Final = (
    (
        ("password",),
        "Put the user and the password that the server knows into store.url.",
    ),
    (
        ('role "',),
        "Make the role on the server (CREATE ROLE ... LOGIN), or mend store.url.",
    ),
    (
        ('database "', "does not exist"),
        "Make it on the server (CREATE DATABASE ... OWNER ...), or mend store.url.",
    ),
    (
        ("pg_hba.conf",),
        "Add a line to the server's pg_hba.conf that lets this node in, and reload it.",
    ),
    (
        ("permission denied",),
        "Let the role of store.url own the database: ALTER DATABASE ... OWNER TO ...",
    ),
)
"""What PostgreSQL says when it is there and refuses who asks, and what mends it. The
client library gives no code of what the server said before a connection was made. In
another language than English nothing is recognised, and the server passes for away."""


def mended_by(error: BaseException) -> str:
    """Return what a person has to do; "" where nothing is known, or waiting helps."""
    if not isinstance(error, DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return ""
    if getattr(error.orig, "sqlstate", None) not in {None, _NO_RIGHT}:
        return ""
    said = str(error.orig)
    for words, fix in _MENDED_BY:
        if all(word in said for word in words):
            return fix
    return ""
