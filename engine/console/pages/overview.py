"""S1 Overview: is anything wrong, where, how bad, since when.

Spec:
    console.md S1.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from engine.channels.format.channel import Channel
from engine.console import cells
from engine.console.live import pulse
from engine.console.permissions import Permission
from engine.console.queries import overview as queries
from engine.console.queries.error_queue import SAMPLE
from engine.console.queries.overview import ChannelFigures, Figures
from engine.console.rendering import page
from engine.console.surroundings import caller, is_away, surroundings
from engine.errors import StoreError
from engine.store import incidents
from engine.store.error_queue import Group
from engine.store.incidents import Incident

SHOWS: Final = ("all", "attention", "silent", "mine")
MOST: Final = 5
"""Causes that are shown; the others are in the error queue."""
NEVER: Final = "the store is away at the moment, and nothing was read of it yet"


def overview(
    request: Request, show: str = "all", tv: int = 0, tag: str = "", owner: str = ""
) -> Response:
    """Show what needs a person, then every channel; ``tv`` for a display on a wall.

    While the store is away: what was read last, with its time, as nothing current.

    Raises:
        StoreError: the store is away, and nothing was read of it yet.
    """
    here, who = surroundings(request), caller(request)
    show = show if show in SHOWS else SHOWS[0]
    found, troubles = _as_of_now(request)
    found = queries.visible(found, who)
    configured = {e.name: e for e in here.site.channels} if here.site else {}
    known = [configured[e.channel] for e in found.channels if e.channel in configured]
    asked = {"show": show, "tag": tag, "owner": owner, "tv": str(tv) if tv else ""}
    away = is_away(request)
    return page(
        request,
        "overview.html",
        HTTPStatus.SERVICE_UNAVAILABLE if away else HTTPStatus.OK,
        channels=[
            row
            for row in found.channels
            if _shown(found, row, show, who.name, configured)
            and _fits(configured.get(row.channel), tag, owner)
        ],
        any_channel=bool(found.channels),
        show=show,
        shows=SHOWS,
        tag=tag,
        tags=sorted({tag for each in known for tag in each.tags}),
        owner=owner,
        owners=sorted({each.owner for each in known if each.owner}),
        address=lambda **changed: _address(asked | changed),
        tv=bool(tv),
        needs=found.needs,
        groups=_causes(found, show, who.name, configured)[:MOST],
        outlook=lambda channel, place: queries.outlook(found, channel, place),
        sample=SAMPLE,
        warnings=queries.warnings(found.processes, found.at),
        incidents=[e for e in troubles if not e.channel or who.sees(e.channel)],
        silent=[each for each in found.processes if not each.alive],
        configured=configured,
        may_act=who.may(Permission.REPLAY) and not away,
        everything=who.channels is None,
        as_of=found.at if away else None,
        cells=cells.overview(found),
        live="" if away else "/live/overview",
    )


def _as_of_now(request: Request) -> tuple[Figures, list[Incident]]:
    """Return the figures and open incidents; the last figures where the store is away.

    Raises:
        StoreError: it is away, and there are no last ones.
    """
    here, last = surroundings(request), pulse(request)
    if not is_away(request):
        with here.database.reading() as connection:
            last.latest = queries.figures(connection, here.now(), here.paces)
            return last.latest, incidents.open_incidents(connection)
    if last.latest is None:
        raise StoreError(NEVER)
    return replace(last.latest, processes=[]), []


def _address(asked: Mapping[str, object]) -> str:
    """Return the address of this page with other filters."""
    told = urlencode({k: v for k, v in asked.items() if v and v != SHOWS[0]})
    return f"/?{told}" if told else "/"


def _causes(
    found: Figures, show: str, name: str, configured: Mapping[str, Channel]
) -> list[Group]:
    """Return the causes, of one's own channels and those one sees to where asked."""
    return [
        each
        for each in found.groups
        if show != "mine"
        or each.assignee == name
        or (not each.assignee and _owner(configured, each.channel) == name)
    ]


def _fits(found: Channel | None, tag: str, owner: str) -> bool:
    """Tell whether a channel has the tag and the owner asked for."""
    if found is None:
        return not (tag or owner)
    return tag in {"", *found.tags} and owner in {"", found.owner}


def _shown(
    found: Figures,
    row: ChannelFigures,
    show: str,
    name: str,
    configured: Mapping[str, Channel],
) -> bool:
    """Tell whether a quick filter keeps a channel."""
    if show == "attention":
        return bool(row.error or row.failed or row.held or row.state != "running")
    if show == "silent":
        return not found.pace.hour(row.channel)
    if show == "mine":
        given = {each.channel for each in found.groups if each.assignee == name}
        return row.channel in given or _owner(configured, row.channel) == name
    return True


def _owner(configured: Mapping[str, Channel], channel: str) -> str:
    return configured[channel].owner if channel in configured else ""
