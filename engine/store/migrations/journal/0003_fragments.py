"""Fragments of messages and their places. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "fragment",
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.Column("chain", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("place", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("awaits", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
        schema="journal",
    )
    op.create_index("fragment_by_chain", "fragment", ["chain"], schema="journal")
    op.create_index(
        "fragment_awaits",
        "fragment",
        ["awaits"],
        schema="journal",
        sqlite_where=sa.text("awaits IS NOT NULL"),
        postgresql_where=sa.text("awaits IS NOT NULL"),
    )
