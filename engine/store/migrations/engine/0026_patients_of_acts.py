"""Whose data an act showed, as a keyed hash. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add a column; the acts there are stay as they were written, without one."""
    op.add_column(
        "audit",
        sa.Column("patient", sa.Text(), server_default="", nullable=False),
        schema="engine",
    )
