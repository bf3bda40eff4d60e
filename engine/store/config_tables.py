"""What is kept of the configuration: when which files went live, and their texts."""

from sqlalchemy import Index, Table

from engine.store.schema import (
    ENGINE,
    digest,
    number,
    row_id,
    sealed,
    when,
    word,
    words,
)

config_revision = Table(
    "config_revision",
    ENGINE,
    row_id(),
    *words("node", "actor", "state"),
    when("at"),
    sealed("content"),
    Index("config_revision_by_node", "node", "id"),
)
"""Each configuration of a node that went live; ``content`` is the reason."""

config_file = Table(
    "config_file",
    ENGINE,
    number("revision_id", primary_key=True),
    word("path", primary_key=True),
    digest("sha256"),
    word("revision"),
    Index("config_file_by_path", "path", "revision_id"),
    Index("config_file_by_text", "sha256"),
    sqlite_with_rowid=False,
)
"""The files of a configuration; ``revision`` is a channel's, empty for other files."""

config_text = Table(
    "config_text",
    ENGINE,
    digest("sha256", primary_key=True),
    sealed("content"),
    sqlite_with_rowid=False,
)
"""Each text once, by its hash."""
