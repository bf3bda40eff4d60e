"""Sign in with a one-time code, sign out.

Spec:
    security.md S03, S06 and S08.
"""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.rendering import plain_page
from engine.console.session import COOKIE, limits, session_in
from engine.console.surroundings import caller, surroundings
from engine.console.throttle import Throttle
from engine.store import sessions
from engine.store.audit import Order

REFUSED: Final = "This code is not valid, or was used, or its time is over."
_FAILURES: Final = Throttle()


def form(request: Request) -> Response:
    """Show where a one-time code is typed."""
    return plain_page(request, "sign_in.html", complaint="")


def enter(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Use up a one-time code; the browser then holds a session."""
    here = surroundings(request)
    address = request.client.host if request.client else ""
    now = here.now()
    if _FAILURES.is_over(address, now):
        sentence = "Too many wrong codes. Try again in 15 minutes."
        status = HTTPStatus.TOO_MANY_REQUESTS
        return plain_page(request, "sign_in.html", status, complaint=sentence)
    with here.database.engine() as connection:
        held = sessions.sign_in(
            connection, here.database.sealer, code.strip(), limits(here), now
        )
    if held is None:
        _FAILURES.failed(address, now)
        status = HTTPStatus.UNAUTHORIZED
        return plain_page(request, "sign_in.html", status, complaint=REFUSED)
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    answer.set_cookie(COOKIE, held, secure=True, httponly=True, samesite="strict")
    return answer


def leave(request: Request) -> Response:
    """End the session."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "")
    held = session_in(request.headers.raw)
    with here.database.engine() as connection:
        sessions.sign_out(connection, here.database.sealer, held, order)
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return answer
