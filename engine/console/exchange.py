"""What every exchange has: an id, strict headers, one line in the log, an answer.

Spec:
    security.md S24, S40 and 1.1; console.md 5.
"""

import time
from http import HTTPStatus
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.channels.clock import Ulids
from engine.console.problems import problem
from engine.errors import StoreError

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_ALWAYS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_UNLESS_SAID: Final = {
    b"content-security-policy": POLICY.encode(),
    b"cache-control": b"no-store",
}
"""A static file may be kept, and an editor page has a nonce in its policy."""

_STRICT_TRANSPORT: Final = {b"strict-transport-security": b"max-age=31536000"}
_log = structlog.get_logger()


_AWAY: Final = "the store is away at the moment; nothing was done: try again"


def _said_of(error: Exception) -> tuple[HTTPStatus, str]:
    if isinstance(error, StoreError):
        return HTTPStatus.SERVICE_UNAVAILABLE, _AWAY
    return HTTPStatus.INTERNAL_SERVER_ERROR, ""


class Exchange:
    """The outermost layer of the application.

    Args:
        app: the layers below.
        tls: whether answers leave by TLS, here or at the named proxy.
    """

    def __init__(self, app: ASGIApp, *, tls: bool = False) -> None:
        self._app = app
        self._always = _ALWAYS | (_STRICT_TRANSPORT if tls else {})
        self._new_id = Ulids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and see to it that it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, began = self._new_id(), time.perf_counter()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(message, request_id)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last layer: it answers
            # The words of an error may repeat the request: only its kind is told.
            kind = type(error).__name__
            _log.error("request_failed", request_id=request_id, error=kind)
            if not status:
                told = problem(scope["path"], *_said_of(error), request_id)
                await told(scope, receive, answer)
        _log.info(
            "request",
            request_id=request_id,
            method=scope["method"],
            route=getattr(scope.get("route"), "path", ""),
            status=status,
            duration_ms=round((time.perf_counter() - began) * 1000, 1),
        )

    def _dress(self, message: Message, request_id: str) -> None:
        named = {name.lower() for name, _ in message["headers"]}
        added = {k: v for k, v in _UNLESS_SAID.items() if k not in named}
        added |= self._always | {b"x-request-id": request_id.encode()}
        message["headers"] = [*message["headers"], *added.items()]
