"""Edit and resend: a copy is edited, looked at, and journaled as a new message.

Spec:
    console.md S4 (edit and resend) and 6; security.md S11.
"""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import models
from engine.console.api.orders import (
    Asked,
    Reasoned,
    carried_out,
    expect_version,
)
from engine.console.exposure import note_opening
from engine.console.pages.edit import UNREADABLE, mark, opened
from engine.console.queries import edits
from engine.console.queries.edits import Edit
from engine.store import edited_copies
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.seal import Sealer


class Typed(Asked):
    """The edited text: segments on lines, in the characters of the original."""

    text: str


class Sent(Typed, Reasoned):
    """The edited text, to be journaled; ``gives_up`` discards the original after."""

    gives_up: bool = False


def look(request: Request, message_id: int, asked: Typed) -> models.Edited:
    """Show what an edit would change; nothing is sent."""
    found, data = opened(request, message_id)
    edit = _edit_of(data, asked.text)
    note_opening(
        request,
        "view",
        f"message {message_id}",
        "to edit a copy",
        patients=[found.person],
    )
    changes = [models.Change.model_validate(each) for each in edit.differences]
    return models.Edited(
        complaint=edit.complaint, version=_version(edit), changes=changes
    )


def send(request: Request, message_id: int, asked: Sent) -> Response:
    """Order an edited copy to be journaled as a new message; the original stays."""
    _, data = opened(request, message_id)
    edit = _edit_of(data, asked.text)
    if edit.complaint:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, edit.complaint)
    expect_version(request, _version(edit))

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        edited_copies.ask(
            connection, sealer, message_id, edit.data, order, gives_up=asked.gives_up
        )
        return models.Done(what="edit", count=1)

    return carried_out(request, asked, done)


def _edit_of(data: bytes, text: str) -> Edit:
    if not edits.is_editable(data):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, UNREADABLE)
    return edits.edit_of(data, text)


def _version(edit: Edit) -> str:
    return f'"{mark(edit)}"'
