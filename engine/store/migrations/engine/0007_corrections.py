"""Corrections after decisions about persons; lanes that follow others. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables; what was decided before is corrected already, or never was."""
    op.create_table(
        "lane_join",
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("after_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("lane_id", "after_id"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "corrected",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("channel"),
        schema="engine",
    )
    op.add_column(
        "delivery",
        sa.Column("event", sa.BigInteger(), server_default="0", nullable=False),
        schema="engine",
    )
    op.create_index(
        "link_event_moves",
        "link_event",
        ["id"],
        schema="engine",
        sqlite_where=sa.text("source <> ''"),
        postgresql_where=sa.text("source <> ''"),
    )
    op.create_index("document_by_message", "document", ["message_id"], schema="engine")
    op.execute(
        "INSERT INTO engine.corrected (channel, event) "
        "SELECT DISTINCT channel, "
        "(SELECT coalesce(max(id), 0) FROM engine.link_event) FROM engine.progress"
    )
