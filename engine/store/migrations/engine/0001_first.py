"""The first form of the engine schema. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

INSERT_ONLY = {
    "sqlite": [
        f"""CREATE TRIGGER engine.audit_{event} BEFORE {event} ON audit
        BEGIN SELECT RAISE(ABORT, 'audit rows are insert-only'); END"""
        for event in ("update", "delete")
    ],
    "postgresql": [
        """CREATE FUNCTION engine.insert_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'audit rows are insert-only'; END $$""",
        """CREATE TRIGGER audit_insert_only
        BEFORE UPDATE OR DELETE OR TRUNCATE ON engine.audit
        FOR EACH STATEMENT EXECUTE FUNCTION engine.insert_only()""",
    ],
}
"""Audit rows are never changed or deleted."""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "attempt",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("revision", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("processed_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", "attempt"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.LargeBinary(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_table(
        "comment",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index("comment_by_entry", "comment", ["entry_id"], schema="engine")
    op.create_table(
        "counter",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("subject", "channel", "destination", "state"),
        schema="engine",
    )
    op.create_table(
        "delivery",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ordinal", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("lane_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("aside", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("class", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("on_failure", sa.Text(), server_default="", nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "on_failure IN ('park', 'continue', 'stop')", name="delivery_on_failure"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'leased', 'delivered', 'failed', 'discarded')",
            name="delivery_state",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index("delivery_by_message", "delivery", ["message_id"], schema="engine")
    op.create_index(
        "delivery_failed",
        "delivery",
        ["id"],
        schema="engine",
        sqlite_where=sa.text("state = 'failed'"),
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_index(
        "delivery_queued",
        "delivery",
        ["lane_id", "id"],
        schema="engine",
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "document",
        sa.Column("set_key", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("set_key", "number"),
        schema="engine",
    )
    op.create_table(
        "error_entry",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("class", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("group_key", sa.Text(), server_default="", nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("resolution", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('message', 'delivery', 'quarantined', 'held')",
            name="error_entry_kind",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "error_entry_by_delivery", "error_entry", ["delivery_id"], schema="engine"
    )
    op.create_index(
        "error_entry_by_message", "error_entry", ["message_id"], schema="engine"
    )
    op.create_index(
        "error_entry_open",
        "error_entry",
        ["group_key", "id"],
        schema="engine",
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "error_group",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("class", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("open", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
    )
    op.create_table(
        "held_person",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
    )
    op.create_index(
        "held_person_by_message", "held_person", ["message_id"], schema="engine"
    )
    op.create_table(
        "lane",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("head_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('ready', 'leased', 'parked')", name="lane_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "lane_by_state",
        "lane",
        ["channel", "destination", "state", "next_at", "head_id"],
        schema="engine",
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="engine",
    )
    op.create_table(
        "message",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("behind", sa.BigInteger(), nullable=True),
        sa.Column("processed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'filtered', 'processed', 'held', 'error')",
            name="message_state",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "message_behind",
        "message",
        ["behind"],
        schema="engine",
        sqlite_where=sa.text("behind IS NOT NULL"),
        postgresql_where=sa.text("behind IS NOT NULL"),
    )
    op.create_index(
        "message_not_done",
        "message",
        ["state", "id"],
        schema="engine",
        sqlite_where=sa.text("state IN ('received', 'held', 'error')"),
        postgresql_where=sa.text("state IN ('received', 'held', 'error')"),
    )
    op.create_table(
        "process",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("node", "role", "name"),
        schema="engine",
    )
    op.create_table(
        "progress",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("trying_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("channel", "partition"),
        schema="engine",
    )
    op.create_table(
        "redo",
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
        schema="engine",
    )
    op.create_index(
        "redo_by_channel", "redo", ["channel", "message_id"], schema="engine"
    )
    op.create_table(
        "release",
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
        schema="engine",
    )
    op.create_table(
        "rendered",
        sa.Column("delivery_id", ROW_ID, nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id"),
        schema="engine",
    )
    op.create_table(
        "resource",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("resource_type", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("source_time", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index("resource_by_person", "resource", ["person"], schema="engine")
    op.create_table(
        "run_state",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'paused', 'stopped')", name="run_state_state"
        ),
        sa.PrimaryKeyConstraint("channel", "destination"),
        schema="engine",
    )
    op.create_table(
        "search_key",
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("value", "message_id"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sequence",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="engine",
    )
    op.create_table(
        "site",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="engine",
    )
    op.create_table(
        "table_miss",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("table_name", sa.Text(), server_default="", nullable=False),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("message_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
    )
    for statement in INSERT_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
