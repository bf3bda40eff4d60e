"""Revisions of the journal schema."""
