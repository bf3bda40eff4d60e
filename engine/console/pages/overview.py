"""S1 Overview: is anything wrong, where, how bad, since when.

Spec:
    console.md S1.
"""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console import cells
from engine.console.queries import overview as queries
from engine.console.queries.overview import ChannelFigures, Figures
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.store import error_queue, incidents

SHOWS: Final = ("all", "attention", "silent", "mine")


def overview(request: Request, show: str = "all", tv: int = 0) -> Response:
    """Show what needs a person, then every channel; ``tv`` for a display on a wall."""
    if caller(request).channels is not None:  # its figures span all channels
        return RedirectResponse("/channels", HTTPStatus.SEE_OTHER)
    here = surroundings(request)
    now = here.now()
    with here.database.reading() as connection:
        found = queries.figures(connection, now, here.paces)
        found = queries.visible(found, caller(request).sees)
        groups = error_queue.groups(connection)
        troubles = incidents.open_incidents(connection)
    return page(
        request,
        "overview.html",
        counts=cells.COUNTS,
        channels=[row for row in found.channels if _shown(request, found, row, show)],
        any_channel=bool(found.channels),
        show=show if show in SHOWS else "all",
        shows=SHOWS,
        tv=bool(tv),
        needs=found.needs,
        groups=groups[:5],
        warnings=queries.warnings(found.processes, now),
        incidents=[
            each
            for each in troubles
            if not each.channel or caller(request).sees(each.channel)
        ],
        silent=[each for each in found.processes if not each.alive],
        cells=cells.overview(found),
        live="/live/overview",
    )


def _shown(request: Request, found: Figures, row: ChannelFigures, show: str) -> bool:
    """Tell whether a quick filter keeps a channel."""
    if show == "attention":
        return bool(row.error or row.failed or row.held or row.state != "running")
    if show == "silent":
        return not found.pace.hour(row.channel)
    if show == "mine":
        site = surroundings(request).site
        owners = {each.name: each.owner for each in site.channels} if site else {}
        return owners.get(row.channel) == caller(request).name
    return True
