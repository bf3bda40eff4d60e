"""S1 Overview: is anything wrong, where, how bad, since when.

Spec:
    console.md S1.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from engine.console.listing import Listing, answer
from engine.console.queries import overview as queries
from engine.console.surroundings import caller, surroundings
from engine.store import error_queue, incidents

HOUR: Final = timedelta(hours=1)
COLUMNS: Final = (
    *("channel", "state", "received", "processed", "filtered", "held", "error"),
    *("delivered", "waiting", "failed", "oldest", "last"),
)


def overview(request: Request) -> Response:
    """Show what needs a person, then every channel."""
    here = surroundings(request)
    now = here.now()
    with here.database.reading() as connection:
        rows = queries.channels(connection)
        needs = queries.needs(connection)
        groups = error_queue.groups(connection)
        found = queries.processes(connection, now)
        last_hour = queries.taken_since(connection, now - HOUR)
        troubles = incidents.open_incidents(connection)
    listing = Listing("channels", COLUMNS, [asdict(row) for row in rows])
    return answer(
        request,
        listing,
        "overview.html",
        channels=rows,
        needs=needs,
        groups=groups[:5],
        warnings=queries.warnings(found, now),
        incidents=[
            each
            for each in troubles
            if not each.channel or caller(request).sees(each.channel)
        ],
        silent=[each for each in found if not each.alive],
        last_hour=last_hour,
        waiting=sum(row.waiting for row in rows),
    )
