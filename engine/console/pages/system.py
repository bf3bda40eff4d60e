"""S16 System: whether the installation itself is healthy.

Spec:
    console.md S16.
"""

import os
import shutil
from dataclasses import asdict
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response

from engine.console.queries import overview
from engine.console.queries import system as queries
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.settings import masked, origins
from engine.store import audit
from engine.store.audit import Act

TABS: Final = ("health", "nodes", "store", "certificates", "settings")


def system(request: Request, tab: str = "health") -> Response:
    """Show checks, nodes, store, certificates and settings."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = overview.figures(connection, here.now())
        checks = queries.checks(connection, found, here.settings)
        growth = queries.growth(connection, here.database, found, _free(here))
    return page(
        request,
        "system.html",
        tab=tab if tab in TABS else TABS[0],
        tabs=TABS,
        checks=checks,
        processes=found.processes,
        growth=growth,
        versions=queries.versions(here.database),
        certificates=[
            each
            for process in found.processes
            for each in queries.certificates_of(process, found.at)
        ],
        settings=_settings(here),
        retention={
            "message content": here.settings.retention_content,
            "search data": here.settings.retention_metadata,
            "audit trail": here.settings.retention_audit,
        },
    )


def _free(here: Surroundings) -> int | None:
    """Return how many bytes are free where the store lies; None for a server."""
    if here.database.kind != "sqlite":
        return None
    folder = unquote(urlsplit(here.settings.store_url).path)
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _settings(here: Surroundings) -> list[tuple[str, object, str]]:
    """Return key, value and origin of every setting; secrets are covered."""
    known = origins(here.settings.folder, os.environ)
    shown = masked(here.settings)
    return [(key, value, known.get(key, "")) for key, value in shown.items()]


def bundle(request: Request) -> Response:
    """Give what support asks for, as one file without patient data."""
    here = surroundings(request)
    act = Act(here.now(), caller(request).name, "export", "support bundle")
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    with here.database.reading() as connection:
        found = overview.figures(connection, here.now())
        checks = queries.checks(connection, found, here.settings)
        growth = queries.growth(connection, here.database, found, _free(here))
    content = {
        "made_at": here.now(),
        "versions": queries.versions(here.database),
        "checks": [asdict(each) for each in checks],
        "processes": [asdict(each) for each in found.processes],
        "channels": [asdict(each) for each in found.channels],
        "store": asdict(growth) | {"days_left": growth.days_left},
        "settings": {
            key: (str(value), origin) for key, value, origin in _settings(here)
        },
    }
    headers = {"Content-Disposition": 'attachment; filename="support-bundle.json"'}
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str)
    return Response(text, headers=headers, media_type="application/json")
