"""How a channel's file changed, two configurations compared, and the way back.

Spec:
    console.md S2 (history, roll back); channel-format.md 12.
"""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.channels import revisions
from engine.channels.revisions import ON_DISK
from engine.console.api import models, node_models
from engine.console.api.orders import Reasoned, answered, carried_out
from engine.console.surroundings import caller, surroundings
from engine.errors import ConfigurationError
from engine.store.audit import Order

Configurations = models.Listed[node_models.Configuration]


class RolledBack(Reasoned):
    """Why, and ``seen`` of the comparison that the order follows from."""

    seen: str


def history(request: Request, name: str) -> Configurations:
    """List what a channel's file said each time it went live, newest first."""
    found = revisions.history(surroundings(request).database, name)
    shown = node_models.Configuration.model_validate
    return Configurations(items=[shown(each) for each in found])


def compare(
    request: Request, name: str, number: int, new: int = ON_DISK
) -> node_models.Compared:
    """Tell what differs for a channel from a configuration to ``new``, or to today.

    ``new`` 0 stands for the files as they are; ``seen`` goes with a roll back.
    """
    here = surroundings(request)
    folder = here.settings.folder
    try:
        found = revisions.differences(here.database, folder, name, number, new)
        seen = revisions.version_of(folder, name)
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
    files = [
        node_models.Differing(
            path=each.path, lines=[f"{mark}{line}" for mark, line in each.lines]
        )
        for each in found
    ]
    return node_models.Compared(files=files, seen=seen)


def roll_back(request: Request, name: str, number: int, asked: RolledBack) -> Response:
    """Write a channel's file as a configuration had it, checked first, and reload.

    The answer counts the processes that were told to read it.
    """
    earlier = answered(request, asked)
    if earlier is not None:
        return earlier
    here, place = surroundings(request), (name, number)
    order = Order(caller(request).name, here.now(), asked.reason)
    try:
        done = revisions.roll_back(
            here.database, here.settings, place, asked.seen, order
        )
    except ConfigurationError as error:
        told = "; ".join([f"nothing was changed: {error}", *error.faults])
        raise HTTPException(HTTPStatus.CONFLICT, told) from error
    made = models.Done(what="rollback", count=done.told)
    return carried_out(request, asked, lambda *_: made)
