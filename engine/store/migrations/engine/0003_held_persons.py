"""A person may wait for several messages at a time. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table anew with a wider key; who waits goes on waiting."""
    held = sa.table(
        "held_person",
        sa.column("key"),
        sa.column("message_id"),
        sa.column("since"),
        schema="engine",
    )
    rows = op.get_bind().execute(sa.select(held)).mappings().all()
    op.drop_index("held_person_by_message", table_name="held_person", schema="engine")
    op.drop_table("held_person", schema="engine")
    op.create_table(
        "held_person",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "message_id"),
        schema="engine",
    )
    op.create_index(
        "held_person_by_message", "held_person", ["message_id"], schema="engine"
    )
    if rows:
        op.get_bind().execute(sa.insert(held), [dict(row) for row in rows])
