"""A second copy of what no checksum covers, for SQLite alone. Pre-deploy."""

from alembic import op

revision = "0012"
down_revision = "0011"

COPIES = {
    "search_key": "message_id",
    "delivery": "queued_at attempt ordinal event destination lane_id attempts "
    "not_before aside owner epoch content_type class code sentence note on_failure "
    "settled_at",
    "error_entry": "opened_at kind channel destination stage class code sentence "
    "group_key label assignee closed_at closed_by resolution",
    "record": "message authority kind happened confidential",
    "block": "record",
    "family_record": "record",
    "person": "state survivor confidential",
    "identifier": "authority type state",
    "link_event": "at actor kind source target reason message task via undoes model",
    "decision": "message control_id outcome reasons candidate millibits levels model",
}


def upgrade() -> None:
    """Index what stands in one place only; PostgreSQL has checksums of its own."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, columns in COPIES.items():
        op.create_index(f"{table}_copy", table, columns.split(), schema="engine")
