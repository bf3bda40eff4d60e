"""S4 Message, edit and resend: a copy is edited, tried, and journaled as a new message.

The original is never changed. What is typed comes in the body of a form; nothing of it
is kept until it is sent.

Spec:
    console.md S4 (edit and resend); security.md S11.
"""

import hashlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.exposure import expect_to_see, note_opening
from engine.console.pages.message import expect_message
from engine.console.permissions import Permission
from engine.console.queries import edits
from engine.console.queries.edits import Edit
from engine.console.queries.message_story import neighbours
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.errors import IllegalTransitionError
from engine.store import edited_copies, journal
from engine.store.audit import Order
from engine.store.search import MessageRow

UNSEEN: Final = "The text was changed since: look at what becomes of it, then send."
UNREADABLE: Final = (
    "It has bytes that its character set does not read, and they would be "
    "changed here. Edit it as a file: interop messages resend --edited FILE"
)
_SEES_PATIENTS: Final = "editing a message needs the permission view-phi"
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A message under edit: the row, its bytes, and the text in the box."""

    message: MessageRow
    data: bytes
    text: str
    edit: Edit = field(default_factory=Edit)
    complaint: str = ""


def form(request: Request, message_id: int) -> Response:
    """Show the message as text to edit; that is written down first."""
    found, data = opened(request, message_id)
    subject, why = f"message {message_id}", "to edit a copy"
    note_opening(request, "view", subject, why, patients=[found.person])
    if not edits.is_editable(data):
        sheet = Sheet(found, data, "", complaint=UNREADABLE)
        return _page(request, sheet, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _page(request, Sheet(found, data, edits.text_of(data)))


def look(request: Request, message_id: int, text: Text = "") -> Response:
    """Show what would become of the edited copy; nothing is sent."""
    found, data = opened(request, message_id)
    edit = edits.edit_of(data, text)
    return _page(request, Sheet(found, data, text, edit, edit.complaint))


def send(
    request: Request, message_id: int, text: Text = "", reason: Text = "",
    seen: Text = "", *, gives_up: Annotated[bool, Form()] = False,
) -> Response:  # fmt: skip
    """Order the edited copy to be journaled, as it was looked at."""
    here = surroundings(request)
    found, data = opened(request, message_id)
    edit = edits.edit_of(data, text)
    wrong = edit.complaint or ("" if seen == mark(edit) else UNSEEN)
    if wrong:
        sheet = Sheet(found, data, text, edit, wrong)
        return _page(request, sheet, HTTPStatus.UNPROCESSABLE_ENTITY)
    order = Order(caller(request).name, here.now(), reason)
    try:
        with here.database.engine() as connection:
            edited_copies.ask(
                connection,
                here.database.sealer,
                message_id,
                edit.data,
                order,
                gives_up=gives_up,
            )
    except IllegalTransitionError as error:
        sheet = Sheet(found, data, text, edit, f"Nothing was sent: {error}.")
        return _page(request, sheet, HTTPStatus.CONFLICT)
    return RedirectResponse(f"/messages/{message_id}", HTTPStatus.SEE_OTHER)


def opened(request: Request, message_id: int) -> tuple[MessageRow, bytes]:
    """Return the message and what was received, for those who may see it.

    Raises:
        HTTPException: they may not, there is none, or retention removed its content.
    """
    here = surroundings(request)
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _SEES_PATIENTS)
    found = expect_message(request, message_id)
    expect_to_see(request, found)
    with here.database.reading() as connection:
        data = journal.content(connection, here.database.sealer, message_id)
    if data is None:
        raise HTTPException(HTTPStatus.GONE, "its content was removed by retention")
    return found, data


def mark(edit: Edit) -> str:
    """Return what shows that this very text was looked at."""
    return hashlib.sha256(edit.data).hexdigest()


def _page(request: Request, sheet: Sheet, status: int = HTTPStatus.OK) -> Response:
    here, edit = surroundings(request), sheet.edit
    flow = None
    if edit.data and not edit.complaint:
        flow = here.trials.attempt(sheet.message.channel, edit.data)
    with here.database.reading() as connection:
        near = neighbours(connection, here.database.sealer, sheet.message)
    changed = {each.path for each in edit.differences}
    return page(
        request,
        "edit.html",
        status,
        sheet=sheet,
        message=sheet.message,
        flow=flow,
        lines=edit.data.decode("utf-8", "replace").split("\r"),
        draft="",
        seen=mark(edit) if flow else "",
        newer=near.newer_delivered,
        same_control_id=bool(edit.differences) and "MSH-10" not in changed,
        needs_person=sheet.message.state in {"error", "held"},
    )
