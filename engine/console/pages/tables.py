"""S10 Code tables: keep local codes mapped, and clear misses at their source.

Spec:
    console.md S10 and 4 (unmapped-code bench); channel-format.md 7.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Final

import orjson
from fastapi import Form, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels import table_files, table_moves
from engine.channels.table_files import TableFile
from engine.channels.table_moves import CLASH, Saved
from engine.console.listing import Listing, answer
from engine.console.permissions import Permission
from engine.console.queries import drafts, error_queue, unmapped
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import ConfigurationError, IllegalTransitionError, TransformError
from engine.store import table_changes, table_misses
from engine.store.audit import Order
from engine.transforms import concept_maps
from engine.transforms.code_tables import FROM, TO, VALID_FROM
from engine.transforms.table_sheet import (
    DISPLAY,
    Change,
    Sheet,
    csv_of,
    key_of,
    read_sheet,
    remarks,
    retired,
    rows_of,
)

TABS: Final = ("rows", "unmapped", "history")
COLUMNS: Final = (
    *("table", "rows", "used_by", "unmapped", "proposed", "version", "owner"),
)
PAGE: Final = 200
Text = Annotated[str, Form()]


def tables(request: Request) -> Response:
    """List the code tables: who uses them, and what they lack."""
    rows = listed(surroundings(request))
    return answer(request, Listing("tables", COLUMNS, rows), "tables.html")


def listed(here: Surroundings) -> list[dict[str, object]]:
    """Return one row for each code table."""
    files = {
        name: _file(here, name) for name in table_files.names(here.settings.folder)
    }
    channels = drafts.channel_files(here.settings.folder)
    with here.database.reading() as connection:
        sealer = here.database.sealer
        missed = table_misses.misses(connection, sealer)
        waiting = table_changes.waiting(connection, sealer)
    lacking = unmapped.counted(missed, files, here.now())
    return [
        {
            "table": name,
            "rows": len(file.sheet.rows),
            "used_by": table_moves.users(channels, name),
            "unmapped": lacking.get(name, 0),
            "proposed": sum(each.table == name for each in waiting),
            "version": file.version,
            "owner": table_moves.policy(here.settings, name).get("owner", ""),
        }
        for name, file in files.items()
    ]


def table(  # noqa: PLR0913, PLR0917 - a view has so many sides
    request: Request,
    name: str,
    tab: str = "rows",
    find: str = "",
    edit: str | None = None,
    since: str = "",
    after: int = 0,
) -> Response:
    """Show one table: rows, codes without a row, or history."""
    file = _known(request, name)
    return _page(
        request, file, tab=tab, find=find, edit=_row(file, edit, since), after=after
    )


def rows(request: Request, name: str, form: str) -> Response:
    """Return all rows as CSV as it stands in the file, JSON, or FHIR ConceptMap."""
    file = _known(request, name)
    if form == "fhir":
        site = surroundings(request).settings.site
        made = concept_maps.concept_map(name, file.sheet.rows, site)
        return Response(orjson.dumps(made), media_type="application/fhir+json")
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(csv_of(file.sheet), headers=headers, media_type="text/csv")
    listing = Listing(name, file.sheet.columns, file.sheet.rows)
    return answer(request, listing, "table.html")


def save(
    request: Request, name: str,
    cells: Annotated[Sequence[str], Form()] = (), before: Text = "", reason: Text = "",
) -> Response:  # fmt: skip
    """Add a row, or change one; ``before`` is the row as it was shown, as JSON."""
    file = _known(request, name)
    after = dict(
        zip(file.sheet.columns, (each.strip() for each in cells), strict=False)
    )
    if not after.get(FROM):
        return _refused(request, file, "A row needs a code in the column from.")
    return _saved(request, file, [Change(_read(before), after)], reason)


def retire(
    request: Request, name: str, before: Text = "", day: Text = "", reason: Text = ""
) -> Response:
    """End a row: from the next day on it means nothing any more."""
    file, row = _known(request, name), _read(before)
    if row is None:
        return _refused(request, file, "This row was not understood.")
    return _saved(request, file, [retired(row, day)], reason)


def take(
    request: Request, name: str, text: Text = "", upload: UploadFile | None = None,
    reason: Text = "",
) -> Response:  # fmt: skip
    """Take rows from a spreadsheet, a CSV file or a ConceptMap; other rows stay."""
    file = _known(request, name)
    if upload is not None and upload.size:
        text = upload.file.read().decode("utf-8-sig", "replace")
    try:
        changes = table_moves.taken(file, _sheet_of(text, file))
    except (ConfigurationError, TransformError, ValueError) as error:
        return _refused(request, file, f"Nothing was taken: {error}")
    return _saved(request, file, changes, reason)


def give(
    request: Request, name: str, code: Text = "", to: Text = "", display: Text = "",
    again: Text = "",
) -> Response:  # fmt: skip
    """Give a code its row; with ``again`` retry exactly the messages it stopped."""
    here, file = surroundings(request), _known(request, name)
    row = {FROM: code, TO: to.strip()} | _like(file, to.strip())
    if DISPLAY in file.sheet.columns and not row.get(DISPLAY):
        row[DISPLAY] = display
    if not code or not row[TO]:
        return _refused(request, file, "A row needs a code and a meaning.", "unmapped")
    if again and not caller(request).may(Permission.REPLAY):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "retrying needs the permission replay"
        )
    order = _order(request, f"unmapped code of table {name}")
    try:
        saved = table_moves.save(
            here.database, here.settings, name, [Change(None, row)], order
        )
    except ConfigurationError as error:
        return _refused(request, file, str(error), "unmapped")
    if saved.state == CLASH:
        return _refused(request, saved.file, "Somebody gave this code a row meanwhile.")
    told = in_use(here, saved)
    if again and saved.state != table_changes.PROPOSED:
        told += f"; {_retry(here, name, code, order)} messages go again"
    return _page(request, saved.file, tab="unmapped", told=told)


def settle(request: Request, number: int, what: str, reason: Text = "") -> Response:
    """Agree to a proposed change as a second person, or refuse it."""
    here = surroundings(request)
    if what not in {"agree", "refuse"}:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    order, agree = _order(request, reason), what == "agree"
    try:
        saved = table_moves.decide(
            here.database, here.settings, number, order, agree=agree
        )
    except (IllegalTransitionError, ConfigurationError) as error:
        raise HTTPException(
            HTTPStatus.CONFLICT, f"nothing was changed: {error}"
        ) from error
    if saved.state == CLASH:
        return _clashed(request, saved)
    if agree:
        in_use(here, saved)
    return RedirectResponse(
        f"/tables/{saved.file.name}?tab=history", HTTPStatus.SEE_OTHER
    )


# ---- what moves share ----


def _saved(
    request: Request, file: TableFile, changes: Sequence[Change], reason: str
) -> Response:
    here = surroundings(request)
    order = _order(request, reason)
    try:
        saved = table_moves.save(
            here.database, here.settings, file.name, changes, order
        )
    except ConfigurationError as error:
        return _refused(request, file, str(error))
    if saved.state == CLASH:
        return _clashed(request, saved)
    return _page(request, saved.file, told=in_use(here, saved))


def in_use(here: Surroundings, saved: Saved) -> str:
    """Let the engine read a saved table; return what a person should know of it."""
    if saved.state == table_changes.PROPOSED:
        return f"Proposed as change {saved.number}: a second person must agree"
    if saved.state != table_changes.SAVED:
        return "Nothing was different"
    told = table_moves.use(here.database, here.settings.node_name, here.now())
    used = "the engine reads it now" if told else "no engine runs here to read it"
    return f"Saved as version {saved.file.version}; {used}"


def _like(file: TableFile, meaning: str) -> dict[str, str]:
    """Return what the table says of a meaning already: its display and system."""
    own = (DISPLAY, "system")
    known = next((row for row in file.sheet.rows if row.get(TO) == meaning), {})
    return {name: known[name] for name in own if known.get(name)}


def _retry(here: Surroundings, name: str, code: str, order: Order) -> int:
    sealer = here.database.sealer
    with here.database.engine() as connection:
        found = table_misses.misses(connection, sealer, table=name)
        ours = [miss for miss in found if miss.code == code]
        entries = table_misses.stopped_for(connection, sealer, ours)
        return error_queue.retry(connection, sealer, entries, order) if entries else 0


def _order(request: Request, reason: str) -> Order:
    here = surroundings(request)
    return Order(caller(request).name, here.now(), reason or "from the console")


def _known(request: Request, name: str) -> TableFile:
    try:
        return _file(surroundings(request), name)
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error


def _file(here: Surroundings, name: str) -> TableFile:
    match = table_moves.match_of(here.settings, name)
    return table_files.read_table(here.settings.folder, name, match)


def _read(before: str) -> dict[str, str] | None:
    try:
        found = orjson.loads(before or "null")
    except ValueError:
        return None
    return (
        {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else None
    )


def _row(file: TableFile, code: str | None, since: str) -> Mapping[str, str] | None:
    if code is None:
        return None
    found = [
        row for row in rows_of(file.sheet, code) if row.get(VALID_FROM, "") == since
    ]
    return found[0] if found else None


def _sheet_of(text: str, file: TableFile) -> Sheet:
    """Return rows of a ConceptMap, of CSV, or of cells with tabs between them."""
    if text.lstrip().startswith("{"):
        found = concept_maps.rows_of(orjson.loads(text))
        return Sheet(concept_maps.COLUMNS, tuple(found))
    lines = text.strip("\r\n").splitlines()
    if lines and "\t" in lines[0]:
        made = io.StringIO()
        csv.writer(made, lineterminator="\n").writerows(
            csv.reader(lines, delimiter="\t")
        )
        lines = made.getvalue().splitlines()
    head = [cell.strip() for cell in next(csv.reader(lines[:1]), [])]
    if lines and FROM not in head:  # pasted without its first line
        lines = [",".join(file.sheet.columns), *lines]
    return read_sheet("\n".join(lines))


# ---- the page ----


def _refused(
    request: Request, file: TableFile, sentence: str, tab: str = "rows"
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _page(request, file, status, tab=tab, complaint=sentence)


def _clashed(request: Request, saved: Saved) -> Response:
    now = {key_of(row): row for row in saved.file.sheet.rows}
    clashes = [(each, now.get(each.key)) for each in saved.clashes]
    return _page(request, saved.file, HTTPStatus.CONFLICT, clashes=clashes)


def _page(
    request: Request, file: TableFile, status: int = HTTPStatus.OK, **given: object
) -> Response:
    here, name = surroundings(request), file.name
    view: dict[str, object] = {
        "tab": "rows", "find": "", "edit": None, "after": 0,
        "told": "", "complaint": "", "clashes": [],
    }  # fmt: skip
    view |= given
    view["tab"] = view["tab"] if view["tab"] in TABS else TABS[0]
    words = str(view["find"]).casefold()
    found = [
        row
        for row in file.sheet.rows
        if not words or any(words in value.casefold() for value in row.values())
    ]
    after = int(str(view["after"]))
    sealer = here.database.sealer
    with here.database.reading() as connection:
        lacking = unmapped.unmapped(connection, sealer, file, here.now())
        past = table_changes.history(connection, sealer, name)
    channels = drafts.channel_files(here.settings.folder)
    return page(
        request,
        "table.html",
        status,
        file=file,
        columns=file.sheet.columns,
        found=found[after : after + PAGE],
        all=len(found),
        more=after + PAGE if len(found) > after + PAGE else 0,
        remarks=remarks(file.sheet),
        key_of=key_of,
        lacking=lacking,
        past=past,
        users=table_moves.users(channels, name),
        policy={"owner": "", "approval": "one"}
        | dict(table_moves.policy(here.settings, name)),
        today=here.now().astimezone(here.settings.zone).date().isoformat(),
        may_edit=caller(request).may(Permission.EDIT),
        may_retry=caller(request).may(Permission.REPLAY),
        tabs=TABS,
        **view,
    )
