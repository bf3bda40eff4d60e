"""A record may be one of a patient whom its system removed. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
_BEFORE = "kind IN ('ordinary', 'unnamed', 'unidentified', 'test')"
_AFTER = "kind IN ('ordinary', 'unnamed', 'unidentified', 'test', 'removed')"


def upgrade() -> None:
    """Let one more word into the column; no row changes."""
    if op.get_bind().dialect.name == "sqlite":
        _reworded(op.get_bind())
        return
    op.drop_constraint("record_kind", "record", schema="engine")
    op.create_check_constraint("record_kind", "record", _AFTER, schema="engine")


def _reworded(connection: sa.Connection) -> None:
    """Change the text of the CHECK, as SQLite says how (lang_altertable, 7).

    A copy of the table would write every record of the index anew, for nothing.
    """
    run = connection.exec_driver_sql
    version = run("PRAGMA engine.schema_version").scalar_one()
    run("PRAGMA writable_schema = ON")
    changed = run(
        "UPDATE engine.sqlite_schema SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'record' AND instr(sql, ?)",
        (_BEFORE, _AFTER, _BEFORE),
    ).rowcount
    run(f"PRAGMA engine.schema_version = {version + 1}")
    run("PRAGMA writable_schema = OFF")
    assert changed == 1, "the table is as its migrations made it"
