"""Code tables: read one, give a code its meaning.

A table's ``ETag`` is its version: a change sent with ``If-Match`` is refused when
somebody else changed the table since.

Spec:
    console.md S10 and 6 (ETag on configuration).
"""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.channels import table_files, table_moves
from engine.channels.table_files import TableFile
from engine.channels.table_moves import CLASH
from engine.console.api import models
from engine.console.api.orders import Reasoned, expect_version
from engine.console.pages.tables import in_use, listed
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import ConfigurationError
from engine.store.audit import Order
from engine.transforms.code_tables import FROM, TO
from engine.transforms.table_sheet import Change, rows_of


class Meaning(Reasoned):
    """What a code means; ``more`` are other columns of its row, by name."""

    to: str
    more: Mapping[str, str] = {}


def tables(request: Request) -> models.Listed[models.TableRow]:
    """List the code tables: who uses them, and what they lack."""
    rows = [
        models.TableRow.model_validate(each) for each in listed(surroundings(request))
    ]
    return models.Listed(items=rows)


def table(request: Request, response: Response, name: str) -> models.Table:
    """Show one table with its rows."""
    file = _file(surroundings(request), name)
    response.headers["ETag"] = _tag(file)
    return models.Table(
        table=name,
        version=file.version,
        columns=list(file.sheet.columns),
        rows=[dict(row) for row in file.sheet.rows],
    )


def give(request: Request, name: str, code: str, asked: Meaning) -> models.Saved:
    """Give a code its meaning: a new row, or another meaning in the row it has."""
    here = surroundings(request)
    file = _file(here, name)
    expect_version(request, _tag(file))
    known = rows_of(file.sheet, code)
    if len(known) > 1:
        sentence = f"the code has {len(known)} rows with dates: change them in the page"
        raise HTTPException(HTTPStatus.CONFLICT, sentence)
    strange = sorted(set(asked.more) - set(file.sheet.columns))
    if strange:
        sentence = f"the columns are {', '.join(file.sheet.columns)}"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    before = known[0] if known else None
    after = {**(before or {}), **asked.more, FROM: code, TO: asked.to}
    order = Order(caller(request).name, here.now(), asked.reason)
    try:
        saved = table_moves.save(
            here.database, here.settings, name, [Change(before, after)], order
        )
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if saved.state == CLASH:
        sentence = "somebody changed this row meanwhile; nothing was changed"
        raise HTTPException(HTTPStatus.CONFLICT, sentence)
    in_use(here, saved)
    return models.Saved(
        table=name, state=saved.state, version=saved.file.version, change=saved.number
    )


def _file(here: Surroundings, name: str) -> TableFile:
    try:
        match = table_moves.match_of(here.settings, name)
        return table_files.read_table(here.settings.folder, name, match)
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error


def _tag(file: TableFile) -> str:
    return f'"{file.version}"'
