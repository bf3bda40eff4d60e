"""The tables of the patient index. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "authority",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "authority_by_key", "authority", ["key"], unique=True, schema="engine"
    )
    op.create_table(
        "block",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "record"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision",
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("candidate", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("millibits", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("levels", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message", "record"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "decision_by_record", "decision", ["record"], unique=False, schema="engine"
    )
    op.create_table(
        "different",
        sa.Column("low", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("high", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("low_identifying", sa.LargeBinary(), nullable=False),
        sa.Column("high_identifying", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("low", "high"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "different_by_high", "different", ["high"], unique=False, schema="engine"
    )
    op.create_table(
        "identifier",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("authority", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('active', 'old')", name="identifier_state"),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "identifier_by_record", "identifier", ["record"], unique=False, schema="engine"
    )
    op.create_table(
        "link_event",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("task", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("via", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("undoes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('link', 'unlink', 'merge', 'unmerge', 'split', 'different', "
            "'withdraw')",
            name="link_event_kind",
        ),
        sa.PrimaryKeyConstraint("id", "record"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "link_event_by_record", "link_event", ["record"], unique=False, schema="engine"
    )
    op.create_index(
        "link_event_by_source",
        "link_event",
        ["source"],
        unique=False,
        schema="engine",
        sqlite_where=sa.text("source <> ''"),
        postgresql_where=sa.text("source <> ''"),
    )
    op.create_index(
        "link_event_by_undone",
        "link_event",
        ["undoes"],
        unique=False,
        schema="engine",
        sqlite_where=sa.text("undoes > 0"),
        postgresql_where=sa.text("undoes > 0"),
    )
    op.create_table(
        "name_count",
        sa.Column("key", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("records", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
    )
    op.create_table(
        "person",
        sa.Column("eid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("survivor", sa.Text(), nullable=False),
        sa.Column("confidential", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("state IN ('active', 'retired')", name="person_state"),
        sa.PrimaryKeyConstraint("eid"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "person_by_survivor",
        "person",
        ["survivor"],
        unique=False,
        schema="engine",
        sqlite_where=sa.text("survivor <> ''"),
        postgresql_where=sa.text("survivor <> ''"),
    )
    op.create_table(
        "record",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("authority", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("happened", sa.Text(), nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identifying", sa.LargeBinary(), nullable=False),
        sa.Column("traits", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('ordinary', 'unnamed', 'unidentified', 'test')",
            name="record_kind",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "record_by_person", "record", ["person"], unique=False, schema="engine"
    )
    op.create_table(
        "record_version",
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("happened", sa.Text(), nullable=False),
        sa.Column("traits", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("record", "message"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "task",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("held", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("millibits", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("assignee", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "category IN ('duplicate', 'overlap', 'overlay', 'conflicting-merge')",
            name="task_category",
        ),
        sa.CheckConstraint("state IN ('open', 'decided', 'undone')", name="task_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="engine",
    )
    op.create_index(
        "task_by_message", "task", ["message"], unique=False, schema="engine"
    )
    op.create_index("task_by_record", "task", ["record"], unique=False, schema="engine")
    op.create_index(
        "task_open",
        "task",
        ["category", "id"],
        unique=False,
        schema="engine",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "task_candidate",
        sa.Column("task", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("millibits", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("task", "record"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "task_candidate_by_record",
        "task_candidate",
        ["record"],
        unique=False,
        schema="engine",
    )
