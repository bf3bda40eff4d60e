"""What subscribers were told of persons' identifiers. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the table; a subscriber begins with what changes from now on."""
    op.create_table(
        "identifiers_told",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", "person"),
        schema="engine",
        sqlite_with_rowid=False,
    )
