"""Whether what is stored of a message may be shown to who asks, and how much of it.

Seeing patients does not mean seeing confidential ones: their messages are shown as to
somebody who sees no patients, whatever their masking profile.

Spec:
    identity.md 14, M20; security.md S11.
"""

from collections.abc import Iterable, Sequence
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
from engine.hl7 import Message, parse
from engine.hl7.masking_profile import NOTHING, MaskingProfile, mask_by
from engine.store import audit
from engine.store.audit import Act
from engine.store.error_queue import Comment
from engine.store.search import MessageRow

BY_PROFILE: Final = "as a masking profile shows it"
HIDDEN: Final = "this is about somebody whom your role may not see"


def note_opening(
    request: Request,
    action: str,
    subject: str,
    detail: str = "",
    *,
    patients: Iterable[str] = (),
) -> None:
    """Write down what is about to be shown, and of whom; without that nothing is."""
    database = surroundings(request).database
    acts = openings(request, action, subject, detail, patients=patients)
    with database.engine() as connection:
        audit.write(connection, database.sealer, acts)


def openings(
    request: Request,
    action: str,
    subject: str,
    detail: str = "",
    *,
    patients: Iterable[str] = (),
) -> list[Act]:
    """Return one act for each person that is shown; the trail keeps a keyed hash."""
    name, now = caller(request).name, surroundings(request).now()
    whom = sorted({*patients} - {""}) or [""]
    return [Act(now, name, action, subject, detail, each) for each in whom]


def may_see(request: Request, found: MessageRow) -> bool:
    """Whether the content of a message, and what was made of it, may be shown."""
    may = caller(request).may(Permission.VIEW_PHI)
    return may and not _is_hidden(request, found)


def legible(
    request: Request, said: Iterable[Comment], *, reveal: bool
) -> list[Comment]:
    """Return the comments that may be read: people write names, so others' are covered.

    One's own are always shown.
    """
    name = caller(request).name
    return [each for each in said if reveal or each.author == name]


def profile_for(request: Request, found: MessageRow) -> MaskingProfile:
    """Return what is shown of a message whose patient the caller may not see."""
    profile = caller(request).profile
    return profile if profile and not _is_hidden(request, found) else NOTHING


def _is_hidden(request: Request, found: MessageRow) -> bool:
    """Whether a message is about somebody confidential whom the caller may not see."""
    here = surroundings(request)
    if caller(request).may(Permission.VIEW_CONFIDENTIAL):
        return False
    with here.database.reading() as connection:
        return is_confidential(connection, here.database.sealer, here.site, found)


def covered(message: Message, profile: MaskingProfile) -> Message:
    """Return a message as a profile shows it, as UTF-8 whatever MSH-18 says."""
    return parse(mask_by(message, profile).encode(), charset="UNICODE UTF-8")


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
