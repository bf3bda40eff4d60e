"""Links that are frozen, and whose they are. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; no release before this one wrote the table."""
    op.add_column(
        "link_sequence",
        sa.Column("listener", sa.Text(), server_default="", nullable=False),
        schema="journal",
    )
    op.add_column(
        "link_sequence",
        sa.Column("frozen", sa.BigInteger(), server_default="0", nullable=False),
        schema="journal",
    )
