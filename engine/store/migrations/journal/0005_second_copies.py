"""A second copy of what nothing else proves, for SQLite alone. Pre-deploy."""

from alembic import op

revision = "0005"
down_revision = "0004"

COPIES = {
    "batch": "channel control_id file_control_id declared found agrees received_at",
    "fragment": "place",
    "link_sequence": "number listener frozen",
}


def upgrade() -> None:
    """Index what stands in one place only; PostgreSQL has checksums of its own."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, columns in COPIES.items():
        op.create_index(f"{table}_copy", table, columns.split(), schema="journal")
