"""Who may use console and API: accounts, sessions, tokens; in schema ``engine``."""

from sqlalchemy import Index, Table

from engine.store.schema import (
    ENGINE,
    digest,
    instants,
    is_one_of,
    number,
    row_id,
    sealed,
    when,
    word,
    words,
)
from engine.store.words import FactorKind

account = Table(
    "account",
    ENGINE,
    row_id(),
    *words("name", "grants", "tags", "password", "external"),
    when("created_at"),
    when("disabled_at", nullable=True),
    Index("account_by_name", "name", unique=True),
    Index("account_by_external", "external"),
)
"""A person who may sign in: ``grants`` are roles and permissions, ``tags`` those of the
channels, ``*`` for all. ``password`` is its argon2id hash; ``external`` says who the
identity provider calls this."""

factor = Table(
    "factor",
    ENGINE,
    row_id(),
    number("account"),
    *words("kind", "label", "handle"),
    sealed("secret"),
    number("used"),
    when("created_at"),
    is_one_of("kind", FactorKind, "factor_kind"),
    Index("factor_by_account", "account"),
    Index("factor_by_handle", "handle"),
)
"""What somebody has beside a password. ``handle`` is a passkey's id or a recovery
code's hash; ``used`` the last step of a TOTP, or a passkey's count of signatures."""

invitation = Table(
    "invitation",
    ENGINE,
    digest("hash", primary_key=True),
    *(number("account"), number("enrols")),
    when("expires_at"),
)
"""One-time codes; a used one is gone. One that ``enrols`` leads to a password."""

session = Table(
    "session",
    ENGINE,
    digest("hash", primary_key=True),
    *(number("id"), number("account")),
    *words("means", "address"),
    *instants("began_at", "seen_at", "proved_at", "expires_at"),
    word("viewed_as"),
    number("masked"),
    when("glass_until", nullable=True),
    Index("session_by_end", "expires_at"),
    Index("session_by_account", "account"),
)
"""Who is signed in at the console; ``hash`` is of what the browser holds."""

ceremony = Table(
    "ceremony",
    ENGINE,
    digest("hash", primary_key=True),
    word("kind"),
    sealed("content"),
    when("expires_at"),
)
"""Signing in half-way: what was asked of a browser and is answered once."""

token = Table(
    "token",
    ENGINE,
    row_id(),
    word("name"),
    digest("hash"),
    *words("permissions", "tags"),
    when("created_at"),
    word("created_by"),
    when("expires_at"),
    when("revoked_at", nullable=True),
    Index("token_by_hash", "hash", unique=True),
)
"""``permissions`` and ``tags`` are words with a blank between them."""

saved_query = Table(
    "saved_query",
    ENGINE,
    word("key", primary_key=True),
    sealed("content"),
    word("actor"),
    when("kept_at"),
)
"""Searches that may name a patient, so that addresses hold a key alone."""

kept_answer = Table(
    "kept_answer",
    ENGINE,
    digest("key", primary_key=True),
    digest("digest"),
    sealed("content"),
    when("kept_at"),
    Index("kept_answer_by_age", "kept_at"),
)
"""What programs were answered: ``key`` is theirs, ``digest`` of what they ordered."""
