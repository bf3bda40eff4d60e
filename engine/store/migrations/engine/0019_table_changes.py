"""The history of code tables, and which messages missed a row. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, empty: older misses are counted, but name no message."""
    op.create_table(
        "table_change",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("table_name", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "table_change_by_table", "table_change", ["table_name", "id"], schema="engine"
    )
    op.create_table(
        "missed",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "message_id"),
        schema="engine",
        sqlite_with_rowid=False,
    )
