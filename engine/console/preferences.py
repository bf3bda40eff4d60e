"""What a browser remembers of its user: the theme, and nothing else."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Form
from starlette.responses import RedirectResponse, Response

from engine.console.rendering import THEME_COOKIE, THEMES
from engine.console.surroundings import own_place

_YEAR = 365 * 24 * 3600


def keep(
    theme: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "/"
) -> Response:
    """Keep the theme and go back to where one was."""
    answer = RedirectResponse(own_place(back), HTTPStatus.SEE_OTHER)
    if theme in THEMES:
        answer.set_cookie(
            THEME_COOKIE, theme, max_age=_YEAR, httponly=True, samesite="strict"
        )
    return answer
