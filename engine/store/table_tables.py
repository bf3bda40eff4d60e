"""What is kept of code tables: their history, and which messages missed a row."""

from sqlalchemy import Index, Table

from engine.store.schema import (
    ENGINE,
    digest,
    number,
    row_id,
    sealed,
    when,
    words,
)

table_change = Table(
    "table_change",
    ENGINE,
    row_id(),
    *words("table_name", "actor", "state", "decided_by", "version"),
    when("at"),
    sealed("content"),
    Index("table_change_by_table", "table_name", "id"),
)
"""Changes of code tables; ``content`` is the reason, and rows before and after."""

missed = Table(
    "missed",
    ENGINE,
    digest("key", primary_key=True),
    number("message_id", primary_key=True),
    sqlite_with_rowid=False,
)
"""The messages that stopped for a code without a row; ``key`` is `table_miss`'s."""
