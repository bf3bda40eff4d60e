"""S3 Messages: find any message in any channel.

What names a patient never stands in an address: such a query is kept, sealed, and the
address holds its key.

Spec:
    console.md S3 and 2 (URL is state).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.event_names import EVENT_NAMES
from engine.console.exposure import visible
from engine.console.listing import Listing, answer
from engine.console.live import FOLLOWED
from engine.console.pages.work import MANY
from engine.console.permissions import Permission
from engine.console.queries import message_query
from engine.console.queries.message_query import QueryFault
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.store import saved_queries, search
from engine.store.message_state import MessageState
from engine.store.search import MessageRow

PAGE: Final = 100
COLUMNS: Final = (
    *("id", "received_at", "channel", "type", "control_id", "state", "person"),
    *("stage", "code", "reason", "ack_code", "attempt", "revision", "processed_at"),
)
_NOT_ALLOWED: Final = "searching for a patient needs the permission view-phi"


def messages(request: Request, before: int = 0) -> Response:
    """List the messages that the address asks for, newest first."""
    here = surroundings(request)
    given = _given(request)
    query = message_query.written(given)
    wanted = message_query.read(query, here.now())
    if isinstance(wanted, QueryFault):
        return _not_understood(request, query, wanted)
    wanted = replace(wanted, channels=caller(request).channels)
    with here.database.reading() as connection:
        rows = search.messages(
            connection, here.database.sealer, wanted, before=before, limit=PAGE
        )
    more = _address(request, before=rows[-1].id) if len(rows) == PAGE else ""
    shown = visible(request, rows) if wanted.names_somebody else rows
    listing = Listing("messages", COLUMNS, [row_of(each) for each in shown], more)
    kept = request.query_params.get("q", "")
    drop = [] if kept else [(n, _without(given, n)) for n in given if not shown]
    return answer(
        request,
        listing,
        "messages.html",
        query=query,
        fault=None,
        states=list(MessageState),
        drop=drop,
        live="" if before or given.keys() - FOLLOWED else _stream(given, rows),
        may_act=caller(request).may(Permission.REPLAY),
        many=MANY,
    )


def _stream(given: Mapping[str, str], rows: Sequence[MessageRow]) -> str:
    """Return the address of what tells how many messages came after these."""
    after = rows[0].id if rows else 0
    return f"/live/messages?{urlencode({'after': after, **given})}"


def ask(request: Request, query: Annotated[str, Form()] = "") -> Response:
    """Take a typed query and go to the address that shows its answer."""
    here = surroundings(request)
    given = message_query.terms(query)
    if isinstance(given, QueryFault):
        return _not_understood(request, query, given)
    wanted = message_query.read(query, here.now())
    if isinstance(wanted, QueryFault):
        return _not_understood(request, query, wanted)
    if not message_query.SAYS_WHO & given.keys():
        return RedirectResponse(f"/messages?{urlencode(given)}", HTTPStatus.SEE_OTHER)
    _may_name(request)
    with here.database.engine() as connection:
        key = saved_queries.keep(
            connection, here.database.sealer, query, caller(request).name, here.now()
        )
    return RedirectResponse(f"/messages?q={key}", HTTPStatus.SEE_OTHER)


def _given(request: Request) -> Mapping[str, str]:
    """Return the qualifiers of the address, or of the query kept under its key."""
    asked = request.query_params
    here = surroundings(request)
    if key := asked.get("q", ""):
        _may_name(request)
        with here.database.reading() as connection:
            query = saved_queries.kept(connection, here.database.sealer, key)
        if query is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "this search is kept no more")
        given = message_query.terms(query)
        return {} if isinstance(given, QueryFault) else given
    allowed = set(message_query.QUALIFIERS) - message_query.SAYS_WHO
    return {name: asked[name] for name in sorted(allowed) if asked.get(name)}


def _may_name(request: Request) -> None:
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NOT_ALLOWED)


def _not_understood(request: Request, query: str, fault: QueryFault) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if "form" in request.path_params:
        raise HTTPException(status, f"{fault.sentence}: {fault.hint}")
    return page(
        request,
        "messages.html",
        status,
        found=Listing("messages", COLUMNS, []),
        query=query,
        fault=fault,
        states=list(MessageState),
        drop=[],
        may_act=False,
    )


def _address(request: Request, **changed: object) -> str:
    asked = dict(request.query_params) | {n: str(v) for n, v in changed.items()}
    return f"{request.url.path}?{urlencode(asked)}"


def _without(given: Mapping[str, str], name: str) -> str:
    return "/messages?" + urlencode({n: v for n, v in given.items() if n != name})


def row_of(found: MessageRow) -> dict[str, object]:
    """Return a message as lists and exports show it: no patient data in it."""
    kind = f"{found.message_type}^{found.trigger_event}".strip("^")
    return asdict(found) | {
        "state": str(found.state),
        "type": kind,
        "meaning": EVENT_NAMES.get(found.trigger_event, ""),
    }
