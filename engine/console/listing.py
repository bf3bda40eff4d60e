"""A list as a page, as its rows alone, as JSON and as CSV, from one function.

Spec:
    console.md 2 and 6; security.md S27.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.rendering import page

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would calculate instead of showing."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of plain values by column name; ``more`` is the address of the next page."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]
    more: str = ""


def answer(
    request: Request, found: Listing, template: str, **values: object
) -> Response:
    """Return a list in the form that the address asks for.

    Raises:
        HTTPException: the address ends in a form that there is not.
    """
    form = request.path_params.get("form", "html")
    if form == "json":
        content = {"items": [_plain(found, row) for row in found.rows]}
        more = {"next": found.more} if found.more else {}
        return Response(orjson.dumps(content | more), media_type="application/json")
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{found.name}.csv"'}
        return Response(_csv(found), headers=headers, media_type="text/csv")
    if form != "html":
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return page(request, template, found=found, **values)


def _plain(found: Listing, row: Mapping[str, object]) -> dict[str, object]:
    return {name: _utc(row[name]) for name in found.columns}


def _csv(found: Listing) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(found.columns)
    for row in found.rows:
        writer.writerow([_cell(row[name]) for name in found.columns])
    return text.getvalue()


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _cell(value: object) -> str:
    """Return a value as text that no spreadsheet takes for a formula."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
