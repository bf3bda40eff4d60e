"""The revision of a channel: a hash over everything its results depend on."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.channels.format.cda_site import engine_version
from engine.transforms.code_tables import CodeTable

ALWAYS_USED: Final = frozenset(
    {"assigning-authority", "systems", "oids", "note-types", "no-known"}
)
"""Tables that mapping, identity and documents look into without being named."""


def revision_of(
    tree: object, tables: Mapping[str, CodeTable], folder: Path, model: str
) -> str:
    """Return the revision of a channel.

    Args:
        tree: its resolved file as plain texts, lists and mappings.
        tables: every code table; those it names count.
        folder: the configuration folder, for its Python steps.
        model: what the matching model says.
    """
    texts = list(_texts(tree))
    used = {
        name: table.version
        for name, table in tables.items()
        if name in ALWAYS_USED or any(name in text for text in texts)
    }
    content = {
        "channel": tree,
        "tables": used,
        "steps": _steps(texts, folder),
        "model": model,
        "engine": engine_version(),
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _texts(tree: object) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)
    else:
        yield str(tree)


def _steps(texts: list[str], folder: Path) -> dict[str, str]:
    """Return a hash of each Python file the channel names as ``module:function``."""
    named = {text.partition(":")[0] for text in texts if ":" in text}
    files = {path.stem: path for path in sorted((folder / "steps").glob("*.py"))}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if name in named
    }
