"""S16 System: whether the installation itself is healthy.

Spec:
    console.md S16.
"""

import os
import shutil
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels.live_files import keep, read
from engine.channels.table_moves import use
from engine.console.queries import overview
from engine.console.queries import system as queries
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import ConfigurationError
from engine.settings import masked, origins
from engine.store import audit, backup
from engine.store.audit import Act, Order
from engine.store.backup import Backup
from engine.store.key_file import load_or_create_key

TABS: Final = ("health", "nodes", "log", "store", "certificates", "settings")


def system(request: Request, tab: str = "health") -> Response:
    """Show checks, nodes, store, certificates and settings."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = overview.figures(connection, here.now(), here.paces)
        checks = queries.checks(connection, found, here.settings)
        keys = queries.keys(connection, here.database)
        growth = queries.growth(connection, here.database, found, _free(here))
    return page(
        request,
        "system.html",
        tab=tab if tab in TABS else TABS[0],
        tabs=TABS,
        checks=[*checks, keys],
        keys=keys,
        processes=found.processes,
        lines=queries.log_of(found.processes) if tab == "log" else [],
        growth=growth,
        versions=queries.versions(here.database),
        certificates=[
            each
            for process in found.processes
            for each in queries.certificates_of(process, found.at)
        ],
        settings=_settings(here),
        backups=backup.listed(here.settings.backups),
        place=here.settings.backups,
        embedded=here.database.kind == "sqlite",
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
    return [
        (key, as_written(value), known.get(key, "")) for key, value in shown.items()
    ]


def as_written(value: object) -> object:
    """Return a setting as ``interop.toml`` writes it.

    Examples:
        >>> as_written(True), as_written(timedelta(minutes=15)), as_written(("a", "b"))
        ('true', '15m', 'a, b')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return _length(value.total_seconds())
    if isinstance(value, list | tuple | frozenset):
        return ", ".join(map(str, value))
    return value


def _length(seconds: float) -> str:
    units = (("d", 86400), ("h", 3600), ("m", 60))
    found = (f"{seconds / size:g}{unit}" for unit, size in units if not seconds % size)
    return next(found, f"{seconds:g}s") if seconds else "0s"


def back_up(request: Request) -> Response:
    """Copy the store as it is now."""
    copied(request, "from the console")
    return RedirectResponse("/system?tab=store", HTTPStatus.SEE_OTHER)


def copied(request: Request, reason: str) -> Backup:
    """Return a new backup of the store as it is now; that is written down.

    Raises:
        HTTPException: why none was made.
    """
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), reason)
    try:
        return backup.create(here.database, here.settings.backups, order)
    except (ConfigurationError, OSError) as error:
        sentence = f"no backup was made: {error}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error


def look_at_backup(request: Request, name: str) -> Response:
    """Open a copy of a backup, look at every row, and say what is wrong."""
    if wrong := damages(request, name):
        sentence = f"The backup {name} is damaged: {'; '.join(wrong)}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence)
    return RedirectResponse("/system?tab=store", HTTPStatus.SEE_OTHER)


def damages(request: Request, name: str) -> list[str]:
    """Return what is wrong with a backup; that it was looked at is written down.

    Raises:
        HTTPException: there is none of this name.
    """
    here = surroundings(request)
    known = {each.name: each for each in backup.listed(here.settings.backups)}
    if name not in known:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such backup")
    key = load_or_create_key(here.settings.key_file)
    wrong = backup.verify(known[name].folder, key, here.now())
    act = Act(here.now(), caller(request).name, "backup.verify", f"backup {name}")
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    return wrong


def reload(request: Request) -> Response:
    """Check the configuration, then let the processes of this node take it."""
    here = surroundings(request)
    try:
        found = read(here.settings.folder, here.settings.environment)
    except ConfigurationError as error:
        sentence = f"Nothing was changed: {error}. {' '.join(error.faults[:5])}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    order = Order(caller(request).name, here.now(), "reload from the console")
    keep(here.database, found, order)
    told = use(here.database, here.settings.node_name, here.now())
    act = Act(here.now(), caller(request).name, "reload", f"{told} processes")
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    return RedirectResponse("/system?tab=nodes", HTTPStatus.SEE_OTHER)


def bundle(request: Request) -> Response:
    """Give what support asks for, as one file without patient data."""
    here = surroundings(request)
    act = Act(here.now(), caller(request).name, "export", "support bundle")
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    with here.database.reading() as connection:
        found = overview.figures(connection, here.now(), here.paces)
        checks = queries.checks(connection, found, here.settings)
        checks.append(queries.keys(connection, here.database))
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
