"""Every route of the console in one table: what it answers, and who may ask."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from engine.console import health
from engine.console.permissions import Permission


class Route(NamedTuple):
    """One route; ``permission`` None is open to everybody."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    permission: Permission | None


ROUTES: Final[Sequence[Route]] = (
    Route("GET", "/livez", health.livez, None),
    Route("GET", "/startupz", health.startupz, None),
    Route("GET", "/readyz", health.readyz, None),
)
