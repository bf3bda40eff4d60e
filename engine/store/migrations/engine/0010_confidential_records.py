"""What sources say of confidential patients, by record. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add a column; nobody is confidential until a message says so."""
    op.add_column(
        "record",
        sa.Column("confidential", sa.BigInteger(), server_default="0", nullable=False),
        schema="engine",
    )
