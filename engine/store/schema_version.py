"""Which form of the schemas this release needs, and the way there.

Two trees of Alembic migrations, forward only: ``migrations/journal`` and
``migrations/engine``. File names begin with the revision.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from engine.errors import ConfigurationError
from engine.store.dialect import SCHEMAS
from engine.store.seal import Sealer

_FOLDER: Final = Path(__file__).parent / "migrations"


def newest(schema: str) -> str:
    """Return the last revision of a tree."""
    return max(path.name for path in (_FOLDER / schema).glob("[0-9]*.py"))[:4]


def found(connection: Connection, schema: str) -> str:
    """Return the revision that a schema has now; empty when it is new."""
    if not inspect(connection).has_table("alembic_version", schema=schema):
        return ""
    statement = text(f"SELECT version_num FROM {schema}.alembic_version")  # noqa: S608 - from SCHEMAS
    return str(connection.execute(statement).scalar() or "")


def is_current(connection: Connection) -> bool:
    """Tell whether both schemas have this release's form.

    Raises:
        ConfigurationError: a schema is newer than this release.
    """
    revisions = {schema: found(connection, schema) for schema in SCHEMAS}
    for schema, revision in revisions.items():
        if revision > newest(schema):
            raise ConfigurationError(
                f"The store's {schema} schema is at revision {revision}, which a newer "
                f"release made; this one knows {newest(schema)}."
            )
    return all(revisions[schema] == newest(schema) for schema in SCHEMAS)


def migrate(
    connection: Connection, schema: str, sealer: Sealer, revision: str = "head"
) -> None:
    """Bring one schema to this release's form, or an earlier one's; uncommitted.

    ``sealer`` opens what a change of form has to write anew.
    """
    from alembic import command  # noqa: PLC0415 - slow to import, rarely needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("version_locations", str(_FOLDER / schema))
    config.attributes.update(connection=connection, schema=schema, sealer=sealer)
    command.upgrade(config, revision)
