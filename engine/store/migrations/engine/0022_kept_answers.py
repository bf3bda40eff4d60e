"""What programs were answered, by the keys of their orders. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "kept_answer",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
    )
    op.create_index("kept_answer_by_age", "kept_answer", ["kept_at"], schema="engine")
