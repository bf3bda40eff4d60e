"""Alembic revisions, one tree for each schema."""
