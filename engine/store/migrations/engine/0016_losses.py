"""Losses that were accepted, found at once among all acts. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

LOSSES = "action IN ('accept-loss', 'message.lost')"


def upgrade() -> None:
    """Index the few acts that tell of a loss."""
    op.create_index(
        "audit_of_losses",
        "audit",
        ["id"],
        schema="engine",
        sqlite_where=sa.text(LOSSES),
        postgresql_where=sa.text(LOSSES),
    )
