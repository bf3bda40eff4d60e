"""How much room the store takes, and how much is left."""

import shutil
from pathlib import Path

from sqlalchemy import Connection


def space(connection: Connection, folder: Path | None) -> tuple[int, int | None]:
    """Return the bytes of the store, and those left; None where only a server knows.

    ``folder`` is where its files are, None where a server keeps them.
    """
    if folder is None:
        statement = "SELECT pg_database_size(current_database())"
        return int(connection.exec_driver_sql(statement).scalar_one()), None
    files = [each for each in folder.glob("*.db*") if each.is_file()]
    used = sum(each.stat().st_size for each in files)
    return used, shutil.disk_usage(folder).free
