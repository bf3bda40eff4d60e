"""Incidents, what is said of them, and maintenance windows. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def _word(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _when(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _id() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=False)


def _words(*names: str) -> list[sa.Column[str]]:
    return [_word(name) for name in names]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "incident",
        _id(),
        *_words("key", "kind", "channel", "place", "severity", "sentence", "notify"),
        _number("parts"),
        _number("after_seconds"),
        _when("begun_at"),
        _when("held_at"),
        _when("opened_at", nullable=True),
        _when("ended_at", nullable=True),
        _when("acknowledged_at", nullable=True),
        *_words("acknowledged_by", "note"),
        _when("snoozed_until", nullable=True),
        schema="engine",
    )
    _partial("incident_unfinished", "incident", "id", "ended_at IS NULL")
    op.create_index("incident_by_end", "incident", ["ended_at"], schema="engine")
    op.create_table(
        "notice",
        _id(),
        _number("incident"),
        *_words("told", "contact", "sentence", "severity"),
        _when("due_at"),
        _word("state"),
        _number("tries"),
        _word("trouble"),
        _when("sent_at", nullable=True),
        schema="engine",
    )
    _partial("notice_queued", "notice", "due_at", "state = 'queued'")
    op.create_table(
        "maintenance",
        _id(),
        _word("channel"),
        _when("begins_at"),
        _when("ends_at"),
        *_words("author", "reason"),
        schema="engine",
    )
    op.create_index("maintenance_by_end", "maintenance", ["ends_at"], schema="engine")


def _partial(name: str, table: str, column: str, where: str) -> None:
    op.create_index(
        name,
        table,
        [column],
        schema="engine",
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
