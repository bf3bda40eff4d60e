"""Run by Alembic, for one schema, on a connection that the store opened."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"], version_table_schema=attributes["schema"]
)
context.run_migrations()
