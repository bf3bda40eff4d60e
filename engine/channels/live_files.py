"""The files of a configuration as it goes live, kept in the store.

What is kept are channel files with their shared parts, Python steps and the matching
models. Of code tables the hash is kept: they have a history by rows. ``interop.toml``
is not kept at all: it is the node's own, and may hold secrets.

Spec:
    channel-format.md 12; console.md S2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from engine.channels.clock import utc_now
from engine.channels.disk import is_broken
from engine.channels.draft import CHANNELS
from engine.channels.format.load import Site, load_site
from engine.channels.table_files import FOLDER as TABLES
from engine.errors import EngineError
from engine.store import audit, config_history
from engine.store.audit import Order
from engine.store.config_history import ConfigFile
from engine.store.database import Database
from engine.store.seal import fingerprint

KEPT: Final = (f"{CHANNELS}/*.yaml", "steps/*.py", "identity.yaml")
BY_HASH: Final = (f"{TABLES}/*.csv",)
TRIES: Final = 3
_log = structlog.get_logger()

Texts = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Read:
    """A site, and the very files it was made of; no files where they kept changing."""

    site: Site
    files: Mapping[str, ConfigFile]


def read(folder: Path, environment: str | None) -> Read:
    """Return the site of a folder with the files it was made of.

    Raises:
        ConfigurationError: with every fault of every file.
    """
    before = texts_in(folder)
    site = load_site(folder, environment)
    for _ in range(TRIES):
        after = texts_in(folder)
        if after == before:
            return Read(site, files_of(site, after))
        before, site = after, load_site(folder, environment)
    return Read(site, {})


def files_of(site: Site, texts: Texts) -> dict[str, ConfigFile]:
    """Return files as they are kept, each channel's with its revision."""
    revisions = {file_of(each.name): each.revision for each in site.channels}
    return {
        path: ConfigFile(
            fingerprint(text),
            None if path.startswith(TABLES) else text,
            revisions.get(path, ""),
        )
        for path, text in texts.items()
    }


def file_of(channel: str) -> str:
    """Return where the file of a channel is, below the configuration folder."""
    return f"{CHANNELS}/{channel}.yaml"


def keep(database: Database, found: Read, order: Order) -> int | None:
    """Write that these files are live on this node; None where they were before.

    What was replaced longer ago than messages are remembered is dropped.
    """
    settings = found.site.settings
    node, files = settings.node_name, found.files
    with database.reading() as connection:
        if not files or config_history.is_live(connection, node, files):
            return None
    with database.engine() as connection:
        config_history.forget(connection, order.now - settings.retention_metadata)
        return config_history.keep(connection, database.sealer, node, files, order)


def keep_if_possible(database: Database, found: Read, reason: str) -> None:
    """Keep what a process took into use; a store that cannot is no reason to stop."""
    try:
        keep(database, found, Order(audit.ENGINE, utc_now(), reason))
    except EngineError as error:
        if is_broken(error):
            raise
        _log.warning("configuration_not_kept", reason=str(error))


def read_again(folder: Path, environment: str | None, database: Database) -> Site:
    """Return the site of a folder, kept as what goes live with a reload.

    Raises:
        ConfigurationError: with every fault of every file; nothing was kept.
    """
    found = read(folder, environment)
    keep_if_possible(database, found, "read at a reload")
    return found.site


def texts_in(folder: Path) -> dict[str, bytes]:
    """Return the files that are kept, by their path below the folder."""
    found: dict[str, bytes] = {}
    for pattern in (*KEPT, *BY_HASH):
        for path in sorted(folder.glob(pattern)):
            try:
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
            except OSError:
                continue  # it went away, or may not be read: loading says so
    return found
