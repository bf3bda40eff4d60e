"""S4 Message: who sees to what is wrong with it, and what they say about it.

Spec:
    console.md S4 (assign, comment).
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.queries import error_queue as queries
from engine.console.surroundings import caller, surroundings
from engine.store import error_queue
from engine.store.audit import Order


def assign(
    request: Request, message_id: int, assignee: Annotated[str, Form()] = ""
) -> Response:
    """Give the open entries of a message to a person or a team."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "")
    with here.database.engine() as connection:
        found = error_queue.entries(connection, message=message_id)
        queries.assign(connection, here.database.sealer, found, assignee, order)
    return _back(message_id)


def comment(
    request: Request, message_id: int, text: Annotated[str, Form()] = ""
) -> Response:
    """Keep what a person has to say about a message, beside its oldest entry."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), text.strip())
    with here.database.engine() as connection:
        found = error_queue.entries(connection, message=message_id)
        queries.comment(connection, here.database.sealer, found, order)
    return _back(message_id)


def _back(message_id: int) -> Response:
    return RedirectResponse(f"/messages/{message_id}", HTTPStatus.SEE_OTHER)
