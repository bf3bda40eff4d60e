"""Who may call the API: the tables of accounts and tokens, in the schema ``engine``."""

from sqlalchemy import Index, Table

from engine.store.schema import ENGINE, digest, row_id, when, word

token = Table(
    "token",
    ENGINE,
    row_id(),
    word("name"),
    digest("hash"),
    word("permissions"),
    when("created_at"),
    word("created_by"),
    when("expires_at"),
    when("revoked_at", nullable=True),
    Index("token_by_hash", "hash", unique=True),
)
"""``permissions`` are words with a blank between them."""
