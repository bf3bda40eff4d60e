"""Moves of channels, found at once among all acts. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

MOVES = "action IN ('channel.running', 'channel.paused', 'channel.stopped')"


def upgrade() -> None:
    """Index the few acts that start, pause and stop."""
    op.create_index(
        "audit_of_run_states",
        "audit",
        ["id"],
        schema="engine",
        sqlite_where=sa.text(MOVES),
        postgresql_where=sa.text(MOVES),
    )
