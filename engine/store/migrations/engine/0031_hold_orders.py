"""Messages that a person wants held, until their worker gets to them. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table, empty: an earlier release's worker holds nothing by it."""
    op.create_table(
        "hold_order",
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
        schema="engine",
    )
    if op.get_bind().dialect.name == "sqlite":  # PostgreSQL checks its pages
        copied = ["channel", "actor", "asked_at"]
        op.create_index("hold_order_copy", "hold_order", copied, schema="engine")
