"""Static files: the console's own, and the few it carries with it.

Spec:
    console.md 5: nothing from another host.
"""

from http import HTTPStatus
from importlib.resources import files
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
_KEEP: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Pages name a file by its content, so a new one has a new address."""

_NAMES: Final = frozenset(
    each.name for each in files("engine.console").joinpath("static").iterdir()
)


def static(name: str) -> Response:
    """Return one file."""
    if name not in _NAMES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    content = files("engine.console").joinpath("static", name).read_bytes()
    return Response(content, headers=_KEEP, media_type=_KINDS[name.rpartition(".")[2]])
