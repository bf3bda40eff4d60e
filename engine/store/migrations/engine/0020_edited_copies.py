"""Edited copies of messages, for the edge to journal. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = "message_id = 0 AND refusal = ''"
JOURNALED = "message_id <> 0"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "edited_copy",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("origin", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("refusal", sa.Text(), server_default="", nullable=False),
        sa.Column("gives_up", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    for name, columns, where in (
        ("edited_copy_by_origin", ["origin"], None),
        ("edited_copy_by_message", ["message_id"], sa.text(JOURNALED)),
        ("edited_copy_waiting", ["id"], sa.text(WAITING)),
    ):
        op.create_index(
            name,
            "edited_copy",
            columns,
            schema="engine",
            sqlite_where=where,
            postgresql_where=where,
        )
