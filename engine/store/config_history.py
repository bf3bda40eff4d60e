"""The configurations of a node that went live: which files, when, by whom and why.

Each text is kept once, by its hash. A text that stood in a file and never went live is
kept too before it is written over: its state is ``set aside``.

Spec:
    channel-format.md 12; console.md S2 (history, roll back).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from engine.store.audit import Order
from engine.store.config_tables import config_file, config_revision, config_text
from engine.store.counters import reserve
from engine.store.dialect import bulk, put
from engine.store.seal import Sealer

LIVE: Final = "live"
ASIDE: Final = "set aside"
MOST: Final = 2_000
"""How many configurations are looked through for the versions of one file."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file as it was read; ``text`` is None where its hash alone is kept.

    ``revision`` is that of the channel the file defines, empty for other files.
    """

    sha256: bytes
    text: bytes | None = None
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One file as it stood in the configuration ``number``."""

    number: int
    node: str
    at: datetime
    actor: str
    state: str
    reason: str
    sha256: bytes
    revision: str


Files = Mapping[str, ConfigFile]

_LAST: Final = (
    select(config_revision.c.id)
    .where(
        config_revision.c.node == bindparam("of_node"), config_revision.c.state == LIVE
    )
    .order_by(config_revision.c.id.desc())
    .limit(1)
)
_FILES: Final = select(
    config_file.c.path, config_file.c.sha256, config_file.c.revision
).where(config_file.c.revision_id == bindparam("asked"))
_OF_PATH: Final = (
    select(config_revision, config_file.c.sha256, config_file.c.revision)
    .join(config_file, config_file.c.revision_id == config_revision.c.id)
    .where(config_file.c.path == bindparam("asked"))
    .order_by(config_revision.c.id.desc())
    .limit(bindparam("most"))
)
_TEXT: Final = select(config_text.c.content).where(
    config_text.c.sha256 == bindparam("asked")
)
_later = config_revision.alias("later")
_SUPERSEDED: Final = select(config_revision.c.id).where(
    config_revision.c.at < bindparam("before"),
    exists().where(
        _later.c.node == config_revision.c.node,
        _later.c.state == LIVE,
        _later.c.id > config_revision.c.id,
        _later.c.at < bindparam("before"),
    ),
)
_FORGET: Final = (
    delete(config_file).where(config_file.c.revision_id.in_(_SUPERSEDED)),
    delete(config_revision).where(config_revision.c.id.in_(_SUPERSEDED)),
    delete(config_text).where(
        ~exists().where(config_file.c.sha256 == config_text.c.sha256)
    ),
)


def is_live(connection: Connection, node: str, files: Files) -> bool:
    """Tell whether these files are what was last written as live on a node."""
    last = connection.execute(_LAST, {"of_node": node}).scalar()
    if last is None:
        return False
    kept = files_of(connection, last)
    return kept == {path: replace(each, text=None) for path, each in files.items()}


def keep(
    connection: Connection, sealer: Sealer, node: str, files: Files, order: Order
) -> int | None:
    """Write that these files are live; return the number, None if they were before."""
    reserve(connection, "config_revision", 0)  # others who start now wait for us
    if is_live(connection, node, files):
        return None
    return _written(connection, sealer, files, order, (node, LIVE))


def set_aside(
    connection: Connection, sealer: Sealer, node: str, files: Files, order: Order
) -> int:
    """Keep texts that never went live before something else takes their place."""
    return _written(connection, sealer, files, order, (node, ASIDE))


def _written(
    connection: Connection,
    sealer: Sealer,
    files: Files,
    order: Order,
    place: tuple[str, str],
) -> int:
    [number] = reserve(connection, "config_revision", 1)
    row: dict[str, object] = {
        "id": number,
        "node": place[0],
        "actor": order.actor,
        "state": place[1],
        "at": order.now,
        "content": sealer.seal(order.reason.encode(), reason_context(number)),
    }
    connection.execute(insert(config_revision), row)
    bulk(
        connection,
        insert(config_file),
        [
            {
                "revision_id": number,
                "path": path,
                "sha256": each.sha256,
                "revision": each.revision,
            }
            for path, each in files.items()
        ],
    )
    texts: list[dict[str, object]] = [
        {
            "sha256": each.sha256,
            "content": sealer.seal(each.text, text_context(each.sha256)),
        }
        for each in files.values()
        if each.text is not None and not is_kept(connection, each.sha256)
    ]
    put(connection, config_text, texts)
    return number


def versions(
    connection: Connection, sealer: Sealer, path: str, most: int = MOST
) -> list[Version]:
    """Return how a file changed, newest first: configurations that left it are out.

    A channel's file is another one, too, when what its channel uses changed.
    """
    found = connection.execute(_OF_PATH, {"asked": path, "most": most}).all()
    changed: list[Version] = []
    before: dict[str, tuple[bytes, str]] = {}
    for row in reversed(found):
        is_now = row.sha256, row.revision
        if row.state == LIVE and before.get(row.node) == is_now:
            continue
        if row.state == LIVE:
            before[row.node] = is_now
        reason = sealer.open(row.content, reason_context(row.id)).decode()
        place = (row.id, row.node, row.at, row.actor, row.state, reason)
        changed.append(Version(*place, *is_now))
    return changed[::-1]


def files_of(connection: Connection, number: int) -> dict[str, ConfigFile]:
    """Return the files of one configuration without their texts; empty: unknown."""
    return {
        row.path: ConfigFile(row.sha256, None, row.revision)
        for row in connection.execute(_FILES, {"asked": number})
    }


def text_of(connection: Connection, sealer: Sealer, sha256: bytes) -> bytes | None:
    """Return a text that is kept; None for one whose hash alone is."""
    content = connection.execute(_TEXT, {"asked": sha256}).scalar()
    return None if content is None else sealer.open(content, text_context(sha256))


def is_kept(connection: Connection, sha256: bytes) -> bool:
    """Tell whether a text can be had back."""
    return connection.execute(_TEXT, {"asked": sha256}).scalar() is not None


def forget(connection: Connection, before: datetime) -> None:
    """Drop what another configuration took the place of before ``before``.

    What runs is never dropped, however old, nor a text that is still named.
    """
    for statement in _FORGET:
        connection.execute(statement, {"before": before})


def reason_context(number: int) -> str:
    """Return what a reason is bound to."""
    return f"config_revision|{number}|"


def text_context(sha256: bytes) -> str:
    """Return what a text is bound to."""
    return f"config_text|{sha256.hex()}|"
