"""Live updates: the store is read once a second for all tabs, while one is looked at.

A stream sends the cells that changed and how many rows are new; it ends after a
minute and the browser asks again, so that nobody hears more than a session allows.

Spec:
    console.md 2 (live updates), 6 and 7.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from engine.console.cells import PAGES, Cells
from engine.console.gate import MOST_DIGITS
from engine.console.queries import message_query
from engine.console.queries.message_query import QueryFault
from engine.console.queries.overview import Figures, figures, visible
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import EngineError
from engine.store import search
from engine.store.search import MessageFilter

BEAT_SECONDS: Final = 1.0
BEATS: Final = 60
SIGN_OF_LIFE: Final = 5
"""After so many quiet beats a stream says that it is still there."""

MOST_NEW: Final = 1_000
FOLLOWED: Final = frozenset({"channel", "type"})
"""What is known of a message as it arrives; other queries hear of no new rows."""

Heard = asyncio.Queue[Figures | None]


@dataclass(slots=True)
class Pulse:
    """Reads figures once a second while anybody listens, and tells all of them.

    Args:
        read: one read of the store; it waits for the disk.
        ending: whether the server is about to stop, so that streams end too.
        latest: what was read last, here or for a page: the store may go away.
    """

    read: Callable[[], Figures]
    ending: Callable[[], bool] = bool
    latest: Figures | None = None
    _listeners: set[Heard] = field(default_factory=set)
    _beating: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Heard]:
        """Give what hears each beat; None stands for one that could not be read."""
        heard: Heard = asyncio.Queue(maxsize=1)
        self._listeners.add(heard)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        try:
            yield heard
        finally:
            self._listeners.discard(heard)
            if not self._listeners:
                self._beating.cancel()
                self._beating = None

    async def _beat(self) -> None:
        while True:
            found: Figures | None = None
            with suppress(EngineError):
                found = self.latest = await run_in_threadpool(self.read)
            for heard in self._listeners:
                if heard.full():  # a slow tab gets the latest
                    heard.get_nowait()
                heard.put_nowait(found)
            await asyncio.sleep(BEAT_SECONDS)


def pulse_of(here: Callable[[], Surroundings]) -> Pulse:
    """Return the pulse of a store; ``here`` is asked each time, it may be reloaded."""

    def read() -> Figures:
        now = here()
        with now.database.reading() as connection:
            return figures(connection, now.now(), now.paces)

    return Pulse(read)


def pulse(request: Request) -> Pulse:
    """Return the pulse of the application of a request."""
    found = request.app.state.pulse
    assert isinstance(found, Pulse)
    return found


@dataclass(slots=True)
class News:
    """Counts the messages that came after those a list shows."""

    here: Surroundings
    wanted: MessageFilter
    after: int
    sees: Callable[[str], bool] = bool
    count: int = 0

    def look(self) -> int:
        """Return how many there are by now; it reads the store."""
        with self.here.database.reading() as connection:
            rows = search.arrived(connection, self.after, MOST_NEW)
        if rows:
            self.after = rows[-1].id
        self.count += sum(
            self.sees(row.channel) and search.matches(self.wanted, row) for row in rows
        )
        return self.count


async def stream(request: Request, name: str) -> Response:
    """Send what changes on a page, as server-sent events."""
    cells, news = _cells_of(request, name), _news(request)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(
        events(pulse(request), cells, news),
        headers=headers,
        media_type="text/event-stream",
    )


async def once(request: Request, name: str) -> Response:
    """Return what a stream would send first: for browsers whose stream dropped."""
    cells, news = _cells_of(request, name), _news(request)
    async with pulse(request).listening() as heard:
        found = await heard.get()
    if found is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer")
    new = 0 if news is None else await run_in_threadpool(news.look)
    content = orjson.dumps({"cells": cells(found), "news": new})
    return Response(content, media_type="application/json")


def _cells_of(request: Request, name: str) -> Callable[[Figures], Cells]:
    if name not in PAGES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    who = caller(request)
    return lambda found: PAGES[name](visible(found, who))


def _news(request: Request) -> News | None:
    """Return what counts new rows; None where the list cannot know them."""
    asked = dict(request.query_params)
    after = asked.pop("after", "")
    if not after.isdecimal() or len(after) > MOST_DIGITS or asked.keys() - FOLLOWED:
        return None
    here = surroundings(request)
    wanted = message_query.read(message_query.written(asked), here.now())
    return (
        None
        if isinstance(wanted, QueryFault)
        else News(here, wanted, int(after), caller(request).sees)
    )


async def events(
    beats: Pulse, cells: Callable[[Figures], Cells], news: News | None
) -> AsyncGenerator[bytes, None]:
    """Yield the events of one stream: ``cells``, ``news`` and ``failed``."""
    shown: Mapping[str, str] = {}
    told = newest = quiet = 0
    yield b"retry: 1000\n\n"
    async with beats.listening() as heard:
        for _ in range(BEATS):
            found = await heard.get()
            if beats.ending():
                return
            if found is None:
                yield _event("failed", {})
                continue
            now = cells(found)
            changed = {k: v for k, v in now.items() if shown.get(k) != v}
            shown, quiet = now, quiet + 1
            if changed or quiet >= SIGN_OF_LIFE:
                quiet = 0
                yield _event("cells", changed)
            if news is not None and found.newest != newest:
                newest = found.newest
                number = await run_in_threadpool(news.look)
                if number != told:
                    told = number
                    yield _event("news", number)


def _event(name: str, content: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(content))
