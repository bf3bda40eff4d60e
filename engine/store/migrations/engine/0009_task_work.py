"""Work on doubts: when they are due, what was asked meanwhile, comments. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add columns that are empty at first, and the table of comments."""
    op.add_column(
        "task", sa.Column("due_at", sa.BigInteger(), nullable=True), schema="engine"
    )
    op.add_column(
        "task",
        sa.Column("asked", sa.Text(), server_default="", nullable=False),
        schema="engine",
    )
    op.create_table(
        "task_comment",
        sa.Column("task", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("task", "number"),
        schema="engine",
        sqlite_with_rowid=False,
    )
