"""Numbers of patients that were learned to stand for nobody. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Make the table, empty: what is a placeholder is seen when it comes again."""
    op.create_table(
        "placeholder",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trait", sa.Text(), server_default="", nullable=False),
        sa.Column("record", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.CheckConstraint("trait IN ('ssn', 'phone')", name="placeholder_trait"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # PostgreSQL checks its pages
        copied = ["trait", "record", "seen", "since"]
        op.create_index("placeholder_copy", "placeholder", copied, schema="engine")
