"""The gate before every route: who asks, and whether that is allowed.

Both are settled before a byte of the body is read.

Spec:
    security.md S01 and S10.
"""

from collections.abc import Callable, Collection, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from engine.console.permissions import Permission
from engine.console.problems import problem
from engine.console.session import caller_of
from engine.console.surroundings import Surroundings, caller

Answer = Callable[[Request], Coroutine[Any, Any, Response]]
UNKNOWN = "a valid token is needed: Authorization: Bearer TOKEN"


class Gate:
    """Lets in whoever is known; everybody else only to the open paths.

    Args:
        app: the routes.
        here: where callers are looked up.
        open_paths: what answers without anybody being known.
    """

    def __init__(
        self, app: ASGIApp, here: Surroundings, open_paths: Collection[str]
    ) -> None:
        self._app = app
        self._here = here
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        known = await run_in_threadpool(caller_of, scope["headers"], self._here)
        if known is None:
            told = problem(scope["path"], HTTPStatus.UNAUTHORIZED, UNKNOWN)
            await told(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = known
        await self._app(scope, receive, send)


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
                    path = request.url.path
                    return problem(path, HTTPStatus.FORBIDDEN, sentence)
                return await answer(request)

            return ask_first

    return Guarded
