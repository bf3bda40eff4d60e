"""Where Prometheus reads: a port of its own on this machine, or ``/metrics`` here.

Spec:
    cli.md 6 (metrics.bind, metrics.token) and 7.1.
"""

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from starlette.requests import Request
from starlette.responses import Response

from engine.console.binding import OFF, host_and_port, is_loopback
from engine.console.metrics import exposition
from engine.console.surroundings import surroundings
from engine.errors import ConfigurationError
from engine.settings import Settings

_EXPOSED: Final = (
    "metrics.bind is for this machine alone: it asks nobody who they are. "
    "From elsewhere read /metrics on the console's port, with metrics.token"
)
_log = structlog.get_logger()


def metrics(request: Request) -> Response:
    """Return every metric, in the form that the reader asks for."""
    here = surroundings(request)
    accept = request.headers.get("accept", "")
    found, media_type = exposition(here.database, here.site, here.now, accept)
    return Response(found, media_type=media_type)


def metrics_address(settings: Settings) -> tuple[str, int] | None:
    """Return where metrics are read without asking who reads; None where nowhere.

    Raises:
        ConfigurationError: it is no address, or one beyond this machine.
    """
    if settings.metrics_bind == OFF:
        return None
    place = host_and_port("metrics.bind", settings.metrics_bind)
    if not is_loopback(place[0]):
        raise ConfigurationError(_EXPOSED)
    return place


def listen(place: tuple[str, int], registry: CollectorRegistry) -> None:
    """Answer on a port of its own, in a thread of its own, while the process lives."""
    host, port = place
    try:
        start_http_server(port, host, registry)
    except OSError:  # another node of this machine: the console's port has them, too
        _log.warning("metrics_cannot_listen", host=host, port=port)
    else:
        _log.info("metrics_open", host=host, port=port)
