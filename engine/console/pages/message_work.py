"""S4 Message: who sees to what is wrong with it, and what they say about it.

Spec:
    console.md S4 (assign, comment).
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.pages.work import give, say


def assign(
    request: Request, message_id: int, assignee: Annotated[str, Form()] = ""
) -> Response:
    """Give the open entries of a message to a person or a team."""
    give(request, assignee, message=message_id)
    return _back(message_id)


def comment(
    request: Request, message_id: int, text: Annotated[str, Form()] = ""
) -> Response:
    """Keep what a person has to say about a message, beside its oldest entry."""
    say(request, text, message=message_id)
    return _back(message_id)


def _back(message_id: int) -> Response:
    return RedirectResponse(f"/messages/{message_id}", HTTPStatus.SEE_OTHER)
