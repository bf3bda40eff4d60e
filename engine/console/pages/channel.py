"""S2 Channel: one feed, its health and its definition.

Orders are rows in the database; the edge reads them every two seconds.

Spec:
    console.md S2 and 7 (orders).
"""

from dataclasses import asdict, replace
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels import revisions
from engine.channels.connection_trial import Reached, node_of, try_connection
from engine.channels.format.channel import Channel
from engine.channels.format.load import load_site
from engine.console import cells
from engine.console.listing import Listing, answer
from engine.console.pages.messages import row_of
from engine.console.permissions import Permission
from engine.console.queries import channel as queries
from engine.console.queries import overview
from engine.console.queries.channel_hour import hour_of
from engine.console.queries.overview import ChannelFigures
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, own_place, surroundings
from engine.errors import ConfigurationError, IllegalTransitionError
from engine.store import audit, delivery_moves, reports, search
from engine.store.audit import Act, AuditRow, Order
from engine.store.database import Connection
from engine.store.search import MessageFilter
from engine.store.words import RunState

TABS: Final = (
    *("flow", "messages", "queues", "config", "tests", "history"),
    *("connections", "contract"),
)
ORDERS: Final = {
    "start": RunState.RUNNING,
    "pause": RunState.PAUSED,
    "drain": RunState.PAUSED,
    "stop": RunState.STOPPED,
}
"""A paused channel takes nothing and finishes what it has: that is how it drains."""

MANY: Final = 20
LATEST: Final = 20
COLUMNS: Final = (
    *("channel", "title", "owner", "tags", "state", "note", "source"),
    *("destinations", "waiting", "error", "last", "revision"),
)


def channels(request: Request) -> Response:
    """List the channels of the configuration, and those that have only a past."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = overview.figures(connection, here.now(), here.paces)
    known = {each.channel: each for each in found.channels}
    configured = {each.name: each for each in _configured(here)}
    sees = caller(request).sees
    names = sorted(filter(sees, known.keys() | configured.keys()))
    rows = [_row(n, known.get(n), configured.get(n)) for n in names]
    listing = Listing("channels", COLUMNS, rows)
    return answer(
        request,
        listing,
        "channels.html",
        cells=cells.channels(found),
        live="/live/channels",
        counted=known,
    )


def _configured(here: Surroundings) -> tuple[Channel, ...]:
    return here.site.channels if here.site else ()


def _row(
    name: str, figures: ChannelFigures | None, found: Channel | None
) -> dict[str, object]:
    counted = figures or ChannelFigures(name, "running")
    return asdict(counted) | {
        "title": found.title if found else "",
        "owner": found.owner if found else "",
        "tags": ", ".join(found.tags) if found else "",
        "source": queries.source_place(found.source) if found else "",
        "destinations": ", ".join(d.name for d in found.destinations) if found else "",
        "revision": found.revision[:12] if found else "",
        "note": counted.note if found else "not configured any more",
    }


def channel(request: Request, name: str, tab: str = "flow") -> Response:
    """Show one channel, the part of it that the address asks for."""
    return _shown(request, name, tab)


def _shown(
    request: Request, name: str, tab: str, tried: Reached | None = None
) -> Response:
    here = surroundings(request)
    found = next((each for each in _configured(here) if each.name == name), None)
    sealer = here.database.sealer
    with here.database.reading() as connection:
        all_figures = overview.figures(connection, here.now(), here.paces)
        figures = _figures(all_figures.channels, name)
        unknown = found is None and not figures.received
        if unknown or not caller(request).sees(name):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no channel {name}")
        wanted = reports.run_states(connection)
        processes = all_figures.processes
        kept = queries.queues_of(connection, found, wanted, processes) if found else []
        latest = search.messages(
            connection, sealer, MessageFilter(channel=name), limit=LATEST
        )
        parked = queries.parked_in(connection, name)
        hour = hour_of(connection, name, here.now())
        past = _past(connection, here, name, kept) if tab == "history" else []
    tab = tab if tab in TABS else TABS[0]
    return page(
        request,
        "channel.html",
        name=name,
        channel=found,
        figures=figures,
        tab=tab,
        tabs=TABS,
        asked=queries.asked_of(name, wanted, processes),
        way=queries.way_of(found, figures, kept, hour) if found else None,
        queues=kept,
        parked=parked,
        tried=tried,
        many=MANY,
        found=Listing("messages", (), [row_of(each) for each in latest]),
        text=_text(here, found) if tab == "config" else "",
        newer=_newer(here, found) if found and tab == "config" else Newer(),
        differs=revisions.waiting(here.database, here.settings.folder, name),
        may_reload=caller(request).may(Permission.ADMINISTER),
        past=past,
        versions=revisions.history(here.database, name) if tab == "history" else [],
        latest=LATEST,
        peers=queries.peers_of(name, processes),
        contract=queries.contract_of(found) if found else [],
        failed_later=figures.error,
        may_act=caller(request).may(Permission.REPLAY),
        cells=cells.channels(all_figures),
        live="/live/channels" if figures.received else "",
    )


def _figures(found: list[ChannelFigures], name: str) -> ChannelFigures:
    empty = ChannelFigures(name, "running")
    return next((each for each in found if each.channel == name), empty)


def _past(
    connection: Connection,
    here: Surroundings,
    name: str,
    kept: list[queries.Queue],
) -> list[AuditRow]:
    """Return who asked what of a channel and its destinations, newest first."""
    subjects = [f"channel {name}", *(f"channel {name}/{q.name}" for q in kept)]
    rows = [
        row
        for subject in subjects
        for row in audit.rows(connection, here.database.sealer, subject=subject)
    ]
    return sorted(rows, key=lambda row: -row.id)


def _text(here: Surroundings, found: Channel | None) -> str:
    """Return the channel's file as it was written, comments and all."""
    if found is None or here.site is None:
        return ""
    try:
        return (here.site.folder / found.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"# {found.file} cannot be read: {type(error).__name__}"


class Newer(NamedTuple):
    """What the files say by now, where that is not what runs."""

    revision: str = ""
    faults: tuple[str, ...] = ()


def _newer(here: Surroundings, found: Channel) -> Newer:
    """Read the files again: what a reload would take, or why it would be refused."""
    try:
        site = load_site(here.settings.folder, here.settings.environment)
    except ConfigurationError as error:
        of_it = (each for each in error.faults if each.startswith(f"{found.file}:"))
        return Newer(faults=tuple(of_it))
    written = {each.name: each.revision for each in site.channels}
    revision = written.get(found.name, "")
    return Newer("" if revision == found.revision else revision)


def ask(
    request: Request,
    name: str,
    what: str,
    destination: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Ask that a channel, or one destination of it, start, pause, drain or stop."""
    here = surroundings(request)
    if what not in ORDERS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    _expect(request, name, destination)
    order = Order(caller(request).name, here.now(), reason or "from the console")
    with here.database.engine() as connection:
        reports.set_run_state(
            connection, here.database.sealer, (name, destination), ORDERS[what], order
        )
    if back:
        return RedirectResponse(own_place(back), HTTPStatus.SEE_OTHER)
    return _back(name, "queues" if destination else "flow")


def connect(
    request: Request, name: str, destination: Annotated[str, Form()]
) -> Response:
    """Connect to a destination and close: no message is sent."""
    told = tested(request, name, destination)
    named = replace(told, says=f"{destination}: {told.says}")
    return _shown(request, name, "queues", named)


def tested(request: Request, name: str, destination: str) -> Reached:
    """Return what came of connecting to a destination; it is written down.

    Raises:
        HTTPException: there is no such destination for this caller.
    """
    here = surroundings(request)
    found = _expect(request, name, destination)
    settings = next((d for d in found.destinations if d.name == destination), None)
    if settings is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "name one of its destinations")
    node = node_of(here.settings, _configured(here))
    tried = try_connection(settings, node)
    subject = f"channel {name}/{destination}"
    act = Act(here.now(), caller(request).name, "connection.test", subject, tried.says)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    return tried


def _expect(request: Request, name: str, destination: str) -> Channel:
    """Refuse an order to what is not configured: nobody would hear it."""
    sees = caller(request).sees
    for each in _configured(surroundings(request)):
        if each.name == name and sees(name):
            if destination in {"", *(d.name for d in each.destinations)}:
                return each
            break
    sentence = f"{'/'.join(filter(None, (name, destination)))} is not configured here"
    raise HTTPException(HTTPStatus.NOT_FOUND, sentence)


def release(
    request: Request,
    name: str,
    reason: Annotated[str, Form()] = "",
    typed: Annotated[str, Form()] = "",
) -> Response:
    """Send again what parks persons at a channel: their lanes go on in order."""
    here = surroundings(request)
    if not caller(request).sees(name):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no channel {name}")
    order = Order(caller(request).name, here.now(), reason or "released")
    try:
        with here.database.engine() as connection:
            ids = [each.delivery_id for each in queries.parked_in(connection, name)]
            if len(ids) > MANY and typed != str(len(ids)):
                sentence = f"type {len(ids)} to confirm; nothing was changed"
                raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
            delivery_moves.resend(connection, here.database.sealer, ids, order)
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; somebody may have been faster"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return _back(name, "queues")


def _back(name: str, tab: str) -> Response:
    return RedirectResponse(f"/channels/{name}?tab={tab}", HTTPStatus.SEE_OTHER)
