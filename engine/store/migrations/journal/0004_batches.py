"""Batches, and which messages came in them. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "batch",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("control_id", sa.Text(), server_default="", nullable=False),
        sa.Column("file_control_id", sa.Text(), server_default="", nullable=False),
        sa.Column("declared", sa.Text(), server_default="", nullable=False),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("agrees", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="journal",
    )
    op.add_column(
        "message",
        sa.Column("batch", sa.Text(), server_default="", nullable=False),
        schema="journal",
    )
    op.create_index(
        "message_by_batch",
        "message",
        ["batch", "id"],
        schema="journal",
        sqlite_where=sa.text("batch <> ''"),
        postgresql_where=sa.text("batch <> ''"),
    )
