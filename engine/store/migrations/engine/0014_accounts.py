"""Accounts with their second factors; access by channel tag. Pre-deploy.

Codes and sessions without an account end here: people are invited again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def text(name: str) -> "sa.Column[str]":
    """Return a text that is empty where nothing is said."""
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def number(name: str) -> "sa.Column[int]":
    """Return a number that is 0 where nothing is said."""
    return sa.Column(
        name, sa.BigInteger(), server_default="0", autoincrement=False, nullable=False
    )


def when(name: str, *, nullable: bool = False) -> "sa.Column[int]":
    """Return an instant."""
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def row_id() -> "sa.Column[int]":
    """Return the key of a table of numbered rows."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Make the tables anew that named a person without an account."""
    op.create_table(
        "account",
        row_id(),
        *map(text, ("name", "grants", "tags", "password", "external")),
        *(when("created_at"), when("disabled_at", nullable=True)),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_table(
        "factor",
        *(row_id(), number("account")),
        *map(text, ("kind", "label", "handle")),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        *(number("used"), when("created_at")),
        sa.CheckConstraint(
            "kind IN ('totp', 'passkey', 'recovery')", name="factor_kind"
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.drop_table("invitation", schema="engine")
    op.create_table(
        "invitation",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        *(number("account"), number("enrols"), when("expires_at")),
        sa.PrimaryKeyConstraint("hash"),
        schema="engine",
    )
    op.drop_index("session_by_end", "session", schema="engine")
    op.drop_table("session", schema="engine")
    op.create_table(
        "session",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        *(number("id"), number("account"), text("means"), text("address")),
        *map(when, ("began_at", "seen_at", "proved_at", "expires_at")),
        *(text("viewed_as"), number("masked"), when("glass_until", nullable=True)),
        sa.PrimaryKeyConstraint("hash"),
        schema="engine",
    )
    op.create_table(
        "ceremony",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        text("kind"),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        when("expires_at"),
        sa.PrimaryKeyConstraint("hash"),
        schema="engine",
    )
    op.add_column("token", text("tags"), schema="engine")
    op.execute("UPDATE engine.token SET tags = '*'")
    _index("account_by_name", "account", "name", unique=True)
    _index("account_by_external", "account", "external")
    _index("factor_by_account", "factor", "account")
    _index("factor_by_handle", "factor", "handle")
    _index("session_by_end", "session", "expires_at")
    _index("session_by_account", "session", "account")


def _index(name: str, table: str, column: str, *, unique: bool = False) -> None:
    op.create_index(name, table, [column], unique=unique, schema="engine")
