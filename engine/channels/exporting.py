"""A channel with all that its file uses, as one archive to take elsewhere.

Spec:
    console.md S2 (export).
"""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Final

from engine.channels.draft import CHANNELS
from engine.channels.live_files import file_of, texts_in
from engine.channels.revisions import is_used
from engine.channels.table_files import FOLDER
from engine.errors import ConfigurationError

_TAKEN: Final = (f"{CHANNELS}/", FOLDER, "steps/")
"""What belongs to channels; settings, contacts and the identity model stay here."""


def archive_of(folder: Path, channel: str) -> bytes:
    """Return a ZIP archive of a channel's file with its tables, steps and parts.

    Paths are as below the configuration folder; the same files make the same bytes.

    Raises:
        ConfigurationError: there is no such file.
    """
    texts, own = texts_in(folder), file_of(channel)
    if own not in texts:
        raise ConfigurationError(f"there is no file {own}")
    said = texts[own].decode("utf-8", "replace")
    parts = (p for p in texts if p.startswith(f"{CHANNELS}/_") and is_used(p, said))
    said += "".join(texts[path].decode("utf-8", "replace") for path in parts)
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(texts.items()):
            if path == own or (path.startswith(_TAKEN) and is_used(path, said)):
                archive.writestr(zipfile.ZipInfo(path), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()
