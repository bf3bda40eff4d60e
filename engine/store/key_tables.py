"""Which keys have come into use; in schema ``engine``."""

from sqlalchemy import Table

from engine.store.schema import ENGINE, number, sealed

key_use = Table(
    "key_use",
    ENGINE,
    number("number", primary_key=True),
    sealed("since"),
    sqlite_with_rowid=False,
)
"""The keys after the first: ``since`` is when each came into use, sealed with it."""
