"""Who may use console and API: tokens, invitations, sessions; in schema ``engine``."""

from sqlalchemy import Index, Table

from engine.store.schema import (
    ENGINE,
    digest,
    instants,
    row_id,
    sealed,
    when,
    word,
    words,
)

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

invitation = Table(
    "invitation",
    ENGINE,
    digest("hash", primary_key=True),
    *words("name", "permissions"),
    when("expires_at"),
)
"""One-time codes to sign in with; a used one is gone."""

session = Table(
    "session",
    ENGINE,
    digest("hash", primary_key=True),
    *words("name", "permissions"),
    *instants("seen_at", "expires_at"),
    Index("session_by_end", "expires_at"),
)
"""Who is signed in at the console; ``hash`` is of what the browser holds."""

saved_query = Table(
    "saved_query",
    ENGINE,
    word("key", primary_key=True),
    sealed("content"),
    word("actor"),
    when("kept_at"),
)
"""Searches that may name a patient, so that addresses hold a key alone."""
