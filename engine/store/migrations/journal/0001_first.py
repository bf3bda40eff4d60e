"""The first form of the journal schema. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "dedupe",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("ack_code", sa.Text(), server_default="", nullable=False),
        sa.Column("repeats", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", "content_hash"),
        schema="journal",
        sqlite_with_rowid=False,
    )
    op.create_index("dedupe_by_time", "dedupe", ["received_at"], schema="journal")
    op.create_table(
        "intake",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("messages", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("repeats", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel"),
        schema="journal",
    )
    op.create_table(
        "link_sequence",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("link"),
        schema="journal",
    )
    op.create_table(
        "message",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("listener", sa.Text(), server_default="", nullable=False),
        sa.Column("peer", sa.Text(), server_default="", nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("control_id", sa.Text(), server_default="", nullable=False),
        sa.Column("message_type", sa.Text(), server_default="", nullable=False),
        sa.Column("trigger_event", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("ack_code", sa.Text(), server_default="", nullable=False),
        sa.Column("findings", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "verdict IN ('accepted', 'quarantined')", name="message_verdict"
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="journal",
    )
    op.create_index(
        "message_by_channel", "message", ["channel", "id"], schema="journal"
    )
    op.create_index("message_by_time", "message", ["received_at"], schema="journal")
    op.create_table(
        "sequence",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="journal",
    )
