"""The configurations that went live. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, empty: the first start writes what is live then."""
    op.create_table(
        "config_revision",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("node", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "config_revision_by_node", "config_revision", ["node", "id"], schema="engine"
    )
    op.create_table(
        "config_file",
        sa.Column("revision_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("revision_id", "path"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "config_file_by_path", "config_file", ["path", "revision_id"], schema="engine"
    )
    op.create_index("config_file_by_text", "config_file", ["sha256"], schema="engine")
    op.create_table(
        "config_text",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("sha256"),
        schema="engine",
        sqlite_with_rowid=False,
    )
