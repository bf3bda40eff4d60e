"""Whether what is stored of a message may be shown to who asks.

Seeing patients does not mean seeing confidential ones: their messages are shown as to
somebody who sees no patients.

Spec:
    identity.md 14, M20; security.md S11.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.channels.queries.confidential_messages import (
    confidential_among,
    is_confidential,
)
from engine.console.permissions import Permission
from engine.console.surroundings import caller, surroundings
from engine.store.search import MessageRow

HIDDEN: Final = "this is about somebody whom your role may not see"


def may_see(request: Request, found: MessageRow) -> bool:
    """Whether the content of a message, and what was made of it, may be shown."""
    here, who = surroundings(request), caller(request)
    if not who.may(Permission.VIEW_PHI):
        return False
    if who.may(Permission.VIEW_CONFIDENTIAL):
        return True
    with here.database.reading() as connection:
        return not is_confidential(connection, here.database.sealer, here.site, found)


def expect_to_see(request: Request, found: MessageRow) -> None:
    """Refuse the content of a message to those who may not see it.

    Raises:
        HTTPException: 403.
    """
    if not may_see(request, found):
        raise HTTPException(HTTPStatus.FORBIDDEN, HIDDEN)


def visible(request: Request, rows: Sequence[MessageRow]) -> list[MessageRow]:
    """Return the messages whose very presence tells this caller of nobody hidden."""
    here = surroundings(request)
    if caller(request).may(Permission.VIEW_CONFIDENTIAL):
        return list(rows)
    with here.database.reading() as connection:
        hidden = confidential_among(connection, here.database.sealer, here.site, rows)
    return [each for each in rows if each.id not in hidden]
