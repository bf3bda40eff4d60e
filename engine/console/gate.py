"""The gate before every route: who asks, and whether that is allowed.

Both are settled before a byte of the body is read.

Spec:
    security.md S01, S09 and S10.
"""

from collections.abc import Callable, Collection, Coroutine
from datetime import datetime, timedelta
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

from engine.console.lately import Lately
from engine.console.permissions import Permission
from engine.console.problems import API_PATH, PROGRAMS, problem
from engine.console.reach import expect_reach
from engine.console.session import known_by, session_in
from engine.console.surroundings import (
    Surroundings,
    caller,
    session,
    surroundings,
)
from engine.errors import StoreError

Answer = Callable[[Request], Coroutine[Any, Any, Response]]
UNKNOWN: Final = "a valid token is needed: Authorization: Bearer TOKEN"
TOO_MANY: Final = "too many tokens that are none came from here: wait 15 minutes"
NOT_MEANT: Final = (
    "this did not come from a page of this console: open it and try again"
)
STALE: Final = "prove first, at /account/confirm, that it is still you"
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
LOOKING: Final = "you look as the role {}: go back to your own view to change anything"
ALWAYS: Final = frozenset({"/sign-out", "/preferences", "/account/view-as"})
"""Orders that somebody may give who only looks as a role does."""

MOST_DIGITS: Final = 18
"""Every number of so many digits fits a store, and no store has as many rows."""

WEIGHTY: Final = (
    *("/users", "/tokens", "/account/password", "/account/totp"),
    *("/account/recovery-codes", "/account/factors/", "/account/passkeys"),
    *(API_PATH + "users", API_PATH + "tokens"),
)
"""What changes who may do what: it asks who is there, unless that was just proved."""

PROVED_FOR: Final = timedelta(minutes=15)

_SAFE: Final = frozenset({"GET", "HEAD"})


class Gate:
    """Lets in whoever is known; everybody else only to the open paths.

    Args:
        app: the routes; callers are looked up in what their application has now, so
            a configuration that was read anew counts at once.
        open_paths: what answers without anybody being known; a path with a
            parameter, ``/static/{name}``, opens all below it.
    """

    def __init__(self, app: ASGIApp, open_paths: Collection[str]) -> None:
        self._app = app
        self._lately = Lately()
        self._open_paths = frozenset(open_paths)
        self._open_folders = tuple(
            path.partition("{")[0] for path in open_paths if "{" in path
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        here: Surroundings = scope["app"].state.surroundings
        state, now = scope.setdefault("state", {}), here.now()
        held = session_in(scope["headers"])
        try:
            known = await run_in_threadpool(
                known_by, scope["headers"], scope["path"], here
            )
        except StoreError:
            known = self._lately.known(held, now)
            if known is None or not _shows_the_last(scope):
                raise
            state["away"] = True
        else:
            self._lately.keep(held, known, now)
        if known is None:
            await _turned_away(scope, now)(scope, receive, send)
            return
        state.update(known._asdict())
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or path.startswith(self._open_folders)


def _turned_away(scope: Scope, now: datetime) -> Response:
    """Return 401, or 429 where too many tokens came that are none (S06)."""
    headers = Headers(scope=scope)
    throttle, client = scope["app"].state.throttle, scope.get("client")
    whence = f"token from {client[0] if client else ''}"
    if "authorization" in headers:
        if throttle.is_over(whence, now):
            return problem(scope["path"], HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY)
        throttle.failed(whence, now)
    return _way_in(scope, headers)


def _shows_the_last(scope: Scope) -> bool:
    """Whether this shows figures alone, as they were before the store went away."""
    return (scope["method"], scope["path"]) == ("GET", "/")


def _way_in(scope: Scope, headers: Headers) -> Response:
    """Return a browser's way to the sign-in page, a program's problem."""
    asks_page = "text/html" in headers.get("accept", "")
    if scope["method"] == "GET" and asks_page and not _is_for_programs(scope):
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return problem(scope["path"], HTTPStatus.UNAUTHORIZED, UNKNOWN)


def _is_for_programs(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(PROGRAMS)


def guarded(permission: Permission | None) -> type[APIRoute]:
    """Return the kind of route that only callers with this permission reach.

    A route that needs none still takes orders from pages of ours alone.
    """

    class Guarded(APIRoute):
        @override
        def get_route_handler(self) -> Answer:
            """Return what answers, behind the question for the permission."""
            answer = super().get_route_handler()
            asked = [*self.dependant.path_params, *self.dependant.query_params]
            numbers = [e.alias for e in asked if e.field_info.annotation is int]

            async def ask_first(request: Request) -> Response:
                if permission is not None:
                    _expect(request, permission)
                    _expect_storable(request, numbers)
                    await run_in_threadpool(expect_reach, request)
                if not await _is_meant(request):
                    raise HTTPException(HTTPStatus.FORBIDDEN, NOT_MEANT)
                if _is_stale(request):
                    return _prove_first(request)
                return await answer(request)

            return ask_first

    return Guarded


def _expect_storable(request: Request, names: Collection[str]) -> None:
    """Refuse numbers that no store has: nothing can be found under them."""
    given = {**request.query_params, **request.path_params}
    for name in names:
        digits = str(given.get(name, "")).lstrip("0")
        if digits.isdecimal() and len(digits) > MOST_DIGITS:
            sentence = f"there is nothing of this number: {name} is too large"
            raise HTTPException(HTTPStatus.NOT_FOUND, sentence)


def _expect(request: Request, permission: Permission) -> None:
    """Refuse a caller who lacks the permission, or only looks as a role does."""
    if not caller(request).may(permission):
        sentence = f"this needs the permission {permission}"
        raise HTTPException(HTTPStatus.FORBIDDEN, sentence)
    looks = session(request)
    if looks is None or request.method in _SAFE or request.url.path in ALWAYS:
        return
    if looks.viewed_as:
        raise HTTPException(HTTPStatus.FORBIDDEN, LOOKING.format(looks.viewed_as))


def _is_stale(request: Request) -> bool:
    """Tell whether somebody should prove again who they are before this."""
    here, found = surroundings(request), session(request)
    if found is None or request.method in _SAFE:
        return False
    weighty = request.url.path.startswith(WEIGHTY)
    return weighty and here.now() - found.proved_at > PROVED_FOR


def _prove_first(request: Request) -> Response:
    """Lead to where somebody proves again who they are; a program cannot go there."""
    if request.url.path.startswith(PROGRAMS):
        raise HTTPException(HTTPStatus.FORBIDDEN, STALE)
    back = request.url.path.split("/")[1]
    return RedirectResponse(f"/account/confirm?back=/{back}", HTTPStatus.SEE_OTHER)


async def _is_meant(request: Request) -> bool:
    """Tell whether an order comes from one of our own pages (S09)."""
    if request.method in _SAFE:
        return True
    expected = getattr(request.state, "csrf", None)
    if expected == "":  # a token: no browser sends it by itself
        return True
    if not _comes_from_here(request):
        return False
    if expected is None:  # nobody is signed in yet
        return True
    sent = request.headers.get(CSRF_HEADER)
    if sent is None:
        sent = str((await request.form()).get(CSRF_FIELD, ""))
    return compare_digest(sent.encode(), expected.encode())


def _comes_from_here(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site", "")
    if site:
        return site == "same-origin"
    # an old browser; newer ones send no origin without referrer
    origin = request.headers.get("origin", "")
    return not origin or urlsplit(origin).netloc == request.headers.get("host", "")
