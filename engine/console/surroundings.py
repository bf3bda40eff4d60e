"""What every request of the console works with."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from starlette.requests import Request

from engine.channels.format.load import Site
from engine.channels.queries.directory import Directory
from engine.channels.trials import Trials
from engine.console.pace import PaceReader
from engine.console.permissions import Caller
from engine.console.throttle import Throttle
from engine.identity.corrections import Form
from engine.settings import Settings
from engine.store.corrections import Place
from engine.store.database import Database
from engine.store.sessions import Limits, Session


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The node's settings, its open store, the patient index in it, and the clock.

    ``forms`` says which destinations hear of corrections, and in what form; ``site``
    is the configuration as it was last read; ``trials`` is who tries messages without
    any effect; ``tags`` which channels there are, and the tags of each; ``paces`` is
    who knows what was counted.
    """

    settings: Settings
    database: Database
    directory: Directory
    now: Callable[[], datetime]
    forms: Mapping[Place, Form] = field(default_factory=dict)
    site: Site | None = None
    trials: Trials = field(default_factory=lambda: Trials(Path("config")))
    tags: Mapping[str, Collection[str]] = field(default_factory=dict)
    paces: PaceReader = field(default_factory=PaceReader)


def surroundings(request: Request) -> Surroundings:
    """Return what the application of a request was made with."""
    found = request.app.state.surroundings
    assert isinstance(found, Surroundings)
    return found


def caller(request: Request) -> Caller:
    """Return who asks; a guarded route always has one."""
    found = request.state.caller
    assert isinstance(found, Caller)
    return found


def session(request: Request) -> Session | None:
    """Return the session of a person at a browser; a program's token has none."""
    found = getattr(request.state, "session", None)
    return found if isinstance(found, Session) else None


def address(request: Request) -> str:
    """Return where browsers find this console: as set, or as this one found it."""
    told = surroundings(request).settings.console_address.rstrip("/")
    return told or f"{request.url.scheme}://{request.url.netloc}"


def own_place(back: str) -> str:
    """Return where to go back to: never the address of another host."""
    return "/" + back.lstrip("/\\")


def throttle(request: Request) -> Throttle:
    """Return the count of failed tries of this process."""
    found = request.app.state.throttle
    assert isinstance(found, Throttle)
    return found


def is_known(request: Request) -> bool:
    """Whether the gate knows who asks; on an open path it did not look."""
    return isinstance(getattr(request.state, "caller", None), Caller)


def is_away(request: Request) -> bool:
    """Whether the store did not answer when it was asked who this is."""
    return bool(getattr(request.state, "away", False))


def limits(here: Surroundings) -> Limits:
    """Return how long a session lasts."""
    settings = here.settings
    return Limits(settings.console_session_idle, settings.console_session_max)
