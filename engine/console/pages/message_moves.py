"""Several messages of the list at once: reprocess, hold, release or discard them.

All of them or none: one transaction, with an audit row for each.

Spec:
    console.md S3 and 2 (actions).
"""

from collections.abc import Collection
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.pages.message import MOVES, expect_seen
from engine.console.pages.work import MANY
from engine.console.surroundings import caller, own_place, surroundings
from engine.errors import IllegalTransitionError
from engine.store import search
from engine.store.audit import Order
from engine.store.database import Connection

MOST: Final = 1_000
"""So many at once hold the store up for some seconds."""


class Chosen(BaseModel):
    """Messages as the list showed them, ``NUMBER STATE ATTEMPT``, and what is asked."""

    what: str
    chosen: list[Annotated[str, Field(pattern=r"^\d{1,18} [a-z]+ \d{1,9}$")]] = Field(
        default_factory=list, max_length=MOST
    )
    reason: str = ""
    typed: str = ""
    back: str = "/messages"


def move(request: Request, asked: Annotated[Chosen, Form()]) -> Response:
    """Make one move with all messages that were chosen, and show the list again."""
    here = surroundings(request)
    if asked.what not in MOVES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    pairs = (each.split(" ", 1) for each in asked.chosen)
    seen = {int(number): stood for number, stood in pairs}
    if not seen:
        _refuse("no message was chosen: tick the box of each")
    if len(seen) > MANY and asked.typed != str(len(seen)):
        _refuse(f"{len(seen)} messages were chosen: type {len(seen)} to confirm")
    order = Order(caller(request).name, here.now(), asked.reason or "from the list")
    try:
        with here.database.engine() as connection:
            expect_ones_own(request, connection, seen)
            for number, stood in seen.items():
                expect_seen(connection, asked.what, number, stood)
            MOVES[asked.what](connection, here.database.sealer, sorted(seen), order)
    except IllegalTransitionError as error:
        sentence = f"Nothing was changed: {error}. Somebody may have been faster."
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(own_place(asked.back), HTTPStatus.SEE_OTHER)


def _refuse(why: str) -> None:
    sentence = f"Nothing was changed: {why}."
    raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)


def expect_ones_own(
    request: Request, connection: Connection, ids: Collection[int]
) -> None:
    """Refuse messages that there are not, or of channels that the caller may not see.

    Raises:
        HTTPException: 404, the same for both.
    """
    sees = caller(request).sees
    for number in ids:
        found = search.message(connection, number)
        if found is None or not sees(found.channel):
            sentence = f"there is no message {number}; nothing was changed"
            raise HTTPException(HTTPStatus.NOT_FOUND, sentence)
