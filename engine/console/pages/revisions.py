"""S2 Channel, its file: two versions side by side, the way back, and all to take away.

Spec:
    console.md S2 (history, roll back, export); channel-format.md 12.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels import revisions
from engine.channels.exporting import archive_of
from engine.channels.revisions import ON_DISK
from engine.console.permissions import Permission
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.errors import ConfigurationError
from engine.store import audit
from engine.store.audit import Act, Order


def compare(request: Request, name: str, old: int, new: int = ON_DISK) -> Response:
    """Show what differs for a channel between two configurations."""
    return _page(request, name, old, new)


def roll_back(
    request: Request,
    name: str,
    number: Annotated[int, Form()],
    seen: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Write the channel's file as it was, check everything with it, and reload."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), reason)
    place = name, number
    try:
        revisions.roll_back(here.database, here.settings, place, seen, order)
    except ConfigurationError as error:
        return _page(request, name, number, ON_DISK, error)
    return RedirectResponse(f"/channels/{name}?tab=history", HTTPStatus.SEE_OTHER)


def export(request: Request, name: str) -> Response:
    """Give a channel's file with its tables, steps and shared parts, as one archive."""
    here = surroundings(request)
    try:
        made = archive_of(here.settings.folder, name)
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
    act = Act(here.now(), caller(request).name, "export", f"channel {name}")
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(made, headers=headers, media_type="application/zip")


def _page(
    request: Request,
    name: str,
    old: int,
    new: int,
    refused: ConfigurationError | None = None,
) -> Response:
    here = surroundings(request)
    folder, complaint = here.settings.folder, ""
    faults = refused.faults if refused else ()
    try:
        found = revisions.differences(here.database, folder, name, old, new)
        seen = revisions.version_of(folder, name)
    except ConfigurationError as error:
        found, seen, complaint = [], "", str(error)
    if refused is not None:
        complaint = f"Nothing was changed: {refused}"
    status = HTTPStatus.OK
    if complaint:
        status = HTTPStatus.CONFLICT if refused else HTTPStatus.NOT_FOUND
    return page(
        request,
        "compared.html",
        status,
        name=name,
        old=old,
        new=new,
        known=revisions.history(here.database, name),
        found=found,
        seen=seen,
        complaint=complaint,
        faults=faults,
        may_deploy=caller(request).may(Permission.DEPLOY),
    )
