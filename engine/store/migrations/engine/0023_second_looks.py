"""What two people said of one doubt, each by themselves. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "second_look",
        sa.Column("task", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("first_by", sa.Text(), server_default="", nullable=False),
        sa.Column("first", sa.Text(), server_default="", nullable=False),
        sa.Column("second_at", sa.BigInteger(), nullable=True),
        sa.Column("second_by", sa.Text(), server_default="", nullable=False),
        sa.Column("second", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("task"),
        sa.CheckConstraint("kind IN ('four-eyes', 'blind')", name="second_look_kind"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "second_look_waiting",
        "second_look",
        ["task"],
        schema="engine",
        sqlite_where=sa.text("second_by = ''"),
        postgresql_where=sa.text("second_by = ''"),
    )
