"""Link events are found by the task they answered. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Make the index; only what people decided is in it."""
    op.create_index(
        "link_event_by_task",
        "link_event",
        ["task"],
        schema="engine",
        sqlite_where=sa.text("task > 0"),
        postgresql_where=sa.text("task > 0"),
    )
