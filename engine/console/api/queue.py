"""The error queue by cause: what failed, and what is done about it.

Spec:
    console.md S5.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import models
from engine.console.api.lists import Paged, page
from engine.console.api.orders import Counted, Ordered, Reason, carried_out
from engine.console.pages.work import ACTS
from engine.console.queries import error_queue as queries
from engine.console.queries.error_queue import ALL
from engine.console.surroundings import caller, surroundings
from engine.store import error_queue
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.error_queue import Entry
from engine.store.seal import Sealer

Deed = Literal["retry", "discard"]
Entries = models.Listed[models.Entry]
_NOTHING: Final = "this message has no open entry: somebody has seen to it"
_GONE: Final = "this group has no open entries: somebody has seen to it"


class Some(Counted):
    """Which entries of a group: the oldest ``sample`` of them, or all."""

    sample: int = Field(0, ge=0)


class Assigned(Ordered):
    """Who sees to a group; empty for nobody."""

    assignee: str


class Said(Ordered):
    """What is to be noted beside a group."""

    text: Reason


def groups(request: Request) -> models.Listed[models.Group]:
    """List the causes with open entries, most first."""
    sees = caller(request).sees
    with surroundings(request).database.reading() as connection:
        found = error_queue.groups(connection)
    rows = [models.Group.model_validate(each) for each in found if sees(each.channel)]
    return models.Listed(items=rows)


def entries(request: Request, key: str, asked: Annotated[Paged, Query()]) -> Entries:
    """List the open entries of one cause, oldest first."""
    with surroundings(request).database.reading() as connection:
        found = error_queue.entries(
            connection, group=key, after=asked.cursor, limit=asked.limit
        )
    if not found and not asked.cursor:
        raise HTTPException(HTTPStatus.NOT_FOUND, _GONE)
    rows = [models.Entry.model_validate(each) for each in found]
    return page(rows, [each.id for each in found], asked.limit)


def act(request: Request, key: str, what: Deed, asked: Some) -> Response:
    """Retry or discard the entries of a group, or the oldest few of them."""

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        found = _open(connection, key, asked.sample or ALL)
        asked.confirm(len(found))
        count = ACTS[what](connection, sealer, found, order)
        return models.Done(what=what, count=count)

    return carried_out(request, asked, done)


def assign(request: Request, key: str, asked: Assigned) -> Response:
    """Give the open entries of a group to a person or a team."""
    return _assigned(request, asked, lambda connection: _open(connection, key, ALL))


def comment(request: Request, key: str, asked: Said) -> Response:
    """Note something beside the oldest entry of a group."""
    return _said(request, asked, lambda connection: _open(connection, key, 1))


def assign_message(request: Request, message_id: int, asked: Assigned) -> Response:
    """Give the open entries of one message to a person or a team."""
    return _assigned(request, asked, lambda connection: _of(connection, message_id))


def comment_message(request: Request, message_id: int, asked: Said) -> Response:
    """Note something beside the oldest open entry of one message."""
    return _said(request, asked, lambda connection: _of(connection, message_id))


Which = Callable[[Connection], list[Entry]]


def _assigned(request: Request, asked: Assigned, which: Which) -> Response:
    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        found = which(connection)
        count = queries.assign(connection, sealer, found, asked.assignee, order)
        return models.Done(what="assign", count=count)

    return carried_out(request, asked, done)


def _said(request: Request, asked: Said, which: Which) -> Response:
    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        said = Order(order.actor, order.now, asked.text)
        count = queries.comment(connection, sealer, which(connection), said)
        return models.Done(what="comment", count=count)

    return carried_out(request, asked, done)


def _of(connection: Connection, message_id: int) -> list[Entry]:
    found = error_queue.entries(connection, message=message_id)
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, _NOTHING)
    return found


def _open(connection: Connection, key: str, limit: int) -> list[Entry]:
    found = error_queue.entries(connection, group=key, limit=limit)
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, _GONE)
    return found
