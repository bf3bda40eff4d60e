"""The node and its channels: how they stand, what is asked of them, and trials.

Spec:
    console.md S1, S2, S9 and 7 (orders).
"""

from http import HTTPStatus
from typing import Final, Literal

from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.channels.format.channel import Channel
from engine.console.api import models, node_models
from engine.console.api.orders import Asked, Reasoned, carried_out
from engine.console.pages.channel import ORDERS, tested
from engine.console.queries import drafts, overview
from engine.console.queries.overview import ChannelFigures
from engine.console.surroundings import caller, surroundings
from engine.errors import ConfigurationError
from engine.store import reports
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.seal import Sealer

What = Literal["start", "pause", "drain", "stop"]
_UNKNOWN: Final = "there is no channel of this name"


class Asking(Reasoned):
    """What a channel, or one destination of it, is asked to do, and why."""

    destination: str = ""


class Connected(Asked):
    """Which destination of a channel to connect to."""

    destination: str


class Tried(Asked):
    """A message, segments on lines, and rules for it instead of the channel's own."""

    message: str
    draft: str = Field("", description="A channel file; empty for the one in use.")


def status(request: Request) -> node_models.Status:
    """Tell how the engine stands: what needs a person, what waits, who works."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = overview.figures(connection, here.now(), here.paces)
    processes = [node_models.Process.model_validate(each) for each in found.processes]
    return node_models.Status(
        at=found.at,
        site=here.settings.site,
        last_hour=found.last_hour,
        parked=found.parked,
        waiting=sum(each.waiting for each in found.channels),
        needs=[node_models.Need.model_validate(each) for each in found.needs],
        processes=processes,
        warnings=overview.warnings(found.processes, found.at),
    )


def channels(request: Request) -> models.Listed[node_models.Channel]:
    """List the channels of the configuration, and those that have only a past."""
    return models.Listed(items=_channels(request))


def channel(request: Request, name: str) -> node_models.Channel:
    """Show one channel."""
    for each in _channels(request):
        if each.channel == name:
            return each
    raise HTTPException(HTTPStatus.NOT_FOUND, _UNKNOWN)


def _channels(request: Request) -> list[node_models.Channel]:
    with surroundings(request).database.reading() as connection:
        found = overview.channels(connection)
    figures = {each.channel: each for each in found}
    written = {each.name: each for each in _written(request)}
    names = sorted(filter(caller(request).sees, figures.keys() | written.keys()))
    return [_channel(name, figures.get(name), written.get(name)) for name in names]


def _written(request: Request) -> tuple[Channel, ...]:
    site = surroundings(request).site
    return site.channels if site else ()


def _channel(
    name: str, figures: ChannelFigures | None, found: Channel | None
) -> node_models.Channel:
    counted = figures or ChannelFigures(name, "running")
    return node_models.Channel(
        channel=name,
        title=found.title if found else "",
        owner=found.owner if found else "",
        tags=list(found.tags) if found else [],
        destinations=[each.name for each in found.destinations] if found else [],
        revision=found.revision if found else "",
        **{each: getattr(counted, each) for each in _COUNTED},
    )


_COUNTED: Final = (
    *("state", "received", "processed", "filtered", "held", "error", "delivered"),
    *("waiting", "failed", "oldest", "last"),
)


def ask(request: Request, name: str, what: What, asked: Asking) -> Response:
    """Ask that a channel, or one destination, start, pause, drain or stop."""
    known = {each.name: each for each in _written(request)}
    places = (
        {"", *(each.name for each in known[name].destinations)} if name in known else {}
    )
    if asked.destination not in places:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this is not configured here")

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        place = name, asked.destination
        reports.set_run_state(connection, sealer, place, ORDERS[what], order)
        return models.Done(what=what, count=1)

    return carried_out(request, asked, done)


def connect(request: Request, name: str, asked: Connected) -> node_models.Reached:
    """Connect to a destination and close: no message is sent."""
    found = tested(request, name, asked.destination)
    return node_models.Reached.model_validate(found)


def attempt(request: Request, name: str, asked: Tried) -> node_models.Trial:
    """Run a message through a channel: nothing is sent or stored."""
    here = surroundings(request)
    try:
        rules = drafts.rules_of(here.settings.folder, name, asked.draft)
    except ConfigurationError as error:
        status = (
            HTTPStatus.UNPROCESSABLE_ENTITY if asked.draft else HTTPStatus.NOT_FOUND
        )
        raise HTTPException(status, str(error)) from error
    found = here.trials.attempt(name, drafts.bytes_of(asked.message), rules.draft)
    if "ran_out" in found:
        sentence = f"it took more than {found['seconds']} s, at {found['ran_out']}"
        return node_models.Trial(refused=sentence)
    return node_models.Trial.model_validate(found)
