"""``/livez``, ``/startupz`` and ``/readyz``: a word and a status, for machines.

Spec:
    cli.md 7.4.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from engine.console.surroundings import surroundings
from engine.store.reports import Report, reports

FRESH: Final = timedelta(seconds=5)
ROLES: Final = ("edge", "worker", "console")
"""The console's own report is what proves that the store can be written."""


def livez() -> Response:
    """Answer that this process answers."""
    return PlainTextResponse("alive")


def startupz(request: Request) -> Response:
    """Tell whether recovery is finished: the edge reports only after it."""
    return _told(missing(_reports(request), surroundings(request).now(), ("edge",)))


def readyz(request: Request) -> Response:
    """Tell whether every kind of process reported lately, with nothing in its way."""
    return _told(missing(_reports(request), surroundings(request).now(), ROLES))


def _reports(request: Request) -> list[Report]:
    here = surroundings(request)
    with here.database.reading() as connection:
        found = reports(connection)
    return [each for each in found if each.node == here.settings.node_name]


def _told(lacking: list[str]) -> Response:
    if not lacking:
        return PlainTextResponse("ready")
    words = "not ready: " + ", ".join(lacking)
    return PlainTextResponse(words, HTTPStatus.SERVICE_UNAVAILABLE)


def missing(
    found: Collection[Report], now: datetime, wanted: Collection[str]
) -> list[str]:
    """Return which kinds of process are silent, or report a listener in trouble."""
    fresh = [each for each in found if now - each.seen_at < FRESH]
    alive = {each.role for each in fresh}
    lacking = [role for role in wanted if role not in alive]
    if any(orjson.loads(each.detail).get("problems") for each in fresh):
        lacking.append("listeners")
    return lacking
