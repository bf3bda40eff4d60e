"""One route of the console: what answers it, and who may ask."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

from engine.console.permissions import Permission


class Route(NamedTuple):
    """One route; ``permission`` None is open to everybody.

    ``model`` is what a route of the API answers with; pages have none.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    permission: Permission | None
    model: type[BaseModel] | None = None
