"""The application: its layers, its routes, and what it answers when a route fails."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api.description import told_of
from engine.console.exchange import Exchange
from engine.console.fhir_api.answers import Refusal, refused
from engine.console.gate import Gate, guarded
from engine.console.live import pulse_of
from engine.console.problems import PROGRAMS, problem
from engine.console.rendering import page
from engine.console.route import Route
from engine.console.routes import ROUTES
from engine.console.surroundings import Surroundings, is_known
from engine.console.throttle import Throttle
from engine.errors import EngineError, IllegalTransitionError
from engine.store.away import is_unstorable

MOST_BODY_BYTES: Final = 1 << 20


def create_app(here: Surroundings, routes: Sequence[Route] = ROUTES) -> FastAPI:
    """Return the console of one node, as an ASGI application.

    A request passes `Exchange`, then `Gate`, then its route.
    """
    tls = bool(here.settings.console_tls or here.settings.console_proxy)
    open_paths = [each.path for each in routes if each.permission is None]
    app = FastAPI(
        title="Interop Engine",
        docs_url=None,  # its pages would load from elsewhere
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=MOST_BODY_BYTES,
        middleware=[
            Middleware(Exchange, tls=tls),
            Middleware(Gate, open_paths=open_paths),
        ],
    )
    app.state.surroundings = here
    app.state.throttle = Throttle()
    app.state.pulse = pulse_of(lambda: app.state.surroundings)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(IllegalTransitionError, _too_late)
    app.add_exception_handler(OverflowError, _too_large)
    app.add_exception_handler(EngineError, _unstorable)
    app.router.routes.extend(built(tuple(routes)))
    return app


@cache
def built(routes: tuple[Route, ...]) -> Sequence[APIRoute]:
    """Return routes that answer; they know no application, so every one shares them."""
    return [
        guarded(each.permission)(
            each.path,
            each.endpoint,
            methods=[each.method],
            response_model=each.model,
            include_in_schema=each.model is not None,
            **(told_of(each) if each.model else {}),
        )
        for each in routes
    ]


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    if _wants_a_page(request):
        return page(
            request,
            "refused.html",
            error.status_code,
            heading=phrase,
            sentence=error.detail,
            status=error.status_code,
            request_id=request.state.request_id,
        )
    told = problem(
        request.url.path,
        error.status_code,
        "" if error.detail == phrase else error.detail,
        request.state.request_id,
    )
    told.headers.update(error.headers or {})
    return told


def _wants_a_page(request: Request) -> bool:
    asked = "text/html" in request.headers.get("accept", "")
    return asked and not request.url.path.startswith(PROGRAMS) and is_known(request)


def _too_late(request: Request, error: Exception) -> Response:
    """Say that somebody was faster; nothing was written."""
    sentence = f"nothing was changed: {error}"
    status, number = HTTPStatus.CONFLICT, request.state.request_id
    return problem(request.url.path, status, sentence, number)


def _too_large(request: Request, error: Exception) -> Response:
    """Say that a number was given that no store has; nothing was written."""
    del error  # its words name the store
    status, number = HTTPStatus.UNPROCESSABLE_ENTITY, request.state.request_id
    sentence = "a number in it is too large: nothing was changed"
    return problem(request.url.path, status, sentence, number)


def _unstorable(request: Request, error: Exception) -> Response:
    """Say that something was given that a store does not keep; pass on what is else.

    Raises:
        EngineError: anything else.
    """
    if not is_unstorable(error.__cause__):
        raise error
    status, number = HTTPStatus.UNPROCESSABLE_ENTITY, request.state.request_id
    sentence = "a number in it is too large, or a text has a NUL: nothing was changed"
    return problem(request.url.path, status, sentence, number)


def _not_understood(request: Request, error: Exception) -> Response:
    """Name the places that are wrong, without the values: they may be a patient's."""
    assert isinstance(error, RequestValidationError)
    places = {_place(each["type"], each["loc"]) for each in error.errors()}
    sentence = "not as expected: " + ", ".join(sorted(places))
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem(request.url.path, status, sentence, request.state.request_id)


def _place(kind: str, at: Sequence[object]) -> str:
    """Return where something is wrong; a name that is not ours may be a patient's."""
    if kind == "extra_forbidden":
        at = (*at[:-1], "(a name that is not known)")
    return ".".join(map(str, at))
