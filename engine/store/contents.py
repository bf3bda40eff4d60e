"""Contents that are read with their rows while small, and one by one when they are not.

Many large ones claimed at once would otherwise stand in memory together.
"""

from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, case, func

from engine.store.schema import Found

SMALL_BYTES: Final = 262_144
"""Sealed contents up to this size come with their rows."""


def small(content: Column[bytes]) -> list[ColumnElement[object]]:
    """Return the columns ``content``, where it is small, and its ``sealed_bytes``."""
    size = func.length(content)
    return [
        case((size <= SMALL_BYTES, content)).label("content"),
        size.label("sealed_bytes"),
    ]


def sealed(
    connection: Connection, row: Found, alone: Select[Any], number: int
) -> bytes | None:
    """Return the sealed content of a row, or None where there is none.

    ``alone`` selects the content of one ``number``.
    """
    found: bytes | None = row.content
    if found is None and row.sealed_bytes is not None:
        found = connection.execute(alone, {"number": number}).scalar_one()
    return found
