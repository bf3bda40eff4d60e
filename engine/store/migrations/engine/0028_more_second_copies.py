"""A second copy of what nothing else proves, for SQLite alone. Pre-deploy.

Whom a lane is of stands in the index that is asked for lanes, in both databases.
"""

from alembic import op

revision = "0028"
down_revision = "0027"

COPIES = {
    "comment": "at author",
    "corrected": "event",
    "error_group": "channel destination stage class code cause open first_at last_at",
    "held_person": "since",
    "lane_join": "until_id",
    "lease": "owner epoch until",
    "redo": "asked_at tries",
    "release": "message_id",
    "resource": "resource_type sent source_time message_id",
    "run_state": "state note changed_by changed_at",
    "table_miss": "channel table_name sender message_id",
    "account": "grants tags password created_at disabled_at",
    "ceremony": "kind expires_at",
    "factor": "kind label used created_at",
    "invitation": "account enrols expires_at",
    "kept_answer": "digest",
    "saved_query": "actor kept_at",
    "session": "id means address began_at proved_at viewed_as masked glass_until",
    "token": "name permissions tags created_at created_by expires_at revoked_at",
    "config_file": "revision",
    "config_revision": "actor state at",
    "document_order": "ordered_at",
    "document_round": "until",
    "edited_copy": "message_id channel actor refusal gives_up asked_at",
    "missed": "message_id",
    "different": "low_identifying high_identifying",
    "identifiers_told": "digest",
    "record_version": "happened",
    "second_look": "kind first_at first_by first second_at second_by second",
    "task": "category reason state person held millibits model opened_at "
    "assignee decided_at decided_by decision due_at asked",
    "task_candidate": "millibits",
    "task_comment": "at author",
    "table_change": "actor state decided_by version at",
    "incident": "key kind channel place severity sentence notify parts "
    "after_seconds begun_at held_at opened_at acknowledged_at "
    "acknowledged_by note snoozed_until",
    "maintenance": "channel begins_at author reason",
    "notice": "incident told contact sentence severity due_at state tries "
    "trouble sent_at",
}
LANES = ["channel", "destination", "state", "next_at", "head_id", "person"]


def upgrade() -> None:
    """Index what stands in one place only; PostgreSQL has checksums of its own."""
    op.drop_index("lane_by_state", "lane", schema="engine")
    op.create_index("lane_by_state", "lane", LANES, schema="engine")
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, columns in COPIES.items():
        op.create_index(f"{table}_copy", table, columns.split(), schema="engine")
