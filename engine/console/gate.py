"""The gate before every route: who asks, and whether that is allowed.

Both are settled before a byte of the body is read.

Spec:
    security.md S01, S09 and S10.
"""

from collections.abc import Callable, Collection, Coroutine
from hmac import compare_digest
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from engine.console.permissions import Permission
from engine.console.problems import problem
from engine.console.session import known_by
from engine.console.surroundings import Surroundings, caller

Answer = Callable[[Request], Coroutine[Any, Any, Response]]
UNKNOWN: Final = "a valid token is needed: Authorization: Bearer TOKEN"
NOT_MEANT: Final = (
    "this did not come from a page of this console: open it and try again"
)
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
_SAFE: Final = frozenset({"GET", "HEAD"})


class Gate:
    """Lets in whoever is known; everybody else only to the open paths.

    Args:
        app: the routes.
        here: where callers are looked up.
        open_paths: what answers without anybody being known; a path with a
            parameter, ``/static/{name}``, opens all below it.
    """

    def __init__(
        self, app: ASGIApp, here: Surroundings, open_paths: Collection[str]
    ) -> None:
        self._app = app
        self._here = here
        self._open_paths = frozenset(open_paths)
        self._open_folders = tuple(
            path.partition("{")[0] for path in open_paths if "{" in path
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        known = await run_in_threadpool(known_by, scope["headers"], self._here)
        if known is None:
            await _turned_away(scope)(scope, receive, send)
            return
        scope.setdefault("state", {}).update(known._asdict())
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or path.startswith(self._open_folders)


def _turned_away(scope: Scope) -> Response:
    """Return a browser's way to the sign-in page, a program's problem."""
    headers = Headers(scope=scope)
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return problem(scope["path"], HTTPStatus.UNAUTHORIZED, UNKNOWN)


def guarded(permission: Permission) -> type[APIRoute]:
    """Return the kind of route that only callers with this permission reach."""

    class Guarded(APIRoute):
        @override
        def get_route_handler(self) -> Answer:
            """Return what answers, behind the question for the permission."""
            answer = super().get_route_handler()

            async def ask_first(request: Request) -> Response:
                if not caller(request).may(permission):
                    sentence = f"this needs the permission {permission}"
                    raise HTTPException(HTTPStatus.FORBIDDEN, sentence)
                if not await _is_meant(request):
                    raise HTTPException(HTTPStatus.FORBIDDEN, NOT_MEANT)
                return await answer(request)

            return ask_first

    return Guarded


async def _is_meant(request: Request) -> bool:
    """Tell whether a session's order comes from one of our own pages (S09)."""
    expected = request.state.csrf
    if request.method in _SAFE or not expected:
        return True
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    host = request.headers.get("host", "")
    if site and site != "same-origin":
        return False
    if not site and origin and urlsplit(origin).netloc != host:
        return False  # an old browser; newer ones send no origin without referrer
    sent = request.headers.get(CSRF_HEADER)
    if sent is None:
        sent = str((await request.form()).get(CSRF_FIELD, ""))
    return compare_digest(sent, expected)
