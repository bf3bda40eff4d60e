"""Whether a failure is the store's own: nothing that a message or a statement did."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

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
