"""Which keys of the key file came into use after the first. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Make the table, empty: what there is was sealed with the first key."""
    op.create_table(
        "key_use",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        schema="engine",
        sqlite_with_rowid=False,
    )
