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

from engine.console.exchange import Exchange
from engine.console.fhir_api.answers import Refusal, refused
from engine.console.gate import Gate, guarded
from engine.console.live import pulse_of
from engine.console.problems import problem
from engine.console.rendering import page
from engine.console.route import Route
from engine.console.routes import ROUTES
from engine.console.surroundings import Surroundings, is_known
from engine.console.throttle import Throttle

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
            Middleware(Gate, here=here, open_paths=open_paths),
        ],
    )
    app.state.surroundings = here
    app.state.throttle = Throttle()
    app.state.pulse = pulse_of(lambda: app.state.surroundings)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Refusal, refused)
    app.router.routes.extend(built(tuple(routes)))
    return app


@cache
def built(routes: tuple[Route, ...]) -> Sequence[APIRoute]:
    """Return routes that answer; they know no application, so every one shares them."""
    return [
        guarded(each.permission)(
            each.path, each.endpoint, methods=[each.method], response_model=None
        )
        for each in routes
    ]


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    if "text/html" in request.headers.get("accept", "") and is_known(request):
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


def _not_understood(request: Request, error: Exception) -> Response:
    """Name the places that are wrong, without the values: they may be a patient's."""
    assert isinstance(error, RequestValidationError)
    places = {".".join(map(str, each["loc"])) for each in error.errors()}
    sentence = "not as expected: " + ", ".join(sorted(places))
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem(request.url.path, status, sentence, request.state.request_id)
